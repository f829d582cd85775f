/* SPDX-License-Identifier: MIT */
/* Numbers say which messages are whose: the store's, or those of this process alone. */
#include "control/tell/outbox.h"

#include "base/log.h"
#include "tls/material.h"

#include <assert.h>
#include <stdlib.h>

enum { heard_first = 64 }; /* room for numbers, to begin with */

/* Several that are heard or dropped at once are one transaction. Whoever dies meanwhile tells them
 * once more. */
static const double forget_pause_s = 0.05;

static_assert((int)webhooks_max == (int)model_webhooks_max, "what may be named is told");
static_assert((int)store_content_bytes_max == (int)webhook_content_bytes_max,
              "what is sent is kept");

/* Messages that only this process knows have numbers that no store gives. */
static const uint64_t first_unkept = UINT64_C(1) << 62;

void outbox_set_receivers(struct outbox *outbox, const struct configuration *c)
{
    struct webhook items[webhooks_max];
    for (size_t i = 0; i < c->model->webhook_count; i++) {
        items[i].url = c->model->webhooks[i].url;
        items[i].secrets = c->secrets != NULL ? c->secrets[i] : (struct sign_secrets){0};
    }
    if (webhooks_set(outbox->webhooks, items, c->model->webhook_count) != ERR_NONE) {
        log_error("cannot change who is told of events: out of memory");
    }
    tls_wipe(items, sizeof(items));
}

static enum err push(struct outbox *outbox, const struct store_message *message, uint64_t number)
{
    const struct webhook_message out = {.number = number,
                                        .url = message->url,
                                        .id = message->id,
                                        .content = message->content,
                                        .created_ns = message->created_ns};
    return webhooks_push(outbox->webhooks, &out);
}

void outbox_send(struct outbox *outbox, const struct store_message *messages, size_t count,
                 bool kept)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_message *message = &messages[i];
        if (push(outbox, message, kept ? message->number : outbox->next_unkept++) != ERR_NONE) {
            log_error("cannot tell webhook %.*s: out of memory", SPAN_ARG(message->url));
        }
    }
}

/* ---- what need not be told any more ---- */

static void forget_heard(struct outbox *outbox, const uint64_t *numbers, size_t count)
{
    enum err err = count > 0 ? store_messages_forget(outbox->store, numbers, count) : ERR_NONE;
    if (err != ERR_NONE) {
        log_error("cannot store that a webhook was told, so it is told again at the next start: %s",
                  err_why(err));
    }
}

static bool make_heard_room(struct outbox *outbox)
{
    if (outbox->heard_count < outbox->heard_room) {
        return true;
    }
    size_t room = outbox->heard_room > 0 ? 2 * outbox->heard_room : heard_first;
    uint64_t *grown = realloc(outbox->heard, room * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    outbox->heard = grown;
    outbox->heard_room = room;
    return true;
}

/* The store is to forget it, soon. */
static void note_heard(struct outbox *outbox, uint64_t number)
{
    if (!make_heard_room(outbox)) {
        forget_heard(outbox, &number, 1);
        return;
    }
    outbox->heard[outbox->heard_count++] = number;
    if (!ev_is_active(&outbox->forget)) {
        ev_timer_set(&outbox->forget, forget_pause_s, 0);
        ev_timer_start(outbox->loop, &outbox->forget);
    }
}

/* ---- messages ---- */

enum err outbox_open(struct outbox *outbox, struct store *store)
{
    struct arena arena;
    struct store_message *items;
    size_t count = 0;
    outbox->store = store;
    arena_init(&arena, 0);
    enum err err = store_messages(store, &arena, &items, &count);
    for (size_t i = 0; i < count && err == ERR_NONE; i++) {
        err = push(outbox, &items[i], items[i].number);
        if (err == ERR_NOTFOUND) { /* its webhook was taken out meanwhile */
            note_heard(outbox, items[i].number);
            err = ERR_NONE;
        }
    }
    if (count > 0) {
        log_info("%zu message%s to webhooks from before", count, count == 1 ? "" : "s");
    }
    arena_fini(&arena);
    return err;
}

/* ---- life ---- */

static void on_outcome(void *context, uint64_t number, enum webhook_outcome outcome)
{
    struct outbox *outbox = context;
    outbox->counts[outcome]++;
    if (outcome != WEBHOOK_FAILED && number < first_unkept && outbox->store != NULL) {
        note_heard(outbox, number);
    }
}

void outbox_settle(struct outbox *outbox)
{
    ev_timer_stop(outbox->loop, &outbox->forget);
    forget_heard(outbox, outbox->heard, outbox->heard_count);
    outbox->heard_count = 0;
}

static void on_forget(struct ev_loop *loop, ev_timer *timer, int events)
{
    outbox_settle(timer->data);
}

enum err outbox_init(struct outbox *outbox, struct ev_loop *loop)
{
    *outbox = (struct outbox){.loop = loop, .next_unkept = first_unkept};
    ev_timer_init(&outbox->forget, on_forget, 0, 0);
    outbox->forget.data = outbox;
    return webhooks_new(loop, on_outcome, outbox, &outbox->webhooks);
}

void outbox_fini(struct outbox *outbox)
{
    webhooks_free(&outbox->webhooks);
    outbox_settle(outbox);
    free(outbox->heard);
}
