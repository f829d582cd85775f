/* SPDX-License-Identifier: MIT */
/* The ports, and the pages that are no test. */
#include "referee/internal.h"

#include "http/field.h"
#include "referee/embedded.h"
#include "referee/report.h"
#include "tls/self_signed.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct serve_limits limits = {
    .header_timeout_ms = 10000,
    .idle_timeout_ms = 75000,
    .write_timeout_ms = 30000,
    .linger_bytes = 4 << 20,
    .linger_idle_ms = 2000,
    .linger_time_ms = 2000,
    .connections_max = 256,
};

struct span referee_segment(struct span *path)
{
    struct span rest = path->len > 0 ? span_from(*path, 1) : *path;
    size_t slash = span_find(rest, 0, '/');
    *path = span_from(rest, slash);
    return span_slice(rest, 0, slash);
}

struct case_names referee_names(const struct referee *referee, struct span key)
{
    struct case_names names = {.key = key};
    for (size_t i = 0; i < PLACE_OTHER; i++) {
        names.places[i] = span_cstr(referee->places[i]);
    }
    return names;
}

void referee_answer(struct response *response, uint16_t status, struct span body)
{
    response->status = status;
    response->content_type = SPAN("text/plain; charset=utf-8");
    response->body = body;
    response_add(response, SPAN("Cache-Control"), SPAN("no-store"));
}

void referee_open(struct response *response)
{
    response_add(response, SPAN("Access-Control-Allow-Origin"), SPAN("*"));
    response_add(response, SPAN("Access-Control-Allow-Methods"),
                 SPAN("GET, HEAD, POST, PUT, DELETE"));
    response_add(response, SPAN("Access-Control-Allow-Headers"),
                 SPAN("Authorization, Content-Type, *"));
    response_add(response, SPAN("Access-Control-Max-Age"), SPAN("600"));
}

/* ---- pages ---- */

static void answer_made(struct response *response, enum err err, const struct buffer *text,
                        struct span type)
{
    if (err != ERR_NONE || text->full) {
        referee_answer(response, 503, SPAN("no memory\n"));
        return;
    }
    referee_answer(response, 200, buffer_span(text));
    response->content_type = type;
}

static const struct span type_text = {(const uint8_t *)"text/plain; charset=utf-8", 25};
static const struct span type_json = {(const uint8_t *)"application/json", 16};

static void answer_cases(struct referee *referee, const struct request *request, bool json,
                         struct response *response)
{
    struct span key = query_find(request->query, SPAN("key"));
    struct case_names names = referee_names(referee, key.ptr != NULL ? key : SPAN("me"));
    struct buffer text = buffer_over(referee->text, report_bytes_max);
    if (!session_key_valid(names.key)) {
        referee_answer(response, 400, SPAN("a key has up to 32 letters, digits, '-' and '_'\n"));
    } else if (json) {
        answer_made(response, report_cases_json(&names, &text), &text, type_json);
    } else {
        report_cases(&names, &text);
        answer_made(response, ERR_NONE, &text, type_text);
    }
}

static void answer_report(struct referee *referee, struct span key, struct response *response)
{
    bool json = span_ends(key, SPAN(".json"));
    struct span name = json ? span_slice(key, 0, key.len - 5) : key;
    const struct session *session = session_find(&referee->sessions, name);
    struct buffer text = buffer_over(referee->text, report_bytes_max);
    if (session == NULL) {
        referee_answer(response, 404, SPAN("nobody came under that key\n"));
    } else if (json) {
        answer_made(response, report_table_json(session, &text), &text, type_json);
    } else {
        report_table(session, &text);
        answer_made(response, ERR_NONE, &text, type_text);
    }
}

/* False: it is none. */
static bool answer_page(struct referee *referee, const struct request *request,
                        struct response *response)
{
    struct span rest = request->path;
    struct span word = referee_segment(&rest);
    if (word.len == 0) {
        referee_answer(response, 200, referee_page);
        response->content_type = SPAN("text/html; charset=utf-8");
    } else if (span_eq(word, SPAN("page.js"))) {
        referee_answer(response, 200, referee_script);
        response->content_type = SPAN("text/javascript; charset=utf-8");
    } else if (span_eq(word, SPAN("cases")) || span_eq(word, SPAN("cases.json"))) {
        answer_cases(referee, request, word.len > 5, response);
    } else if (span_eq(word, SPAN("report"))) {
        answer_report(referee, referee_segment(&rest), response);
    } else {
        return false;
    }
    return true;
}

