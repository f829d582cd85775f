/* SPDX-License-Identifier: MIT */
/* Receivers, their queues, and the tries of each message. */
#include "events/webhook.h"

#include "base/clock.h"
#include "base/log.h"
#include "fetch/fetch.h"
#include "tls/material.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    at_once_max = 4, /* of one receiver */
    tries_max = 200,
    pause_first_ms = 500,
    pause_max_ms = 600000,
    retry_after_max_s = 3600,
    connect_timeout_ms = 5000,
    timeout_ms = 10000,
    answer_bytes_max = 4096,
    day_s = 86400,
};

struct message {
    struct message *next;
    struct receiver *receiver;
    uint64_t number;
    int64_t created_ns;
    uint32_t tries;
    bool ready; /* to be sent as soon as there is room; else it is sent, or its pause lasts */
    ev_timer pause;
    struct fetch_request *request;
    char id[webhook_id_bytes_max + 1];
    size_t len;
    uint8_t content[];
};

struct receiver {
    struct webhooks *webhooks;
    char *url;
    struct sign_secrets secrets;
    struct message *first; /* the oldest */
    struct message **last;
    size_t count;
    size_t bytes;
    size_t running;
    int64_t not_before_ns; /* monotonic clock: what Retry-After said */
    int64_t last_ns;
    bool last_good;
    char text[webhook_text_max]; /* of the last try */
};

struct webhooks {
    struct ev_loop *loop;
    struct fetch *fetch;
    webhook_outcome_fn *outcome;
    void *context;
    struct receiver **receivers;
    size_t count;
};

static void pump(struct receiver *receiver);

/* ---- messages ---- */

static void take_out(struct message *message)
{
    struct receiver *receiver = message->receiver;
    struct message **at = &receiver->first;
    while (*at != message) {
        at = &(*at)->next;
    }
    *at = message->next;
    if (receiver->last == &message->next) {
        receiver->last = at;
    }
    receiver->count--;
    receiver->bytes -= message->len;
    receiver->running -= message->request != NULL;
}

static void message_free(struct message *message)
{
    ev_timer_stop(message->receiver->webhooks->loop, &message->pause);
    fetch_cancel(&message->request);
    free(message);
}

static void end(struct message *message, enum webhook_outcome outcome)
{
    struct webhooks *webhooks = message->receiver->webhooks;
    uint64_t number = message->number;
    take_out(message);
    message_free(message);
    webhooks->outcome(webhooks->context, number, outcome);
}

/* ---- tries ---- */

uint32_t webhook_pause_ms(uint32_t tries, uint32_t random)
{
    uint32_t most = pause_first_ms;
    for (uint32_t i = 1; i < tries && most < pause_max_ms; i++) {
        most *= 2;
    }
    most = most < pause_max_ms ? most : pause_max_ms;
    return (uint32_t)((uint64_t)random * most >> 32);
}

static uint32_t random_number(void)
{
    uint32_t number = 0;
    return getrandom(&number, sizeof(number), 0) == (ssize_t)sizeof(number) ? number
                                                                            : UINT32_MAX / 2;
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct message *message = timer->data;
    message->ready = true;
    pump(message->receiver);
}

static void wait_for(struct message *message, int64_t pause_ms)
{
    struct ev_loop *loop = message->receiver->webhooks->loop;
    message->ready = false;
    ev_now_update(loop);
    ev_timer_set(&message->pause, (double)pause_ms / 1000, 0);
    ev_timer_start(loop, &message->pause);
}

/* Says it once when a receiver stops taking messages, and once when it takes them again. */
static void note(struct receiver *receiver, bool good, const char *text)
{
    bool was_good = receiver->last_good || receiver->last_ns == 0;
    receiver->last_ns = clock_wall_ns();
    receiver->last_good = good;
    snprintf(receiver->text, sizeof(receiver->text), "%s", text);
    if (was_good && !good) {
        log_warning("webhook %s: %s; its messages are sent again later", receiver->url, text);
    } else if (!was_good && good) {
        log_info("webhook %s takes messages again", receiver->url);
    }
}

static void note_answer(struct receiver *receiver, const struct fetch_answer *answer)
{
    char text[webhook_text_max];
    bool good = answer->error == NULL && answer->status >= 200 && answer->status < 300;
    if (answer->error != NULL) {
        snprintf(text, sizeof(text), "%s", answer->error);
    } else if (answer->location != NULL) {
        snprintf(text, sizeof(text), "%ld: it leads to %.180s, which is not followed",
                 answer->status, answer->location);
    } else {
        snprintf(text, sizeof(text), "%ld", answer->status);
    }
    note(receiver, good, text);
    bool says_when = answer->status == 429 || answer->status == 503;
    if (says_when && answer->retry_after_s > 0) {
        int64_t pause_s =
            answer->retry_after_s < retry_after_max_s ? answer->retry_after_s : retry_after_max_s;
        receiver->not_before_ns = clock_monotonic_ns() + pause_s * NS_PER_SECOND;
    }
}

