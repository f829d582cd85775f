/* SPDX-License-Identifier: MIT */
/* The heads of frames are looked at before nghttp2 takes the bytes: for frames that it
 * passes over in silence, and for those that cost more than they bring. */
#include "http/h2/internal.h"

enum {
    preface_bytes = 24,
    block_bytes_max = 32768,   /* of a header block, as sent, with its CONTINUATIONs */
    block_frames_max = 16,     /* CONTINUATIONs of a block */
    data_bytes_worthy = 64,    /* DATA frames of less are noise */
    padded_bytes_worthy = 512, /* … and padded ones */
    priority_bytes = 5,        /* of the payload of PRIORITY */
};

struct frame_head {
    uint32_t length;
    uint8_t type;
    uint8_t flags;
    int32_t stream_id;
};

static int32_t decode_stream_id(const uint8_t *at)
{
    return (int32_t)((uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
                     at[3]);
}

static struct frame_head decode(const uint8_t *at)
{
    return (struct frame_head){
        .length = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2],
        .type = at[3],
        .flags = at[4],
        .stream_id = decode_stream_id(at + 5),
    };
}

int h2_count_reset(struct h2_session *session)
{
    const struct h2_options *options = &session->engine->options;
    return h2_take(&session->resets, options->resets_max, options->resets_per_s, session->now_ms)
               ? 0
               : h2_fail(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static uint32_t count_noise(struct h2_session *session)
{
    const struct h2_options *options = &session->engine->options;
    return h2_take(&session->noise, options->noise_max, options->noise_per_s, session->now_ms)
               ? NGHTTP2_NO_ERROR
               : NGHTTP2_ENHANCE_YOUR_CALM;
}

static void feed(struct h2_session *session, const uint8_t *from, const uint8_t *to)
{
    if (session->failed || from == to) {
        return;
    }
    ssize_t taken = nghttp2_session_mem_recv(session->wire, from, (size_t)(to - from));
    if (taken < 0) {
        h2_fail(session, h2_fault_of(taken));
    }
}

/* Whether a stream that the client has named before is over. RFC 9113, 5.1: after
 * END_STREAM or RST_STREAM of the client's neither HEADERS nor DATA may come. After a
 * reset of ours they may have been under way: then nghttp2 throws them away. */
static bool is_closed(const struct h2_session *session, const struct frame_head *head)
{
    return head->stream_id > session->lenient_id && (head->stream_id & 1) != 0 &&
           h2_find_stream(session, head->stream_id) == NULL;
}

/* These give what is wrong with the connection: NGHTTP2_NO_ERROR in most cases. */
static uint32_t look_at_headers(struct h2_session *session, const struct frame_head *head)
{
    session->block_bytes = head->length;
    session->block_frames = 0;
    session->in_block = (head->flags & NGHTTP2_FLAG_END_HEADERS) == 0;
    if (head->stream_id > session->last_id) {
        session->last_id = head->stream_id;
    }
    return NGHTTP2_NO_ERROR;
}

static uint32_t look_at_continuation(struct h2_session *session, const struct frame_head *head)
{
    session->block_bytes += head->length;
    session->block_frames++;
    session->in_block = (head->flags & NGHTTP2_FLAG_END_HEADERS) == 0;
    return session->block_bytes > block_bytes_max || session->block_frames > block_frames_max
               ? NGHTTP2_ENHANCE_YOUR_CALM
               : NGHTTP2_NO_ERROR;
}

static uint32_t look_at_data(struct h2_session *session, const struct frame_head *head)
{
    bool padded = (head->flags & NGHTTP2_FLAG_PADDED) != 0;
    return head->length < (padded ? padded_bytes_worthy : data_bytes_worthy) &&
                   (head->flags & NGHTTP2_FLAG_END_STREAM) == 0
               ? count_noise(session)
               : NGHTTP2_NO_ERROR;
}

/* nghttp2 ignores them all, since our SETTINGS say that we do (RFC 9218, 2.1). What depends
 * on itself was an error before (RFC 7540, 5.3.1), and whoever still sends them keeps to
 * that. */
static uint32_t look_at_priority(struct h2_session *session, const struct frame_head *head)
{
    bool on_itself = head->length == priority_bytes &&
                     decode_stream_id(session->frame_head + h2_frame_head_bytes) == head->stream_id;
    return head->stream_id == 0 || on_itself ? NGHTTP2_PROTOCOL_ERROR : count_noise(session);
}

/* Whether what came before must be known to nghttp2 first. */
static bool names_old_stream(const struct h2_session *session, const struct frame_head *head)
{
    return head->type <= NGHTTP2_HEADERS && head->stream_id <= session->last_id &&
           !session->in_block;
}

static uint32_t look_at(struct h2_session *session, const struct frame_head *head)
{
    if (session->in_block && head->type != NGHTTP2_CONTINUATION) {
        return NGHTTP2_NO_ERROR; /* nghttp2 ends the connection */
    }
    switch (head->type) {
    case NGHTTP2_CONTINUATION:
        return look_at_continuation(session, head);
    case NGHTTP2_HEADERS:
        return look_at_headers(session, head);
    case NGHTTP2_DATA:
        return look_at_data(session, head);
    case NGHTTP2_PRIORITY:
        return look_at_priority(session, head);
    default:
        return count_noise(session);
    }
}

void h2_frames_init(struct h2_session *session)
{
    session->skip = preface_bytes;
}

/* How many octets of a frame are looked at: its head, and what PRIORITY depends on. */
static size_t octets_to_judge(const struct h2_session *session)
{
    const uint8_t *head = session->frame_head;
    return session->frame_head_len < h2_frame_head_bytes || head[3] != NGHTTP2_PRIORITY ||
                   decode(head).length != priority_bytes
               ? h2_frame_head_bytes
               : sizeof(session->frame_head);
}

/* False: it takes more octets to judge the frame. */
static bool take_frame_head(struct h2_session *session, const uint8_t **at, const uint8_t *end)
{
    size_t wanted;
    while ((wanted = octets_to_judge(session)) > session->frame_head_len) {
        size_t need = wanted - session->frame_head_len;
        size_t len = (size_t)(end - *at) < need ? (size_t)(end - *at) : need;
        if (len == 0) {
            return false;
        }
        memcpy(session->frame_head + session->frame_head_len, *at, len);
        *at += len;
        session->frame_head_len = (uint8_t)(session->frame_head_len + len);
    }
    return true;
}

/* begin is where the head of the frame begins, as far as it is in these bytes. Gives how
 * far nghttp2 was fed. */
static const uint8_t *judge(struct h2_session *session, const uint8_t *fed, const uint8_t *begin)
{
    struct frame_head head = decode(session->frame_head);
    session->skip = head.length - (session->frame_head_len - h2_frame_head_bytes);
    session->frame_head_len = 0;
    if (names_old_stream(session, &head)) {
        feed(session, fed, begin);
        fed = begin;
        if (is_closed(session, &head)) {
            h2_fail(session, NGHTTP2_STREAM_CLOSED);
            return fed;
        }
    }
    uint32_t fault = look_at(session, &head);
    if (fault != NGHTTP2_NO_ERROR) {
        feed(session, fed, begin);
        h2_fail(session, fault);
    }
    return fed;
}

void h2_receive(struct h2_session *session, struct span bytes, uint64_t now_ms)
{
    const uint8_t *at = bytes.ptr;
    const uint8_t *fed = at;
    const uint8_t *end = at + bytes.len;
    session->now_ms = now_ms;
    if (nghttp2_session_want_read(session->wire) == 0) {
        return; /* GOAWAY has gone out */
    }
    while (at < end && !session->failed) {
        const uint8_t *begin = at;
        if (session->skip > 0) {
            size_t len = (size_t)(end - at) < session->skip ? (size_t)(end - at) : session->skip;
            session->skip -= (uint32_t)len;
            at += len;
        } else if (take_frame_head(session, &at, end)) {
            fed = judge(session, fed, begin);
        }
    }
    feed(session, fed, at);
    if (session->head != NULL) {
        h2_schedule(session, session->waits_since_ms + session->engine->options.head_ms);
    }
}
