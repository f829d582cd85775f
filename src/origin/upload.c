/* SPDX-License-Identifier: MIT */
/* The content of a request, and the client's half of a tunnel: towards the origin. Nothing of it
 * is kept here, but for one piece that was framed or sealed already. */
#include "origin/internal.h"

#include <assert.h>
#include <stdio.h>

/* What is late depends on whom we wait for: the client is the near side's care. */
static void set_deadline(struct pass *pass)
{
    struct origins *set = pass->origin->set;
    if (pass->state == PASS_TUNNEL) {
        pass->deadline_ms = deadline_in(set, pass->origin->tunnel_timeout_ms);
    } else if (pass->state != PASS_HEAD) {
        return; /* the answer's content has its own */
    } else if (!wire_ready(pass->wire)) {
        pass->deadline_ms = deadline_in(set, pass->origin->idle_timeout_ms);
    } else if (pass->request_done) {
        pass->deadline_ms = deadline_in(set, pass->origin->response_timeout_ms);
    } else {
        pass->deadline_ms = 0;
    }
}

/* As much as the connection takes now; the rest comes again when it has room. */
static size_t send_raw(struct pass *pass, struct span bytes)
{
    size_t sent = 0;
    size_t step = 1;
    while (step > 0 && sent < bytes.len) {
        step = wire_send_some(pass->wire, span_from(bytes, sent));
        sent += step;
    }
    return sent;
}

static size_t send_known(struct pass *pass, struct span bytes)
{
    assert(bytes.len <= pass->content_left);
    size_t sent = send_raw(pass, bytes);
    pass->content_left -= sent;
    return sent;
}

static size_t send_chunks(struct pass *pass, struct span bytes)
{
    size_t sent = 0;
    while (sent < bytes.len && wire_ready(pass->wire) && !pass->wire->dead) {
        char size[24];
        size_t len = bytes.len - sent < seal_bytes ? bytes.len - sent : seal_bytes;
        int size_len = snprintf(size, sizeof(size), "%zx\r\n", len);
        const struct span parts[] = {
            span_of(size, (size_t)size_len),
            span_slice(bytes, sent, sent + len),
            SPAN("\r\n"),
        };
        wire_send(pass->wire, parts, 3);
        sent += len;
    }
    return sent;
}

static size_t take(struct pass *pass, struct span bytes)
{
    if (pass->state == PASS_TUNNEL) {
        return send_raw(pass, bytes);
    }
    return pass->body_kind == BODY_CHUNKED ? send_chunks(pass, bytes) : send_known(pass, bytes);
}

static bool has_wire(const struct pass *pass)
{
    return pass->state >= PASS_HEAD;
}

static size_t far_content(void *far, struct span bytes)
{
    struct pass *pass = far;
    if (pass->request_cut) {
        return bytes.len;
    }
    if (!has_wire(pass)) {
        return 0; /* pass_connected asks again */
    }
    size_t taken = take(pass, bytes);
    pass->content_taken |= taken > 0;
    pass->sent_bytes += taken;
    /* The origin may have answered before it closed its ears, so its answer is still read. With
     * nothing taken, the request may be tried once more. */
    if (pass->wire->dead && pass->content_taken) {
        pass->request_cut = true;
        taken = bytes.len;
    }
    set_deadline(pass);
    return taken;
}

/* The client's half of a tunnel has ended. */
static void end_tunnel(struct pass *pass)
{
    pass->up_done = true;
    if (pass->down_done) {
        pass_over(pass, ORIGIN_DONE);
        return;
    }
    wire_end(pass->wire);
    set_deadline(pass);
}

static void send_end(struct pass *pass, const struct field *trailers, size_t count)
{
    struct buffer *out = &pass->origin->set->out;
    out->len = 0;
    out->full = false;
    buffer_put(out, SPAN("0\r\n"));
    trailers_encode(trailers, count, out);
    if (out->full) {
        wire_break(pass->wire); /* they cannot be told whole, so the origin must not believe it */
        return;
    }
    struct span end = buffer_span(out);
    wire_send(pass->wire, &end, 1);
}

static void far_content_end(void *far, const struct field *trailers, size_t count)
{
    struct pass *pass = far;
    if (pass->state == PASS_TUNNEL) {
        end_tunnel(pass);
        return;
    }
    pass->request_done = true;
    if (!has_wire(pass)) {
        return; /* it is being tried once more: pass_connected sends the end */
    }
    if (pass->body_kind == BODY_CHUNKED && !pass->request_cut) {
        send_end(pass, trailers, count);
    }
    set_deadline(pass);
}

static void far_writable(void *far)
{
    answer_go_on(far);
}

static void far_gone(void *far)
{
    pass_over(far, ORIGIN_GONE);
}

const struct exchange_far pass_far = {
    .content = far_content,
    .content_end = far_content_end,
    .writable = far_writable,
    .gone = far_gone,
};

void upload_go_on(struct pass *pass)
{
    if (!pass->request_done || (pass->state == PASS_TUNNEL && !pass->up_done)) {
        exchange_resume(pass->exchange);
    }
    set_deadline(pass);
}