static bool is_too_old(const struct message *message)
{
    return message->tries >= tries_max ||
           clock_wall_ns() - message->created_ns > day_s * NS_PER_SECOND;
}

static void on_answer(void *context, const struct fetch_answer *answer)
{
    struct message *message = context;
    struct receiver *receiver = message->receiver;
    struct webhooks *webhooks = receiver->webhooks;
    message->request = NULL;
    receiver->running--;
    message->tries++;
    note_answer(receiver, answer);
    if (receiver->last_good) {
        end(message, WEBHOOK_DELIVERED);
    } else if (answer->status == 410 || is_too_old(message)) {
        log_error("webhook %s: message %s is given up after %u tries: %s", receiver->url,
                  message->id, message->tries, receiver->text);
        end(message, WEBHOOK_GIVEN_UP);
    } else {
        wait_for(message, webhook_pause_ms(message->tries, random_number()));
        webhooks->outcome(webhooks->context, message->number, WEBHOOK_FAILED);
    }
    pump(receiver);
}

static enum err send_message(struct message *message)
{
    struct receiver *receiver = message->receiver;
    int64_t now_s = clock_wall_ns() / NS_PER_SECOND;
    char id[webhook_id_bytes_max + 16];
    char timestamp[48];
    char codes[sign_text_bytes];
    char signature[sign_text_bytes + 24];
    struct span content = span_of(message->content, message->len);
    sign_make(&receiver->secrets, span_cstr(message->id), now_s, content, codes);
    snprintf(id, sizeof(id), "webhook-id: %s", message->id);
    snprintf(timestamp, sizeof(timestamp), "webhook-timestamp: %lld", (long long)now_s);
    snprintf(signature, sizeof(signature), "webhook-signature: %s", codes);
    const char *const fields[] = {"Content-Type: application/json", id, timestamp, signature};
    const struct fetch_options options = {.url = receiver->url,
                                          .method = "POST",
                                          .fields = fields,
                                          .field_count = 4,
                                          .content = content,
                                          .user_agent = "detour/" DETOUR_VERSION " (webhook)",
                                          .timeout_ms = timeout_ms,
                                          .connect_timeout_ms = connect_timeout_ms,
                                          .body_bytes_max = answer_bytes_max,
                                          .done = on_answer,
                                          .context = message};
    return fetch_start(receiver->webhooks->fetch, &options, &message->request);
}

static void start(struct message *message)
{
    struct receiver *receiver = message->receiver;
    enum err err = send_message(message);
    if (err == ERR_NONE) {
        message->ready = false;
        receiver->running++;
        return;
    }
    log_error("cannot send to webhook %s: %s", receiver->url, err_text(err));
    wait_for(message, pause_first_ms);
}

/* Puts off what is ready until the receiver wants to be asked again. */
static void put_off(struct receiver *receiver, int64_t pause_ms)
{
    for (struct message *m = receiver->first; m != NULL; m = m->next) {
        if (m->ready) {
            wait_for(m, pause_ms + webhook_pause_ms(1, random_number()));
        }
    }
}

static void pump(struct receiver *receiver)
{
    int64_t pause_ms = (receiver->not_before_ns - clock_monotonic_ns()) / (NS_PER_SECOND / 1000);
    if (receiver->secrets.count == 0) {
        return;
    }
    if (pause_ms > 0) {
        put_off(receiver, pause_ms);
        return;
    }
    for (struct message *m = receiver->first; m != NULL && receiver->running < at_once_max;
         m = m->next) {
        if (m->ready) {
            start(m);
        }
    }
}

/* ---- receivers ---- */

static void receiver_free(struct receiver *receiver)
{
    if (receiver != NULL) {
        while (receiver->first != NULL) {
            struct message *message = receiver->first;
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): take_out unlinks what is freed */
            take_out(message);
            message_free(message);
        }
        tls_wipe(&receiver->secrets, sizeof(receiver->secrets));
        free(receiver->url);
        free(receiver);
    }
}

static struct receiver *receiver_new(struct webhooks *webhooks, const struct webhook *from)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));
    if (receiver == NULL) {
        return NULL;
    }
    receiver->webhooks = webhooks;
    receiver->last = &receiver->first;
    receiver->url = strndup((const char *)from->url.ptr, from->url.len);
    if (receiver->url == NULL) {
        receiver_free(receiver);
        return NULL;
    }
    return receiver;
}

static struct receiver *find(const struct webhooks *webhooks, struct span url)
{
    for (size_t i = 0; i < webhooks->count; i++) {
        if (span_eq(span_cstr(webhooks->receivers[i]->url), url)) {
            return webhooks->receivers[i];
        }
    }
    return NULL;
}

