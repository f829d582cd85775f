/* SPDX-License-Identifier: MIT */
/* The life of a walk: begun, sent, answered, and so on until it ends. */
#include "walk/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_us(const struct walker *walker)
{
    return (int64_t)(ev_now(walker->loop) * 1e6);
}

/* ---- ends ---- */

void walk_release(struct walk *walk)
{
    if (walk->walker->uploading == walk) {
        walk->walker->uploading = NULL;
    }
    if (walk->sending) {
        curl_multi_remove_handle(walk->walker->multi, walk->easy);
        walk->sending = false;
    }
    if (walk->opening) {
        curl_easy_setopt(walk->easy, CURLOPT_CONNECT_ONLY, 0L);
        walk->opening = false;
    }
}

static void leave_all(struct walk *walk)
{
    struct walker *walker = walk->walker;
    walk_release(walk);
    wires_drop(walk);
    queue_remove(walk);
    turns_leave(walk);
    ev_timer_stop(walker->loop, &walk->timeout);
    ev_timer_stop(walker->loop, &walk->pause);
    ev_io_stop(walker->loop, &walk->pipe);
    ev_timer_stop(walker->loop, &walk->expect);
}

static void unlink_walk(struct walk *walk)
{
    *(walk->before != NULL ? &walk->before->next : &walk->walker->all) = walk->next;
    if (walk->next != NULL) {
        walk->next->before = walk->before;
    }
    walk->walker->count--;
}

static uint32_t redirects_of(const struct walk *walk)
{
    const struct detour_next *next = walk->verdict->next;
    return next != NULL ? next->number : walk->number;
}

/* Whoever listens may start a walk, which must not be this one: the end holds its memory. */
static void end_walk(struct walk *walk, struct walk_end *end)
{
    struct walker *walker = walk->walker;
    size_t hops = detour_chain_hop_count(walk->chain);
    const struct detour_hop *last = hops > 0 ? detour_chain_hop(walk->chain, hops - 1) : NULL;
    leave_all(walk);
    unlink_walk(walk);
    end->redirects = redirects_of(walk);
    end->url = last != NULL ? last->url : (struct detour_text){0};
    end->status = walk->state == head_final ? walk->head.status : 0;
    end->total_us = walk->begun_us > 0 ? now_us(walker) - walk->begun_us : 0;
    walk->listener.done(walk->listener.context, end);
    walk->next = walker->idle;
    walker->idle = walk;
}

static void end_by_verdict(struct walk *walk)
{
    bool delivered = walk->verdict->action == DETOUR_DELIVER;
    end_walk(walk, &(struct walk_end){.outcome = delivered ? walk_delivered : walk_refused,
                                      .reason = walk->verdict->reason});
}

static void end_by_failure(struct walk *walk, enum walk_failure failure, const char *text)
{
    end_walk(walk, &(struct walk_end){.outcome = walk_failed, .failure = failure, .text = text});
}

/* ---- what is told of a hop ---- */

static int64_t info_us(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return us;
}

static int64_t positive(int64_t us)
{
    return us > 0 ? us : 0;
}

static struct walk_times times_of(CURL *easy)
{
    int64_t dns = info_us(easy, CURLINFO_NAMELOOKUP_TIME_T);
    int64_t connect = info_us(easy, CURLINFO_CONNECT_TIME_T);
    int64_t tls = info_us(easy, CURLINFO_APPCONNECT_TIME_T);
    int64_t sent = info_us(easy, CURLINFO_PRETRANSFER_TIME_T);
    int64_t first = info_us(easy, CURLINFO_STARTTRANSFER_TIME_T);
    int64_t total = info_us(easy, CURLINFO_TOTAL_TIME_T);
    return (struct walk_times){
        .dns_us = dns,
        .connect_us = positive(connect - dns),
        .tls_us = tls > 0 ? positive(tls - connect) : 0,
        .wait_us = first > 0 ? positive(first - sent) : 0,
        .content_us = first > 0 ? positive(total - first) : 0,
        .total_us = total,
    };
}

