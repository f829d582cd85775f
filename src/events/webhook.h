/* SPDX-License-Identifier: MIT */
/* Webhooks: messages on their way to URLs, signed, and sent again until they are taken.
 *
 * Any 2xx takes a message. Whatever else comes, or nothing, and it is sent again: after a random
 * part of half a second, a second, two, … ten minutes, or later where a 429 or 503 says so by
 * Retry-After. 410 (Gone), two hundred tries or a day end that. Redirects are not followed: who
 * signs for one receiver does not send it to another.
 *
 * Each receiver has a few messages on their way at once, and a queue of its own, so that a slow
 * one holds up nobody else. Messages may overtake each other, and one may come twice; its id is
 * the same then.
 *
 * Owner: control, one thread, one loop. Nothing here outlives the process: the caller keeps
 * messages somewhere, and pushes them again after a restart. */
#pragma once

#include "base/error.h"
#include "events/sign.h"

#include <ev.h>

enum {
    webhooks_max = 16,
    webhook_pending_max = 1000,           /* of one receiver; the oldest gives way */
    webhook_pending_bytes_max = 16 << 20, /* … and so it does here */
    webhook_content_bytes_max = 128 << 10,
    webhook_id_bytes_max = 64,
    webhook_text_max = 256,
};

struct webhook {
    struct span url;
    struct sign_secrets secrets; /* count 0: nothing can be signed, and so messages wait */
};

struct webhook_message {
    uint64_t number; /* the caller's */
    struct span url; /* of a receiver */
    struct span id;  /* the same for every try: receivers know by it what came twice */
    struct span content;
    int64_t created_ns; /* wall clock */
};

enum webhook_outcome {
    WEBHOOK_DELIVERED,
    WEBHOOK_FAILED,   /* one try of several */
    WEBHOOK_GIVEN_UP, /* tried too often or for too long, or the receiver is gone */
    WEBHOOK_DROPPED,  /* too many waited, or nobody is told any more */
    WEBHOOK_OUTCOMES
};

/* Each message ends in one outcome other than WEBHOOK_FAILED, which may come before. Not from
 * within webhooks_free. */
typedef void webhook_outcome_fn(void *context, uint64_t number, enum webhook_outcome outcome);

struct webhook_view {
    struct span url;
    size_t pending;
    int64_t last_ns; /* wall clock: when the last try ended; 0: there was none */
    bool last_good;
    const char *last; /* "200", "500", "Connection refused"; valid until the loop goes on */
};

struct webhooks;
enum err webhooks_new(struct ev_loop *loop, webhook_outcome_fn *outcome, void *context,
                      struct webhooks **out);
void webhooks_free(struct webhooks **webhooks);

/* Replaces the receivers; all is copied. One with the URL of an old one keeps its messages, those
 * of the others are dropped. ERR_MEMORY: as before. */
enum err webhooks_set(struct webhooks *webhooks, const struct webhook *items, size_t count);

/* Copied. ERR_NOTFOUND: nobody has that URL; ERR_MEMORY. */
enum err webhooks_push(struct webhooks *webhooks, const struct webhook_message *from);

size_t webhooks_count(const struct webhooks *webhooks);
void webhooks_view(const struct webhooks *webhooks, size_t index, struct webhook_view *out);

/* How long to wait before the next try, in ms. tries: those that failed so far, from 1;
 * random: any number, each as likely. Pure. */
uint32_t webhook_pause_ms(uint32_t tries, uint32_t random);
