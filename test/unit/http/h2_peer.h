/* SPDX-License-Identifier: MIT */
/* A client made of frames by hand, for the tests of http/h2. */
#pragma once

#include "http/h2/session.h"

enum { peer_frames_max = 4096, peer_output_max = 1 << 20 };

enum frame_type {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
};

enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8, PRIORITY_FLAG = 32, WHOLE = 5 };

enum code {
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM,
};

struct frame {
    uint8_t type;
    uint8_t flags;
    uint32_t id;
    struct span payload;
    uint32_t claimed; /* the length that the frame says; 0: the payload's */
};

/* One request as the request function saw it. */
struct seen {
    uint16_t bad_status;
    enum method method;
    enum body_kind body;
    uint64_t content_length;
    int32_t port;
    uint8_t version_major;
    bool expect_continue;
    size_t field_count;
    char host[256];
    char path[256];
    char query[256];
    char cookie[1024];
    char scheme[16];
};

struct peer {
    struct h2_engine *engine;
    struct h2_session *session;
    uint64_t now_ms;
    struct response answer; /* what is answered to every request */
    struct seen seen;       /* the last one */
    int requests;
    struct frame sent[peer_frames_max]; /* what the server has sent so far */
    size_t sent_count;
    uint8_t *output;
    size_t output_len;
    size_t parsed;
    size_t room; /* how much h2_send gets at once */
};

/* The server's default options where options is NULL. */
void peer_init(struct peer *peer, const struct h2_options *options);
void peer_fini(struct peer *peer);

size_t frame_put(const struct frame *frame, uint8_t *out);
void peer_bytes(struct peer *peer, struct span bytes);
/* The preface and empty SETTINGS. */
void peer_hello(struct peer *peer);
/* Without asking for what the server has to say. */
void peer_push(struct peer *peer, const struct frame *frame);
/* Takes all that the server has to say. */
void peer_pull(struct peer *peer);
void peer_frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t id, struct span payload);

/* How many frames of that kind came for a stream. */
int peer_count(const struct peer *peer, uint8_t type, uint32_t id);
/* The last frame of that kind; NULL: none came. */
const struct frame *peer_find(const struct peer *peer, uint8_t type, uint32_t id);
/* The code of RST_STREAM, or of a GOAWAY; -1: none came. */
int peer_reset(const struct peer *peer, uint32_t id);
int peer_goaway(const struct peer *peer);
/* The status of a stream's answer; 0: none came. */
int peer_status(const struct peer *peer, uint32_t id);
bool peer_ended(const struct peer *peer, uint32_t id); /* END_STREAM came */

uint32_t word_at(const uint8_t *at);
