/* SPDX-License-Identifier: MIT */
/* What the files of the control process share: the one that there is, and how a
 * configuration comes into force.
 *
 *   candidate.c  a file on its way: read, checked, listened for, in force
 *   in_force.c   sends what is in force, and probes what it names
 *   change.c     what run time changes in it
 *   control.c    the process: messages, timers, signs of life
 *
 *   files/       files that a configuration names: pages, certificates, authorities, secrets
 *   runtime/     what was changed at run time: the store, and what it says of the file
 *   api/         the calls of the admin API
 *   tell/        what becomes of detours, for the log and the webhooks */
#pragma once

#include "control/control.h"

#include "control/alarm.h"
#include "control/api/api.h"
#include "control/existence.h"
#include "control/fallback.h"
#include "control/files/places.h"
#include "control/observe.h"
#include "control/probes.h"
#include "control/resolver.h"
#include "control/runtime/drains.h"
#include "control/runtime/state.h"
#include "control/tell/announce.h"
#include "control/windows.h"
#include "net/channel.h"
#include "signing/keys.h"

struct control {
    struct ev_loop *loop;
    ev_io channel;
    ev_timer heartbeat;
    struct alarm alarm;
    ev_timer rotation; /* of the keys that seal tickets */
    ev_timer overdue;
    struct windows windows;
    uint64_t quiet_generation; /* the last one that a ramp's step alone has made */
    struct drains *drains;
    struct observe *observe;
    struct health *health;       /* NULL until the pages are mapped */
    struct existence *existence; /* likewise */
    struct resolver *resolver;
    struct resolver *probe_names; /* of what is probed: no candidate waits for them */
    struct places *places;
    struct fallbacks *fallbacks;
    int places_sent;         /* the descriptor of the block that workers have; -1: none */
    bool awaits_names;       /* the candidate does, before it goes on */
    ev_timer names_patience; /* … but not for ever */
    const char *path;
    const struct sandbox_policy *policy;
    uint32_t cores;
    bool confined; /* the sandbox was entered */

    bool first;         /* nothing is served yet: a failure ends the program */
    bool from_text;     /* the candidate is the last good text, not the file */
    bool alarm_missed;  /* the alarm went off while a candidate was on its way */
    bool reload_again;  /* a SIGHUP came that is not served yet */
    struct state state; /* what was changed at run time, on the disk */
    struct live *live;  /* … and in hand; NULL: nothing can be */
    struct api *api;
    struct announce *announce;
    uint64_t readings;     /* of the file and of the last good text, so far */
    uint64_t changes;      /* that were made since the start */
    uint64_t changes_read; /* that the candidate was read with */
    uint64_t acknowledged; /* the newest generation that all workers have */
    struct configuration *current;
    struct configuration *candidate;
    uint64_t question; /* number of the LISTEN that the candidate waits for */

    uint64_t generation;
    uint64_t content;                   /* of the snapshot that was published last; 0: none */
    int secret_fd;                      /* the key of wait pages' tickets; -1: not made yet */
    int tls_fd;                         /* what workers make their TLS contexts of; -1: none */
    int tls_next_fd;                    /* the candidate's */
    int sign_next_fd;                   /* the candidate's keys of signed tickets; -1: none */
    const struct signing_keys *signing; /* those in force; NULL: none */
    struct counters_map *counters;
    struct servers_map *servers;
    int exit_status;
    struct channel_buffer buffer;
};

/* control.c */

void control_finish(struct control *c, int status);
void control_send(struct control *c, const struct message *message);
uint32_t control_worker_count(const struct control *c, const struct model *model);

/* candidate.c */

/* Reads the file. */
void candidate_begin(struct control *c);
/* Reads what the supervisor has kept. */
void candidate_begin_last_good(struct control *c, int text_fd);
/* What the supervisor answers to its LISTEN. */
void candidate_listening(struct control *c, struct message *message);
void candidate_refused(struct control *c, const struct message *message);
/* A name was looked up, or it has taken long enough. */
void candidate_names(struct control *c, bool enough);

/* in_force.c */

/* The workers have it before the snapshot whose listeners need it. */
void control_send_tls(struct control *c, int fd);
/* Keeps the keys of signed tickets for asking servers in clients' stead. fd: -1: there are none. */
void control_keep_signing(struct control *c, int fd);
/* … and sends them: they come into force with the SNAPSHOT that follows. fd is closed. */
void control_send_signing(struct control *c, int fd);
/* Compiles, and sends what is new, with a generation of its own. text_fd: -1 when the file is the
 * same. */
enum err control_publish(struct control *c, struct configuration *configuration, int text_fd,
                         int log_fd);
void control_begin_probes(struct control *c);
/* The current configuration as of now. */
void control_publish_again(struct control *c);
/* Publishes when the addresses or the state of an origin have changed. */
void control_look_at_origins(struct control *c);
/* Workers get the block of places that there is now. */
void control_send_places(struct control *c);
/* … and a snapshot that follows from it, when it says anything new. */
void control_look_at_places(struct control *c);
/* The names of what is in force are looked up from here on, and no other. */
void control_want_names(struct control *c);

/* change.c */

struct api_core change_core(struct control *c);
/* Detours of run time that are over go by themselves, and the history says when. */
void change_end_what_is_over(struct control *c);
/* Those that wait for a pool, when it is healthy. */
void change_end_what_recovered(struct control *c);