/* What the old ones had and none of the new ones has. */
static void drop_others(struct webhooks *webhooks, struct receiver **old, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (find(webhooks, span_cstr(old[i]->url)) == old[i]) {
            continue;
        }
        if (old[i]->count > 0) {
            log_warning("webhook %s is not named any more: %zu of its messages are dropped",
                        old[i]->url, old[i]->count);
        }
        while (old[i]->first != NULL) {
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): end unlinks what it frees */
            end(old[i]->first, WEBHOOK_DROPPED);
        }
        receiver_free(old[i]);
    }
}

enum err webhooks_set(struct webhooks *webhooks, const struct webhook *items, size_t count)
{
    struct receiver **fresh = calloc(count + 1, sizeof(struct receiver *));
    struct receiver *known = NULL;
    size_t made = 0;
    for (; fresh != NULL && made < count; made++) {
        known = find(webhooks, items[made].url);
        fresh[made] = known != NULL ? known : receiver_new(webhooks, &items[made]);
        if (fresh[made] == NULL) {
            break;
        }
    }
    if (made < count || fresh == NULL) {
        for (size_t i = 0; i < made; i++) {
            if (find(webhooks, span_cstr(fresh[i]->url)) == NULL) {
                receiver_free(fresh[i]);
            }
        }
        free(fresh);
        return ERR_MEMORY;
    }
    struct receiver **old = webhooks->receivers;
    size_t old_count = webhooks->count;
    webhooks->receivers = fresh;
    webhooks->count = count;
    drop_others(webhooks, old, old_count);
    free(old);
    for (size_t i = 0; i < count; i++) {
        fresh[i]->secrets = items[i].secrets;
        pump(fresh[i]);
    }
    return ERR_NONE;
}

static void make_room(struct receiver *receiver, size_t len)
{
    while (receiver->count > 0 && (receiver->count >= webhook_pending_max ||
                                   receiver->bytes + len > webhook_pending_bytes_max)) {
        log_error("webhook %s: too many messages wait; the oldest, %s, is dropped", receiver->url,
                  receiver->first->id);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): end unlinks what it frees */
        end(receiver->first, WEBHOOK_DROPPED);
    }
}

enum err webhooks_push(struct webhooks *webhooks, const struct webhook_message *from)
{
    struct receiver *receiver = find(webhooks, from->url);
    if (receiver == NULL) {
        return ERR_NOTFOUND;
    }
    struct message *message = calloc(1, sizeof(*message) + from->content.len);
    if (message == NULL) {
        return ERR_MEMORY;
    }
    make_room(receiver, from->content.len);
    message->receiver = receiver;
    message->number = from->number;
    message->created_ns = from->created_ns;
    message->ready = true;
    message->len = from->content.len;
    memcpy(message->content, from->content.ptr, from->content.len);
    snprintf(message->id, sizeof(message->id), "%.*s", SPAN_ARG(from->id));
    ev_timer_init(&message->pause, on_pause_over, 0, 0);
    message->pause.data = message;
    *receiver->last = message;
    receiver->last = &message->next;
    receiver->count++;
    receiver->bytes += message->len;
    pump(receiver);
    return ERR_NONE;
}

/* ---- life ---- */

enum err webhooks_new(struct ev_loop *loop, webhook_outcome_fn *outcome, void *context,
                      struct webhooks **out)
{
    struct webhooks *webhooks = calloc(1, sizeof(*webhooks));
    if (webhooks == NULL ||
        fetch_new(loop, at_once_max * webhooks_max, &webhooks->fetch) != ERR_NONE) {
        free(webhooks);
        return ERR_MEMORY;
    }
    webhooks->loop = loop;
    webhooks->outcome = outcome;
    webhooks->context = context;
    *out = webhooks;
    return ERR_NONE;
}

void webhooks_free(struct webhooks **webhooks)
{
    if (*webhooks == NULL) {
        return;
    }
    for (size_t i = 0; i < (*webhooks)->count; i++) {
        receiver_free((*webhooks)->receivers[i]);
    }
    free((*webhooks)->receivers);
    fetch_free(&(*webhooks)->fetch);
    free(*webhooks);
    *webhooks = NULL;
}

size_t webhooks_count(const struct webhooks *webhooks)
{
    return webhooks->count;
}

void webhooks_view(const struct webhooks *webhooks, size_t index, struct webhook_view *out)
{
    const struct receiver *receiver = webhooks->receivers[index];
    *out = (struct webhook_view){.url = span_cstr(receiver->url),
                                 .pending = receiver->count,
                                 .last_ns = receiver->last_ns,
                                 .last_good = receiver->last_good,
                                 .last = receiver->text};
}
