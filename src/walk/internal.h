/* SPDX-License-Identifier: MIT */
/* What the parts of walk share. */
#pragma once

#include "walk/walk.h"

#include "base/arena.h"
#include "walk/wires.h"

#include <curl/curl.h>

enum {
    expect_bytes_min = 64 << 10, /* content that is worth asking for first */
    expect_wait_ms = 900, /* for an answer to that; libcurl waits for 1 s over HTTP/1.1, and not at
                             all over HTTP/2, so that nobody waits twice */
    host_buckets = 1024,
};

/* An origin that requests go to, and who waits for a turn there. */
struct host {
    struct host *next; /* of its bucket */
    uint64_t hash;
    uint32_t running;
    struct walk_queue {
        struct walk *first;
        struct walk *last;
    } waiting;
    struct wire_list wires; /* that wait for a request */
    bool odd;               /* its answers are libcurl's to read */
    size_t len;
    char origin[]; /* with a NUL behind it */
};

struct h1_answer;

struct walker {
    struct ev_loop *loop;
    struct walker_options options;
    struct detour_options policy;
    CURLM *multi;
    struct curl_slist *resolve;
    struct curl_slist *connect_to;

    /* Sockets that libcurl waits for, by their descriptors. */
    struct watched *watched;
    size_t watched_count;
    struct walk *uploading; /* whom libcurl has asked for content last; NULL */
    int taken;              /* the descriptor that is being taken over from libcurl; -1 */
    ev_timer timer;         /* libcurl's */
    bool due;               /* it is 0 */

    ev_timer turn; /* of the walks that are ready */
    struct walk_queue ready;
    struct walk *all; /* under way, in no order */
    struct walk *idle;
    size_t count;
    struct host *hosts[host_buckets];
    struct wires *wires; /* NULL: all is libcurl's */
};

/* Where the next line of the head goes. */
enum head_state {
    head_none,   /* before a status line */
    head_fields, /* behind it */
    head_final,  /* the answer's head is whole; what comes is trailers */
};

/* What libcurl was told for the last request, so that it need not be told again. */
enum shape { shape_none, shape_get, shape_other };

struct walk {
    struct walker *walker;
    struct walk *next; /* of all, or of idle */
    struct walk *before;
    struct walk *queued; /* the next one that waits or is ready */
    struct walk_queue *queue;
    CURL *easy;
    struct detour_chain *chain;
    const struct detour_verdict *verdict; /* the newest */
    struct walk_listener listener;
    struct walk_source source;
    bool source_once;    /* what was read is gone */
    struct host *host;   /* where it has its turn, or waits for it */
    ev_timer timeout;    /* of all of it */
    ev_timer pause;      /* Retry-After */
    ev_io pipe;          /* content that is not there yet */
    ev_timer expect;     /* content that waits for 100 */
    bool paused_enough;  /* for this request */
    bool sending;        /* libcurl has it */
    bool opening;        /* libcurl opens a connection for it, and no more */
    bool suits_wire;     /* what it asks may go without libcurl */
    struct wire *wire;   /* where an answer is awaited; NULL */
    struct span request; /* as it goes over a wire */
    enum shape shape;
    int64_t begun_us;

    /* The request under way; arena is its memory. */
    struct arena arena;
    const struct detour_request *asked; /* the chain's; an interim answer leaves it alone */
    uint32_t number;
    int64_t requested_s;
    bool expects;        /* it says Expect: 100-continue */
    ev_tstamp connected; /* when there was a connection for it */
    enum head_state state;
    struct walk_head head;
    struct detour_field *fields;
    size_t field_capacity;
    struct walk_head *interim;
    size_t interim_count;
    size_t interim_capacity;
    size_t head_bytes;
    int64_t content_bytes;
    int64_t offset; /* in the source */
    bool body_begun;
    bool body_whole; /* all of it was handed over */
    bool body_failed;
    bool stopped;
    bool asked_again; /* of libcurl, since a kept connection had died */
    struct span rest; /* left in its socket; see rescue.c */
    bool cut;
    bool refused_address;
    bool too_long;
    bool out_of_memory;
    char reason[walk_reason_bytes];
};