static void handle(void *context, const struct serve_request *in, struct response *response)
{
    struct referee *referee = context;
    const struct request *request = in->request;
    bool reads = request->method == METHOD_GET || request->method == METHOD_HEAD;
    if (in->bad_status != 0) {
        referee_answer(response, in->bad_status, SPAN("bad request\n"));
    } else if (request->method == METHOD_OPTIONS) {
        response->status = 204;
        referee_open(response);
    } else if (!reads || !answer_page(referee, request, response)) {
        referee_visit(referee, in, response);
    }
}

/* ---- ports ---- */

static uint16_t *port_of(struct listener *listener)
{
    return listener->address.any.sa_family == AF_INET ? &listener->address.v4.sin_port
                                                      : &listener->address.v6.sin6_port;
}

static bool on_loopback(const struct listener *listener)
{
    int family = listener->address.any.sa_family;
    if (listener->secure || listener->proxy_protocol) {
        return false;
    }
    return family == AF_INET
               ? listener->address.v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK)
               : family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&listener->address.v6.sin6_addr);
}

static void name_place(char out[place_text_max], const char *host, uint16_t port)
{
    snprintf(out, place_text_max, "%s:%u", host, port);
}

static void name_places(struct referee *referee)
{
    struct listener *listeners = referee->listeners;
    const char *host = listeners[0].address.any.sa_family == AF_INET ? "127.0.0.1" : "[::1]";
    uint16_t first = ntohs(*port_of(&listeners[0]));
    name_place(referee->places[PLACE_HERE], host, first);
    name_place(referee->places[PLACE_PORT], host, ntohs(*port_of(&listeners[1])));
    name_place(referee->places[PLACE_NAME], "localhost", first);
    name_place(referee->places[PLACE_SECURE], host, ntohs(*port_of(&listeners[2])));
}

/* Of those that were left to the kernel only now the ports are known, and their names with them. */
static enum err listen_on(struct referee *referee, struct listener *listener)
{
    int fd = -1;
    if (*port_of(listener) != 0 && listener_probe(listener) != ERR_NONE) {
        return ERR_IO;
    }
    if (listener_open(listener, &fd) != ERR_NONE) {
        return ERR_IO;
    }
    socklen_t len = sizeof(listener->address);
    if (getsockname(fd, &listener->address.any, &len) != 0) {
        close(fd);
        return ERR_IO;
    }
    snprintf(listener->text, sizeof(listener->text), "port %u", ntohs(*port_of(listener)));
    return server_listen(referee->server, listener, fd);
}

static enum err start_tls(struct referee *referee)
{
    struct tls_context *context;
    enum err err = tls_self_signed(&context);
    if (err == ERR_NONE) {
        server_set_tls(referee->server, context);
    }
    return err;
}

static enum err start(struct referee *referee, struct ev_loop *loop,
                      const struct referee_options *options)
{
    referee->text = malloc(report_bytes_max);
    enum err err = referee->text != NULL
                       ? server_new(loop, &limits, handle, referee, NULL, &referee->server)
                       : ERR_MEMORY;
    if (err == ERR_NONE) {
        err = start_tls(referee);
    }
    for (size_t i = 0; i < listeners_count && err == ERR_NONE; i++) {
        struct listener *listener = &referee->listeners[i];
        *listener = options->listener;
        listener->secure = i == listeners_count - 1;
        uint16_t port = ntohs(*port_of(listener));
        *port_of(listener) = htons((uint16_t)(port + (port != 0 ? i : 0)));
        err = listen_on(referee, listener);
    }
    return err;
}

enum err referee_new(struct ev_loop *loop, const struct referee_options *options,
                     struct referee **out)
{
    struct listener first = options->listener;
    assert(options->done != NULL);
    if (!on_loopback(&first) || ntohs(*port_of(&first)) > UINT16_MAX - (listeners_count - 1)) {
        return ERR_RANGE;
    }
    struct referee *referee = calloc(1, sizeof(*referee));
    if (referee == NULL) {
        return ERR_MEMORY;
    }
    referee->done = options->done;
    referee->context = options->context;
    enum err err = start(referee, loop, options);
    if (err != ERR_NONE) {
        int why = errno;
        referee_free(&referee);
        errno = why;
        return err;
    }
    name_places(referee);
    *out = referee;
    return ERR_NONE;
}

void referee_free(struct referee **referee)
{
    if (*referee == NULL) {
        return;
    }
    if ((*referee)->server != NULL) {
        server_free(&(*referee)->server);
    }
    sessions_fini(&(*referee)->sessions);
    free((*referee)->text);
    free(*referee);
    *referee = NULL;
}

const char *referee_place(const struct referee *referee, enum case_place place)
{
    assert(place < PLACE_OTHER);
    return referee->places[place];
}

void referee_tell_rest(struct referee *referee)
{
    for (size_t i = 0; i < referee->sessions.count; i++) {
        struct session *session = referee->sessions.list[i];
        if (!session->told) {
            session->told = true;
            referee->done(referee->context, session);
        }
    }
}
