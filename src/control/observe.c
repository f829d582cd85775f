/* SPDX-License-Identifier: MIT */
/* The handler behind the metrics listener. */
#include "control/observe.h"

#include "serve/serve.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct observe {
    struct server *server;
    void (*fill)(void *context, struct metrics *out);
    void *context;
    struct listener listener;
    bool listening;
    uint8_t *text;   /* of the last exposition, which the server may still be reading */
    size_t text_len; /* of it, and so about that of the next one */
};

/* Of all expositions that readers have not taken yet. */
enum { unread_bytes_max = 64 << 20 };

static const struct serve_limits limits = {
    .header_timeout_ms = 10000,
    .idle_timeout_ms = 75000,
    .write_timeout_ms = 30000,
    .linger_bytes = 65536,
    .linger_idle_ms = 2000,
    .linger_time_ms = 2000,
    .connections_max = 64,
};

static void answer_text(struct response *response, uint16_t status, struct span body)
{
    response->status = status;
    response->content_type = SPAN("text/plain; charset=utf-8");
    response->body = body;
}

/* Each connection may be one that does not read, and holds a copy then. One
 * alone is served whatever it costs. */
static bool has_room(const struct observe *o)
{
    size_t others = server_connection_count(o->server) - 1;
    return others == 0 || o->text_len <= unread_bytes_max / (others + 1);
}

static void answer_metrics(struct observe *o, struct response *response)
{
    struct metrics metrics = {0};
    if (!has_room(o)) {
        answer_text(response, 503, SPAN("too many connections for so many metrics\n"));
        response_add(response, SPAN("Retry-After"), SPAN("5"));
        response->close = true;
        return;
    }
    o->fill(o->context, &metrics);
    if (metrics.counters == NULL || metrics.servers == NULL) {
        answer_text(response, 503, SPAN("nothing is served yet\n"));
        return;
    }
    size_t size = metrics_size_max(&metrics);
    free(o->text);
    o->text = size < serve_response_bytes_max ? malloc(size) : NULL;
    struct buffer out = buffer_over(o->text, o->text != NULL ? size : 0);
    metrics_write(&metrics, &out);
    if (out.full) {
        answer_text(response, 503, SPAN("there is no room for so many metrics\n"));
        return;
    }
    response->status = 200;
    response->content_type = SPAN("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response->body = buffer_span(&out);
    o->text_len = out.len;
    response_add(response, SPAN("Cache-Control"), SPAN("no-store"));
}

static void handle(void *context, const struct serve_request *in, struct response *response)
{
    struct observe *o = context;
    const struct request *request = in->request;
    if (in->bad_status != 0) {
        answer_text(response, in->bad_status, SPAN("bad request\n"));
    } else if (request->method != METHOD_GET && request->method != METHOD_HEAD) {
        answer_text(response, 405, SPAN("GET and HEAD are understood here\n"));
        response_add(response, SPAN("Allow"), SPAN("GET, HEAD"));
    } else if (span_eq(request->path, SPAN("/metrics"))) {
        answer_metrics(o, response);
    } else if (span_eq(request->path, SPAN("/healthz"))) {
        answer_text(response, 200, SPAN("ok\n"));
    } else {
        answer_text(response, 404, SPAN("there are /metrics and /healthz\n"));
    }
}

/* Whoever may ask for metrics must not take the descriptors that the admin API needs. */
static struct serve_limits limits_with_room(void)
{
    struct serve_limits out = limits;
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0 &&
        descriptors.rlim_cur / 4 < out.connections_max) {
        out.connections_max = (uint32_t)(descriptors.rlim_cur / 4);
    }
    return out;
}

enum err observe_new(struct ev_loop *loop, void (*fill)(void *context, struct metrics *out),
                     void *context, struct observe **out)
{
    struct observe *o = calloc(1, sizeof(*o));
    if (o == NULL) {
        return ERR_MEMORY;
    }
    o->fill = fill;
    o->context = context;
    const struct serve_limits room = limits_with_room();
    enum err err = server_new(loop, &room, handle, o, NULL, &o->server);
    if (err != ERR_NONE) {
        free(o);
        return err;
    }
    *out = o;
    return ERR_NONE;
}

void observe_free(struct observe **observe)
{
    if (*observe == NULL) {
        return;
    }
    server_free(&(*observe)->server);
    free((*observe)->text);
    free(*observe);
    *observe = NULL;
}

enum err observe_listen(struct observe *o, const struct listener *listener, int fd)
{
    bool same = listener != NULL && o->listening && strcmp(listener->text, o->listener.text) == 0;
    if (o->listening && !same) {
        server_unlisten(o->server, &o->listener);
        o->listening = false;
    }
    if (listener == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return ERR_NONE;
    }
    enum err err = server_listen(o->server, listener, fd);
    if (err == ERR_NONE) {
        o->listening = true;
        o->listener = *listener;
    }
    return err;
}
