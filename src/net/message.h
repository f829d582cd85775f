/* SPDX-License-Identifier: MIT */
/* What the processes say to each other. The supervisor is the hub: it keeps every
 * descriptor that must outlive a process, and passes messages on. Each channel is a
 * SOCK_SEQPACKET pair (net/channel.h), so that a message arrives whole or not at all;
 * descriptors travel with it. A child finds its channel at descriptor 3.
 *
 *   control ──LISTEN SECRET TLS GEO SIGN
 *             SNAPSHOT FAILED──────────────────▶ supervisor
 *   control ◀─SIGN WELCOME LISTENING REFUSED ACK
 *             RELOAD DRAIN────────────────────── supervisor
 *   worker  ◀─WELCOME SECRET TLS GEO SIGN SNAPSHOT
 *             LISTEN DRAIN────────────────────── supervisor
 *   worker  ──ACK──────────────────────────────▶ supervisor
 *   logger  ◀─WELCOME LOG DRAIN───────────────── supervisor
 *
 * A worker's life: WELCOME, SECRET, TLS, GEO, SIGN, SNAPSHOT (answered with ACK), LISTEN; after
 * that TLS, GEO, SIGN, SNAPSHOT and LISTEN as often as it pleases the supervisor, each replacing
 * what was before; DRAIN; exit 0. A new snapshot always comes before the listeners that need it.
 * The end of the channel (ERR_CLOSED) means that the supervisor is gone: exit at once. */
#pragma once

#include "base/span.h"

enum {
    message_text_max = 60000, /* bytes */
    message_fds_max = 64,
    channel_fd = 3, /* in a child */
};

enum message_type {
    /* The first message to each child.
     * To a worker: number is its lane in the shared pages (shared/counters.h), generation its
     * index; descriptors by enum welcome_fd.
     * To the logger: number is the count of lanes; descriptors the same.
     * To control: number is the count of workers that run already, 0 for the first start;
     * generation is the newest snapshot's; with the descriptor of the last good text of
     * the configuration if there is one, and then that of the SECRET, that of the newest snapshot,
     * and that of the newest TLS if there is one. */
    MESSAGE_WELCOME = 1,

    /* From control: number is the count of workers (heard the first time only); generation
     * is free for control to number its questions; text has one listener a line
     * (listener_encode), those of control itself as "metrics " or "admin " and then the same. The
     * supervisor opens what is new, and answers LISTENING or REFUSED with the same
     * generation. The set comes into force with the next SNAPSHOT.
     * To a worker: the lines without those, one listening descriptor for each.
     * A listener that it has already keeps its descriptor, and takes on the options of the
     * line; one that is not in the text any more is closed when its queue is empty. */
    MESSAGE_LISTEN,
    /* To control: descriptors by enum listening_fd, then the listening sockets for metrics and for
     * the admin API, if they were asked for. */
    MESSAGE_LISTENING,
    /* To control: a listener could not be opened. Text is the reason, ready to be printed:
     * "cannot listen on http://127.0.0.1:8307: address already in use". */
    MESSAGE_REFUSED,

    /* From control: the sealed snapshot. One descriptor: a window opened or closed, the
     * rest stands. Two: the text that it was made of, and no access log. Three: the access
     * log as well. number is drain_timeout_ms. text: the ports that it needs to connect to
     * ("8080,8443", each once, ascending); workers that may connect to others are replaced,
     * and answer from the snapshot before until then.
     * To a worker: the sealed snapshot. */
    MESSAGE_SNAPSHOT,
    /* From a worker: it answers from the snapshot of this generation. To control: all do. */
    MESSAGE_ACK,

    /* To control: read the file again (SIGHUP). */
    MESSAGE_RELOAD,
    /* To a child: finish what is under way and exit 0. A worker goes on with its heartbeat
     * meanwhile. number 1: another one goes on in its place, with the same listening sockets. */
    MESSAGE_DRAIN,
    /* From control: the first configuration cannot be served, and the reason has been
     * printed. number is the status to exit with: 1 errors in the file, 2 could not run. */
    MESSAGE_FAILED,
    /* To the logger: the file to append to, as a descriptor; without one there is nothing
     * to log. */
    MESSAGE_LOG,
    /* From control: certificates, private keys and ticket keys (tls/material.h) as a sealed
     * memfd, before the SNAPSHOT whose listeners need them, and when the ticket keys were
     * changed; without a descriptor TLS is not used any more. The supervisor keeps the memfd
     * and does not look into it.
     * To a worker: the same. Connections to come begin with it. */
    MESSAGE_TLS,
    /* From control: the key that signs the tickets of wait pages, 32 bytes as a sealed memfd,
     * before the first SNAPSHOT. The supervisor keeps the memfd and does not look into it.
     * To a worker: the same, once. */
    MESSAGE_SECRET,
    /* From control: where addresses are (geo/geo.h) as a sealed memfd, before the SNAPSHOT that
     * asks for it, and when it is another one; without a descriptor nobody's place is known. The
     * supervisor keeps the memfd and does not look into it.
     * To a worker: the same. */
    MESSAGE_GEO,
    /* From control: the keys that tickets of pools are signed with (signing/keys.h) as a sealed
     * memfd, before the SNAPSHOT of a configuration; without a descriptor there are none. The
     * supervisor keeps the memfd and does not look into it; both come into force together, or
     * neither does: the keys of a control process that ends before its SNAPSHOT are forgotten.
     * To a worker: the same, before the SNAPSHOT that needs them.
     * To control, before the WELCOME: what its predecessor sent, if that was something. */
    MESSAGE_SIGN,
    MESSAGE_TYPES, /* none: what lies above them */
};

/* Descriptors of a WELCOME to workers and the logger. The last three are of no use to the logger:
 * facts (shared/facts.h), rings of questions (shared/questions.h), and control's bell for them. */
enum welcome_fd {
    WELCOME_COUNTERS,
    WELCOME_SERVERS,
    WELCOME_RINGS,
    WELCOME_BELL,
    WELCOME_FACTS,
    WELCOME_QUESTIONS,
    WELCOME_KNOCK,
    WELCOME_FDS
};

/* Descriptors of LISTENING that are always there. */
enum listening_fd {
    LISTENING_COUNTERS,
    LISTENING_SERVERS,
    LISTENING_FACTS,
    LISTENING_QUESTIONS,
    LISTENING_KNOCK,
    LISTENING_FDS
};

struct message {
    enum message_type type;
    uint32_t number;
    uint64_t generation;
    struct span text;
    size_t fd_count;
    int fds[message_fds_max]; /* -1: taken by message_take_fd */
};

/* The descriptor at index, which is the caller's from here; -1 when there is none. */
int message_take_fd(struct message *message, size_t index);
/* Closes the descriptors that nobody took. */
void message_close_fds(struct message *message);
