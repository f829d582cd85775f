/* SPDX-License-Identifier: MIT */
/* See h2_peer.h. */
#include "h2_peer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t date[] = "Sun, 06 Nov 1994 08:49:37 GMT";

static void note(char *out, size_t cap, struct span text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;
    if (len > 0) {
        memcpy(out, text.ptr, len);
    }
    out[len] = 0;
}

static void answer(void *context, const struct request *request, uint16_t bad_status,
                   struct response *response)
{
    struct peer *peer = context;
    struct seen *seen = &peer->seen;
    *seen = (struct seen){
        .bad_status = bad_status,
        .method = request->method,
        .body = request->body,
        .content_length = request->content_length,
        .port = request->port,
        .version_major = request->version_major,
        .expect_continue = request->expect_continue,
        .field_count = request->field_count,
    };
    note(seen->host, sizeof(seen->host), request->host);
    note(seen->path, sizeof(seen->path), request->path);
    note(seen->query, sizeof(seen->query), request->query);
    note(seen->cookie, sizeof(seen->cookie), request->known.cookie);
    note(seen->scheme, sizeof(seen->scheme), request->absolute_scheme);
    peer->requests++;
    *response = peer->answer;
    if (bad_status != 0) {
        response->status = bad_status;
        response->location = (struct span){0};
    }
}

void peer_init(struct peer *peer, const struct h2_options *options)
{
    struct h2_options used = options != NULL ? *options : (struct h2_options){0};
    used.date = date;
    *peer = (struct peer){
        .now_ms = 1000000,
        .answer = {.status = 307, .location = SPAN("https://b.example/x")},
        .output = malloc(peer_output_max),
        .room = 4096,
    };
    peer->engine = h2_engine_new(&used, answer);
    peer->session = h2_new(peer->engine, peer, peer->now_ms);
    assert(peer->output != NULL && peer->session != NULL);
}

void peer_fini(struct peer *peer)
{
    h2_free(&peer->session);
    h2_engine_free(&peer->engine);
    free(peer->output);
}

uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

size_t frame_put(const struct frame *frame, uint8_t *out)
{
    uint32_t length = frame->claimed > 0 ? frame->claimed : (uint32_t)frame->payload.len;
    out[0] = (uint8_t)(length >> 16);
    out[1] = (uint8_t)(length >> 8);
    out[2] = (uint8_t)length;
    out[3] = frame->type;
    out[4] = frame->flags;
    for (int i = 0; i < 4; i++) {
        out[5 + i] = (uint8_t)(frame->id >> (24 - 8 * i));
    }
    if (frame->payload.len > 0) {
        memcpy(out + 9, frame->payload.ptr, frame->payload.len);
    }
    return 9 + frame->payload.len;
}

void peer_bytes(struct peer *peer, struct span bytes)
{
    h2_receive(peer->session, bytes, peer->now_ms);
}

static void parse_output(struct peer *peer)
{
    while (peer->output_len - peer->parsed >= 9) {
        const uint8_t *at = peer->output + peer->parsed;
        size_t length = word_at(at) >> 8;
        if (peer->output_len - peer->parsed < 9 + length) {
            break;
        }
        assert(peer->sent_count < peer_frames_max);
        peer->sent[peer->sent_count++] = (struct frame){
            .type = at[3],
            .flags = at[4],
            .id = word_at(at + 5),
            .payload = span_of(at + 9, length),
        };
        peer->parsed += 9 + length;
    }
}

void peer_pull(struct peer *peer)
{
    bool more = true;
    while (more) {
        size_t room = peer_output_max - peer->output_len;
        struct buffer out =
            buffer_over(peer->output + peer->output_len, room < peer->room ? room : peer->room);
        assert(room > 0);
        more = h2_send(peer->session, &out);
        assert(!out.full && (!more || out.len == out.cap));
        peer->output_len += out.len;
    }
    parse_output(peer);
    assert(peer->parsed == peer->output_len);
}

void peer_push(struct peer *peer, const struct frame *frame)
{
    static uint8_t bytes[1 << 17];
    assert(frame->payload.len < sizeof(bytes) - 9);
    peer_bytes(peer, span_of(bytes, frame_put(frame, bytes)));
}

void peer_frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t id, struct span payload)
{
    struct frame frame = {.type = type, .flags = flags, .id = id, .payload = payload};
    peer_push(peer, &frame);
    peer_pull(peer);
}

void peer_hello(struct peer *peer)
{
    peer_bytes(peer, SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    peer_frame(peer, SETTINGS, 0, 0, (struct span){0});
}

int peer_count(const struct peer *peer, uint8_t type, uint32_t id)
{
    int count = 0;
    for (size_t i = 0; i < peer->sent_count; i++) {
        count += peer->sent[i].type == type && peer->sent[i].id == id;
    }
    return count;
}

const struct frame *peer_find(const struct peer *peer, uint8_t type, uint32_t id)
{
    const struct frame *found = NULL;
    for (size_t i = 0; i < peer->sent_count; i++) {
        if (peer->sent[i].type == type && peer->sent[i].id == id) {
            found = &peer->sent[i];
        }
    }
    return found;
}

int peer_reset(const struct peer *peer, uint32_t id)
{
    const struct frame *frame = peer_find(peer, RST_STREAM, id);
    return frame != NULL ? (int)word_at(frame->payload.ptr) : -1;
}

int peer_goaway(const struct peer *peer)
{
    const struct frame *frame = peer_find(peer, GOAWAY, 0);
    return frame != NULL ? (int)word_at(frame->payload.ptr + 4) : -1;
}

int peer_status(const struct peer *peer, uint32_t id)
{
    const struct frame *frame = peer_find(peer, HEADERS, id);
    if (frame == NULL) {
        return 0;
    }
    const uint8_t *at = frame->payload.ptr;
    while (*at >> 5 == 1) { /* changes of the table's size, of one octet */
        at += (*at & 31) == 31 ? 1 + 2 : 1;
    }
    assert(at[0] == 8 && at[1] == 3); /* a literal with the name :status */
    return (at[2] - '0') * 100 + (at[3] - '0') * 10 + (at[4] - '0');
}

bool peer_ended(const struct peer *peer, uint32_t id)
{
    for (size_t i = 0; i < peer->sent_count; i++) {
        const struct frame *frame = &peer->sent[i];
        if (frame->id == id && frame->type <= HEADERS && (frame->flags & END_STREAM) != 0) {
            return true;
        }
    }
    return false;
}