static void add_details(CURL *easy, struct walk_hop *hop)
{
    const char *address = NULL;
    long port = 0;
    long connects = 0;
    curl_off_t sent = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, (char **)&address);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    hop->address = address != NULL ? address : "";
    hop->port = (uint16_t)port;
    hop->reused = connects == 0 && hop->address[0] != 0;
    hop->times = times_of(easy);
    hop->sent_bytes = sent;
}

static void tell_hop(struct walk *walk, enum walk_failure failure, const char *reason)
{
    bool whole = walk->state == head_final;
    struct walk_hop hop = {
        .number = walk->number,
        .head = whole ? walk->head : (struct walk_head){0},
        .interim = walk->interim,
        .interim_count = walk->interim_count,
        .verdict = whole || walk->verdict->next == NULL ? walk->verdict : NULL,
        .failure = failure,
        .reason = reason,
        .address = "",
        .content_bytes = walk->content_bytes,
        .cut = walk->cut,
        .stopped = walk->stopped,
    };
    if (walk->listener.hop == NULL) {
        return;
    }
    if (!walk->listener.brief) {
        add_details(walk->easy, &hop);
    }
    walk->listener.hop(walk->listener.context, &hop);
}

static void tell_stored(struct walk *walk, const struct detour_answer *answer)
{
    const struct walk_hop hop = {
        .number = walk->number,
        .from_store = true,
        .head = walk->head,
        .verdict = walk->verdict,
        .address = "",
    };
    if (walk->listener.hop != NULL) {
        walk->listener.hop(walk->listener.context, &hop);
    }
}

/* ---- answers ---- */

static bool is_loop(const struct detour_verdict *verdict)
{
    for (size_t i = 0; i < verdict->note_count; i++) {
        if (verdict->notes[i].kind == DETOUR_NOTE_LOOP) {
            return true;
        }
    }
    return false;
}

static void go_on(struct walk *walk)
{
    if (walk->walker->options.stop_at_loop && is_loop(walk->verdict)) {
        end_walk(walk, &(struct walk_end){.outcome = walk_refused, .reason = DETOUR_REASON_LOOP});
    } else {
        walk_advance(walk);
    }
}

/* The head counts, whatever becomes of content that nobody wants, or of an upload whose answer is
 * there: the other end may reset the connection behind it (RFC 9113, 8.1). */
static enum walk_failure failure_behind_head(const struct walk *walk, CURLcode code)
{
    bool unwanted = walk->verdict->action != DETOUR_DELIVER || walk->cut;
    bool was_sending =
        walk->stopped || code == CURLE_SEND_ERROR || (walk->body_begun && !walk->body_whole);
    if (code == CURLE_TOO_MANY_REDIRECTS || unwanted || (was_sending && !walk->out_of_memory)) {
        return walk_failure_none;
    }
    return failure_of(walk, code);
}

/* libcurl asks again by itself when a kept connection has died, but not where content had begun to
 * leave, nor more than five times in the life of a handle, whatever went well in between. */
