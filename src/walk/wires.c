/* SPDX-License-Identifier: MIT */
/* Connections of plain HTTP/1.1: one request at a time, and the answer as it comes. A watcher stays
 * from the beginning to the end, so that the kernel is told of it once. */
#include "walk/wires.h"

#include "walk/internal.h"
#include "walk/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The two lists that a connection is in while it waits: all such ones, and those of its origin. */
enum { of_all, of_host, list_count };

struct wire {
    ev_io io;
    struct wires *wires;
    struct host *host;
    struct walk *walk; /* NULL: it waits for the next one */
    struct wire *next[list_count];
    struct wire *before[list_count];
    unsigned kept_in;   /* turn of the loop */
    bool kept;          /* it has carried an answer before */
    bool heard;         /* a byte of this answer has come */
    struct span unsent; /* of the request */
    uint8_t *held;      /* the beginning of a head */
    size_t held_len;
    struct reader reader;
};

struct wires {
    struct walker *walker;
    struct wire_list idle;
    size_t count; /* those with a walk, too */
    struct h1_answer answer;
    uint8_t in[h1_answer_head_bytes_max + wire_read_bytes];
};

static bool is_text(struct detour_text text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

/* ---- connections that wait ---- */

static void list_push(struct wire_list *list, struct wire *wire, int which)
{
    wire->before[which] = list->last;
    wire->next[which] = NULL;
    *(list->last != NULL ? &list->last->next[which] : &list->first) = wire;
    list->last = wire;
}

static void list_remove(struct wire_list *list, struct wire *wire, int which)
{
    struct wire *before = wire->before[which];
    struct wire *next = wire->next[which];
    *(before != NULL ? &before->next[which] : &list->first) = next;
    *(next != NULL ? &next->before[which] : &list->last) = before;
}

static void keep(struct wire *wire)
{
    wire->walk = NULL;
    wire->kept = true;
    wire->kept_in = ev_iteration(wire->wires->walker->loop);
    list_push(&wire->wires->idle, wire, of_all);
    list_push(&wire->host->wires, wire, of_host);
}

static void unkeep(struct wire *wire)
{
    list_remove(&wire->wires->idle, wire, of_all);
    list_remove(&wire->host->wires, wire, of_host);
}

static void close_wire(struct wire *wire)
{
    ev_io_stop(wire->wires->walker->loop, &wire->io);
    close(wire->io.fd);
    wire->wires->count--;
    free(wire->held);
    free(wire);
}

static void close_idle(struct wire *wire)
{
    struct walker *walker = wire->wires->walker;
    struct host *host = wire->host;
    unkeep(wire);
    close_wire(wire);
    turns_forget_unused(walker, host);
}

/* Whether it is as it was left. Since the last turn of the loop the other end may have closed it.
 */
static bool is_silent(const struct wire *wire)
{
    uint8_t byte;
    return wire->kept_in == ev_iteration(wire->wires->walker->loop) ||
           (recv(wire->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
            (errno == EAGAIN || errno == EINTR));
}

/* The one that was used last: the others may be closed before anybody needs them. */
static struct wire *take_idle(struct host *host)
{
    struct wire *wire = host->wires.last;
    while (wire != NULL) {
        struct wire *before = wire->before[of_host];
        unkeep(wire);
        if (is_silent(wire)) {
            break;
        }
        close_wire(wire);
        wire = before;
    }
    return wire;
}

/* ---- requests ---- */

static void watch(struct wire *wire)
{
    struct ev_loop *loop = wire->wires->walker->loop;
    int events = EV_READ | (wire->unsent.len > 0 ? EV_WRITE : 0);
    if (ev_is_active(&wire->io) && (wire->io.events & (EV_READ | EV_WRITE)) == events) {
        return;
    }
    ev_io_stop(loop, &wire->io);
    ev_io_set(&wire->io, wire->io.fd, events);
    ev_io_start(loop, &wire->io);
}

/* What fails here is seen by whoever reads: there may be an answer that came before. */
static void flush(struct wire *wire)
{
    ssize_t n = 0;
    if (wire->unsent.len > 0) {
        n = send(wire->io.fd, wire->unsent.ptr, wire->unsent.len, MSG_NOSIGNAL);
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        wire->unsent = (struct span){0};
    } else if (n > 0) {
        wire->unsent = span_from(wire->unsent, (size_t)n);
    }
    watch(wire);
}

static void begin(struct wire *wire, struct walk *walk)
{
    assert(walk->wire == NULL && walk->host == wire->host);
    wire->walk = walk;
    wire->heard = false;
    wire->unsent = walk->request;
    walk->wire = wire;
    reader_begin(&wire->reader, is_text(walk->asked->method, "HEAD"));
    flush(wire);
}

static uint8_t *put(uint8_t *at, struct detour_text text)
{
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

static uint8_t *put_cstr(uint8_t *at, const char *text)
{
    return put(at, detour_text_of(text));
}

/* All of it passed libdetour, which lets no CR and no LF through. */
static struct span encode(struct walk *walk)
{
    static const char version[] = " HTTP/1.1\r\nHost: ";
    const struct detour_request *request = walk->asked;
    const struct detour_url *url = walk->verdict->next->url;
    size_t len = request->method.len + 1 + url->request_target.len + sizeof(version) +
                 url->authority.len + 4;
    for (size_t i = 0; i < request->field_count; i++) {
        len += request->fields[i].name.len + request->fields[i].value.len + 4;
    }
    uint8_t *bytes = arena_alloc(&walk->arena, len);
    if (bytes == NULL) {
        return (struct span){0};
    }
    uint8_t *at = put(put_cstr(put(bytes, request->method), " "), url->request_target);
    at = put(put_cstr(at, version), url->authority);
    for (size_t i = 0; i < request->field_count; i++) {
        at = put(put_cstr(at, "\r\n"), request->fields[i].name);
        at = put(put_cstr(at, request->fields[i].value.len > 0 ? ": " : ":"),
                 request->fields[i].value);
    }
    at = put_cstr(at, "\r\n\r\n");
    assert((size_t)(at - bytes) <= len);
    return span_of(bytes, (size_t)(at - bytes));
}

static bool open_wire(struct walk *walk)
{
    struct wires *wires = walk->walker->wires;
    const char *origin = walk->host->origin;
    if (wires->count >= wires->walker->options.at_once_max && wires->idle.first != NULL) {
        close_idle(wires->idle.first);
    }
    walk->opening = true;
    walk->sending = curl_easy_setopt(walk->easy, CURLOPT_URL, origin) == CURLE_OK &&
                    curl_easy_setopt(walk->easy, CURLOPT_HTTPHEADER, NULL) == CURLE_OK &&
                    curl_easy_setopt(walk->easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
                    curl_multi_add_handle(walk->walker->multi, walk->easy) == CURLM_OK;
    return walk->sending;
}

bool wires_send(struct walk *walk)
{
    walk->request = encode(walk);
    if (walk->request.ptr == NULL) {
        return false;
    }
    struct wire *wire = take_idle(walk->host);
    if (wire == NULL) {
        return open_wire(walk);
    }
    begin(wire, walk);
    return true;
}

/* ---- answers ---- */

/* The connection is kept or closed first: whoever gets the turn may want it. */
static void finish(struct wire *wire, bool keeps, CURLcode code)
{
    struct walk *walk = wire->walk;
    bool head = wire->reader.behind_head;
    walk->wire = NULL;
    if (keeps) {
        keep(wire);
    } else {
        close_wire(wire);
    }
    if (head && !walk->out_of_memory) {
        head_judge_whole(walk);
    }
    walk_done(walk, code);
}

static void fail(struct wire *wire, CURLcode code, const char *why)
{
    struct walk *walk = wire->walk;
    snprintf(walk->reason, sizeof(walk->reason), "%s", why);
    finish(wire, false, code);
}

static void leave_to_curl(struct wire *wire)
{
    struct walk *walk = wire->walk;
    wire->host->odd = true;
    walk->wire = NULL;
    close_wire(wire);
    walk_by_curl(walk);
}

/* False: the walk has left. */
static bool take_head(struct wire *wire, enum reader_result result, struct span head)
{
    struct walk *walk = wire->walk;
    walk->head_bytes += head.len;
    walk->too_long = walk->head_bytes > walk_head_bytes_max;
    bool good = !walk->too_long && head_keep(walk, &wire->wires->answer, head) &&
                (result == READER_HEAD || head_judge_whole(walk));
    if (!good) {
        wire->reader.behind_head = false;
        finish(wire, false, CURLE_WRITE_ERROR);
    }
    return good;
}

static void hold(struct wire *wire, struct span bytes)
{
    free(wire->held);
    wire->held = bytes.len > 0 ? malloc(bytes.len) : NULL;
    wire->held_len = wire->held != NULL ? bytes.len : 0;
    if (wire->held_len > 0) {
        memcpy(wire->held, bytes.ptr, bytes.len);
    } else if (bytes.len > 0) {
        wire->walk->out_of_memory = true;
        finish(wire, false, CURLE_OUT_OF_MEMORY);
    }
}

static void take_more(struct wire *wire, struct span rest)
{
    struct walk *walk = wire->walk;
    walk->cut = (uint64_t)walk->content_bytes > walk->walker->options.content_bytes_max;
    if (walk->cut) {
        finish(wire, false, CURLE_WRITE_ERROR);
    } else {
        hold(wire, rest);
    }
}

static void take(struct wire *wire, struct span bytes)
{
    for (;;) {
        size_t used = 0;
        bool content = wire->reader.behind_head;
        enum reader_result result = reader_next(&wire->reader, bytes, &wire->wires->answer, &used);
        struct span part = span_slice(bytes, 0, used);
        bytes = span_from(bytes, used);
        wire->walk->content_bytes += content ? (int64_t)used : 0;
        switch (result) {
        case READER_MORE:
            take_more(wire, bytes);
            return;
        case READER_INTERIM:
        case READER_HEAD:
            if (!take_head(wire, result, part)) {
                return;
            }
            break;
        case READER_DONE:
            finish(wire, wire->reader.keep && bytes.len == 0 && wire->unsent.len == 0, CURLE_OK);
            return;
        case READER_BAD:
            leave_to_curl(wire);
            return;
        }
    }
}

static void ask_again(struct wire *wire)
{
    struct walk *walk = wire->walk;
    walk->wire = NULL;
    close_wire(wire);
    if (!open_wire(walk)) {
        walk->out_of_memory = true;
        walk_done(walk, CURLE_OUT_OF_MEMORY);
    }
}

/* The other end has closed. */
static void ended(struct wire *wire, bool cleanly)
{
    if (wire->kept && !wire->heard) {
        ask_again(wire);
    } else if (cleanly && reader_may_end(&wire->reader)) {
        finish(wire, false, CURLE_OK);
    } else if (wire->reader.behind_head) {
        fail(wire, CURLE_PARTIAL_FILE, "the connection ended within the content");
    } else {
        fail(wire, CURLE_GOT_NOTHING,
             wire->heard ? "the connection ended within the head of the answer"
                         : "the connection ended without an answer");
    }
}

static void read_answer(struct wire *wire)
{
    uint8_t *in = wire->wires->in;
    size_t held_len = wire->held_len;
    ssize_t n = recv(wire->io.fd, in + held_len, wire_read_bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        ended(wire, n == 0);
        return;
    }
    wire->heard = true;
    if (held_len > 0) {
        memcpy(in, wire->held, held_len);
        free(wire->held);
        wire->held = NULL;
        wire->held_len = 0;
    }
    take(wire, span_of(in, held_len + (size_t)n));
}

static void on_wire(struct ev_loop *loop, ev_io *io, int events)
{
    struct wire *wire = io->data;
    struct walker *walker = wire->wires->walker;
    if (wire->walk == NULL) {
        close_idle(wire); /* it was closed, or says what nobody asked for */
        return;
    }
    if ((events & EV_WRITE) != 0) {
        flush(wire);
    }
    if ((events & ~EV_WRITE) != 0) {
        read_answer(wire);
    }
    loop_turn(walker);
}

/* ---- from libcurl ---- */

void wires_opened(struct walk *walk)
{
    struct wires *wires = walk->walker->wires;
    struct wire *wire = calloc(1, sizeof(*wire));
    int fd = loop_take_socket(walk);
    if (wire == NULL || fd < 0) {
        if (fd >= 0) {
            close(fd);
        }
        free(wire);
        walk_by_curl(walk);
        return;
    }
    wire->wires = wires;
    wire->host = walk->host;
    wires->count++;
    ev_io_init(&wire->io, on_wire, fd, EV_READ);
    wire->io.data = wire;
    begin(wire, walk);
}

/* ---- walks ---- */

bool wires_suit(const struct walk *walk, const struct detour_request *first)
{
    return walk->walker->wires != NULL && walk->listener.brief && walk->listener.content == NULL &&
           first->body == DETOUR_BODY_NONE &&
           (is_text(first->method, "GET") || is_text(first->method, "HEAD"));
}

bool wires_take(const struct walk *walk)
{
    return walk->suits_wire && !walk->host->odd &&
           is_text(walk->verdict->next->url->scheme, "http");
}

void wires_judge(struct walk *walk)
{
    if (walk->wire != NULL && walk->wire->reader.behind_head) {
        head_judge_whole(walk);
    }
}

void wires_drop(struct walk *walk)
{
    if (walk->wire != NULL) {
        close_wire(walk->wire);
        walk->wire = NULL;
    }
}

/* ---- all of them ---- */

enum err wires_new(struct walker *walker, struct wires **out)
{
    const struct walker_options *options = &walker->options;
    *out = NULL;
    if (options->per_host_max == 0 || options->cookies || options->protocol > walk_protocol_1_1 ||
        !request_goes_straight(options)) {
        return ERR_NONE;
    }
    struct wires *wires = calloc(1, sizeof(*wires));
    if (wires == NULL) {
        return ERR_MEMORY;
    }
    wires->walker = walker;
    *out = wires;
    return ERR_NONE;
}

void wires_free(struct wires **wires)
{
    if (*wires == NULL) {
        return;
    }
    for (struct wire *wire = (*wires)->idle.first; wire != NULL;) {
        struct wire *next = wire->next[of_all];
        close_idle(wire);
        wire = next;
    }
    assert((*wires)->count == 0);
    free(*wires);
    *wires = NULL;
}
