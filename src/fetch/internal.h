/* SPDX-License-Identifier: MIT */
/* What the parts of fetch share: libcurl's multi handle with what it waits for. */
#pragma once

#include "fetch/fetch.h"

#include <curl/curl.h>

struct fetch_list {
    struct fetch_request *first;
    struct fetch_request *last;
    size_t count;
};

struct fetch {
    struct ev_loop *loop;
    CURLM *multi;
    ev_timer timer; /* libcurl's */
    ev_timer turn;  /* of those that wait: requests begin from the loop, and end there */
    size_t at_once_max;
    struct fetch_list waiting; /* for their turn */
    struct fetch_list running;
};

/* fetch.c: something may be done. */
void fetch_collect(struct fetch *fetch);

/* sockets.c: libcurl's sockets and its timer on the loop. */
void sockets_init(struct fetch *fetch);
/* After curl_multi_cleanup. */
void sockets_fini(struct fetch *fetch);