static bool died_kept(const struct walk *walk, CURLcode code)
{
    long connects = 0;
    if (code != CURLE_SEND_ERROR || walk->state != head_none || walk->interim_count > 0 ||
        walk->asked_again || (walk->source_once && walk->body_begun)) {
        return false;
    }
    curl_easy_getinfo(walk->easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0;
}

static void stop_upload(struct walk *walk)
{
    ev_io_stop(walk->walker->loop, &walk->pipe);
    ev_timer_stop(walk->walker->loop, &walk->expect);
}

static void ask_again(struct walk *walk)
{
    walk->asked_again = true;
    walk_release(walk);
    stop_upload(walk);
    walk_by_curl(walk);
}

void walk_done(struct walk *walk, CURLcode code)
{
    if (walk->opening && code == CURLE_OK) {
        wires_opened(walk);
        return;
    }
    rescue_judge(walk);
    if (died_kept(walk, code)) {
        ask_again(walk);
        return;
    }
    bool whole = walk->state == head_final;
    bool refused = walk->verdict->action == DETOUR_REFUSE;
    enum walk_failure failure =
        whole || refused ? failure_behind_head(walk, code) : failure_of(walk, code);
    if (walk->out_of_memory) {
        failure = walk_failure_memory;
    } else if (!whole && !refused && failure == walk_failure_none) {
        failure = walk_failure_closed; /* within the head */
    }
    const char *reason = failure != walk_failure_none ? failure_text(walk, code) : NULL;
    tell_hop(walk, failure, reason);
    walk_release(walk);
    stop_upload(walk);
    turns_leave(walk);
    if (failure != walk_failure_none) {
        end_by_failure(walk, failure, reason);
    } else if (refused) {
        end_by_verdict(walk);
    } else {
        go_on(walk);
    }
}

/* ---- requests ---- */

static void forget_answer(struct walk *walk)
{
    walk->state = head_none;
    walk->head = (struct walk_head){0};
    walk->interim = NULL;
    walk->interim_count = walk->interim_capacity = 0;
    walk->head_bytes = 0;
    walk->content_bytes = 0;
    walk->offset = 0;
    walk->body_begun = walk->body_whole = walk->body_failed = walk->stopped = false;
    walk->cut = walk->refused_address = walk->too_long = false;
    walk->rest = (struct span){0};
    walk->reason[0] = 0;
}

static void begin_hop(struct walk *walk)
{
    arena_reset(&walk->arena);
    walk->asked = walk->verdict->next->request;
    walk->number = walk->verdict->next->number;
    walk->requested_s = (int64_t)ev_now(walk->walker->loop);
    walk->paused_enough = walk->asked_again = false;
    forget_answer(walk);
    if (walk->begun_us == 0) {
        walk->begun_us = now_us(walk->walker);
        if (walk->walker->options.timeout_ms > 0) {
            ev_timer_set(&walk->timeout, walk->walker->options.timeout_ms / 1000.0, 0);
            ev_timer_start(walk->walker->loop, &walk->timeout);
        }
    }
    if (walk->listener.sending != NULL) {
        walk->listener.sending(walk->listener.context, walk->verdict->next);
    }
}

/* True: it was answered by what is remembered. */
static bool ask_store(struct walk *walk)
{
    struct detour_hit *hit = NULL;
    struct detour_store *store = walk->walker->options.store;
    if (store == NULL ||
        detour_store_find(store, walk->verdict->next->request, time(NULL), &hit) != DETOUR_OK ||
        hit == NULL) {
        return false;
    }
    begin_hop(walk);
    walk->state = head_final;
    walk->head.status = hit->answer->status;
    walk->head.fields = hit->answer->fields;
    walk->head.field_count = hit->answer->field_count;
    if (head_judge(walk, hit->answer)) {
        tell_stored(walk, hit->answer);
    }
    detour_hit_free(&hit);
    return true;
}

/* True: the walk waits as it was told to, or has ended because it will not. */
static bool wait_first(struct walk *walk)
{
    int64_t wait_s = walk->verdict->next->wait_s;
    if (wait_s <= 0 || walk->paused_enough) {
        return false;
    }
    if (wait_s > walk_wait_max_s) {
        end_by_failure(walk, walk_failure_wait, "told to wait for more than a minute");
        return true;
    }
    ev_timer_set(&walk->pause, (double)wait_s, 0);
    ev_timer_start(walk->walker->loop, &walk->pause);
    return true;
}

static bool give_to_curl(struct walk *walk)
{
    walk->sending =
        request_set(walk) && curl_multi_add_handle(walk->walker->multi, walk->easy) == CURLM_OK;
    return walk->sending;
}

static void send_request(struct walk *walk)
{
    begin_hop(walk);
    if (walk->out_of_memory || !(wires_take(walk) ? wires_send(walk) : give_to_curl(walk))) {
        end_by_failure(walk, walk_failure_memory, "out of memory");
    }
}

void walk_by_curl(struct walk *walk)
{
    forget_answer(walk);
    if (!give_to_curl(walk)) {
        end_by_failure(walk, walk_failure_memory, "out of memory");
    }
}

void walk_advance(struct walk *walk)
{
    while (walk->verdict->next != NULL && !walk->out_of_memory) {
        if (wait_first(walk)) {
            return;
        }
        if (walk->host == NULL && ask_store(walk)) {
            if (walk->walker->options.stop_at_loop && is_loop(walk->verdict)) {
                go_on(walk);
                return;
            }
            continue;
        }
        if (turns_enter(walk, walk->verdict->next->url->origin)) {
            send_request(walk);
        }
        return;
    }
    if (walk->out_of_memory) {
        end_by_failure(walk, walk_failure_memory, "out of memory");
    } else {
        end_by_verdict(walk);
    }
}

void walk_ready(struct walk *walk)
{
    queue_push(&walk->walker->ready, walk);
    if (!ev_is_active(&walk->walker->turn)) {
        ev_timer_set(&walk->walker->turn, 0, 0);
        ev_timer_start(walk->walker->loop, &walk->walker->turn);
    }
}

static void on_pause(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct walk *walk = timer->data;
    walk->paused_enough = true;
    walk_ready(walk);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct walk *walk = timer->data;
    static const char text[] = "it took too long";
    wires_judge(walk);
    if (walk->sending || walk->wire != NULL) {
        tell_hop(walk, walk_failure_timeout, text);
    }
    end_by_failure(walk, walk_failure_timeout, text);
    loop_turn(walk->walker);
}

/* ---- walks ---- */

void walk_free(struct walk *walk)
{
    curl_easy_cleanup(walk->easy);
    detour_chain_free(&walk->chain);
    arena_fini(&walk->arena);
    free(walk);
}

static struct walk *new_walk(struct walker *walker)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    if (walk == NULL) {
        return NULL;
    }
    walk->walker = walker;
    arena_init(&walk->arena, 0);
    ev_timer_init(&walk->timeout, on_timeout, 0, 0);
    walk->timeout.data = walk;
    ev_timer_init(&walk->pause, on_pause, 0, 0);
    walk->pause.data = walk;
    walk->easy = curl_easy_init();
    if (walk->easy == NULL || detour_chain_new(&walker->policy, &walk->chain) != DETOUR_OK ||
        !request_set_common(walk)) {
        walk_free(walk);
        return NULL;
    }
    return walk;
}