/* ---- loop.c: libcurl's sockets and its timer on libev's loop ---- */

void loop_init(struct walker *walker);
void loop_fini(struct walker *walker);
/* Has libcurl do what is due, and takes what is done. */
void loop_turn(struct walker *walker);
void loop_set_callbacks(struct walk *walk);
/* Takes the socket over that libcurl has opened for the walk; its handle is taken off. -1: there is
 * none, or libcurl keeps it. */
int loop_take_socket(struct walk *walk);

/* ---- turns.c: how many requests an origin gets at once ---- */

/* True: it has a turn. False: it waits, and gets ready when there is one. */
bool turns_enter(struct walk *walk, struct detour_text origin);
/* Gives the turn, or the place among those that wait, back. */
void turns_leave(struct walk *walk);
/* Nothing, while there is a use for it. */
void turns_forget_unused(struct walker *walker, struct host *host);
/* All origins; nobody has a turn. */
void turns_fini(struct walker *walker);
void queue_push(struct walk_queue *queue, struct walk *walk);
struct walk *queue_pop(struct walk_queue *queue);
void queue_remove(struct walk *walk);

/* ---- head.c ---- */

/* CURLOPT_HEADERFUNCTION. */
size_t head_take(char *bytes, size_t size, size_t count, void *context);
/* Hands an answer to the chain. False: no memory. */
bool head_judge(struct walk *walk, const struct detour_answer *answer);
/* The same of the head that is in walk->head and walk->fields. False: no memory, or too many
 * interim ones. */
bool head_judge_whole(struct walk *walk);
/* Copies a head that was read without libcurl to the walk, which judges it when it likes. False: no
 * memory. */
bool head_keep(struct walk *walk, const struct h1_answer *answer, struct span head);

/* ---- request.c ---- */

/* Tells libcurl of the request under way. False: no memory, or it does not take it. */
bool request_set(struct walk *walk);
/* Whether no proxy is asked. */
bool request_goes_straight(const struct walker_options *options);
/* What is the same for all requests of all walks. */
bool request_set_common(struct walk *walk);
/* The request with Expect: 100-continue where it pays; its fields are in the walk's arena. False:
 * no memory. */
bool request_expect(struct walk *walk, const struct detour_request *request,
                    struct detour_request *out);

/* Content of an answer, as far as it has come. False: no more of it is wanted. */
bool request_take_content(struct walk *walk, struct span bytes);

/* ---- upload.c ---- */

void upload_set_callbacks(struct walk *walk);
/* Whether its content waits for 100. */
void upload_expect(struct walk *walk, bool expects);
/* A head has come: content that waits for one goes on, or is no longer wanted. */
void upload_heard(struct walk *walk);

/* ---- rescue.c ---- */

/* libcurl is about to close a socket: where that is the walk's, takes what is left in it. */
void rescue_read(struct walk *walk, int fd);
/* Judges the answer that was left there, if any. */
void rescue_judge(struct walk *walk);

/* ---- failure.c ---- */

enum walk_failure failure_of(const struct walk *walk, CURLcode code);
const char *failure_text(const struct walk *walk, CURLcode code);

/* ---- walk.c ---- */

/* The request is over. code: what libcurl says, or would say. */
void walk_done(struct walk *walk, CURLcode code);
/* The request under way goes to libcurl, as if nothing had come of it. */
void walk_by_curl(struct walk *walk);
/* Takes the handle off libcurl, if it has it. */
void walk_release(struct walk *walk);
void walk_ready(struct walk *walk);
void walk_advance(struct walk *walk);
/* Ends it without a word. */
void walk_drop(struct walk *walk);
void walk_free(struct walk *walk);