static struct walk *take_walk(struct walker *walker)
{
    struct walk *walk = walker->idle;
    if (walk != NULL) {
        walker->idle = walk->next;
        return walk;
    }
    return new_walk(walker);
}

static void link_walk(struct walk *walk)
{
    struct walker *walker = walk->walker;
    walk->before = NULL;
    walk->next = walker->all;
    if (walker->all != NULL) {
        walker->all->before = walk;
    }
    walker->all = walk;
    walker->count++;
}

enum err walker_start(struct walker *walker, const struct detour_request *request,
                      const struct walk_source *source, const struct walk_listener *listener)
{
    if (walker->count >= walker->options.at_once_max) {
        return ERR_LIMIT;
    }
    struct walk *walk = take_walk(walker);
    if (walk == NULL) {
        return ERR_MEMORY;
    }
    struct detour_request first;
    arena_reset(&walk->arena);
    walk->source = source != NULL ? *source : (struct walk_source){.fd = -1};
    walk->source_once = request->body == DETOUR_BODY_ONCE;
    walk->listener = *listener;
    walk->suits_wire = wires_suit(walk, request);
    walk->begun_us = 0;
    walk->number = 0;
    walk->out_of_memory = false;
    walk->paused_enough = false;
    walk->head = (struct walk_head){0};
    walk->state = head_none;
    if (!request_expect(walk, request, &first) ||
        detour_chain_begin(walk->chain, &first, &walk->verdict) != DETOUR_OK) {
        walk->next = walker->idle;
        walker->idle = walk;
        return ERR_MEMORY;
    }
    link_walk(walk);
    walk_ready(walk);
    return ERR_NONE;
}

void walk_drop(struct walk *walk)
{
    leave_all(walk);
    unlink_walk(walk);
    walk_free(walk);
}

size_t walker_count(const struct walker *walker)
{
    return walker->count;
}
