/* SPDX-License-Identifier: MIT */
/* Engines and sessions: their beginning and end, bytes in and bytes out. */
#include "http/h2/session.h"

#include "http/h2/flow.h"

#include <stdlib.h>

enum {
    pings_max = 1000, /* answers to PING and SETTINGS that wait */
    list_bytes_advertised = request_head_bytes_max + 32 * request_fields_max,
};

static const struct h2_options usual_options = {
    .streams_max = 100,
    .stream_window_bytes = 1 << 20,
    .window_bytes = 16 << 20,
    .memory_bytes_max = 256 << 10,
    .drain_bytes = 1 << 30,
    .drain_ms = 60000,
    .late_reset_ms = 200,
    .stall_ms = 8000,
    .head_ms = 8000,
    .content_idle_ms = 8000,
    .resets_max = 500,
    .resets_per_s = 33,
    .noise_max = 1000,
    .noise_per_s = 200,
};

static void fill_options(struct h2_options *options)
{
#define FILL(name)                          \
    if (options->name == 0) {               \
        options->name = usual_options.name; \
    }
    FILL(streams_max)
    FILL(stream_window_bytes)
    FILL(window_bytes)
    FILL(memory_bytes_max)
    FILL(drain_bytes)
    FILL(drain_ms)
    FILL(late_reset_ms)
    FILL(stall_ms)
    FILL(head_ms)
    FILL(content_idle_ms)
    FILL(resets_max)
    FILL(resets_per_s)
    FILL(noise_max)
    FILL(noise_per_s)
#undef FILL
}

/* head.c looks after messaging, frames.c after resets and CONTINUATIONs: nghttp2's own limits
 * are out of reach. */
static void set_wire_options(nghttp2_option *options)
{
    nghttp2_option_set_no_http_messaging(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_no_auto_window_update(options, 1); /* see on_data_chunk */
    nghttp2_option_set_max_outbound_ack(options, pings_max);
    nghttp2_option_set_stream_reset_rate_limit(options, UINT32_MAX, UINT32_MAX);
    nghttp2_option_set_max_continuations(options, 64);
}

struct h2_engine *h2_engine_new(const struct h2_options *options, h2_request_fn answer)
{
    struct h2_engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return NULL;
    }
    engine->options = *options;
    engine->answer = answer;
    fill_options(&engine->options);
    if (!h2_pool_init(&engine->pool) || nghttp2_session_callbacks_new(&engine->callbacks) != 0 ||
        nghttp2_option_new(&engine->wire_options) != 0) {
        h2_engine_free(&engine);
        return NULL;
    }
    h2_set_receive_callbacks(engine->callbacks);
    set_wire_options(engine->wire_options);
    return engine;
}

void h2_engine_free(struct h2_engine **engine)
{
    if (*engine == NULL) {
        return;
    }
    nghttp2_session_callbacks_del((*engine)->callbacks);
    nghttp2_option_del((*engine)->wire_options);
    h2_pool_fini(&(*engine)->pool);
    free((*engine)->spare_head);
    free(*engine);
    *engine = NULL;
}

const struct h2_counters *h2_engine_counters(const struct h2_engine *engine)
{
    return &engine->counters;
}

static int submit_settings(struct h2_session *session)
{
    const struct h2_options *options = &session->engine->options;
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, list_bytes_advertised},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int error = nghttp2_submit_settings(session->wire, NGHTTP2_FLAG_NONE, entries,
                                        sizeof(entries) / sizeof(entries[0]));
    return error != 0 ? error
                      : nghttp2_session_set_local_window_size(session->wire, NGHTTP2_FLAG_NONE, 0,
                                                              (int32_t)options->window_bytes);
}

static int open_wire(struct h2_session *session)
{
    const struct h2_engine *engine = session->engine;
    nghttp2_mem mem = {
        .mem_user_data = &session->account,
        .malloc = h2_mem_malloc,
        .free = h2_mem_free,
        .calloc = h2_mem_calloc,
        .realloc = h2_mem_realloc,
    };
    int error = nghttp2_session_server_new3(&session->wire, engine->callbacks, session,
                                            engine->wire_options, &mem);
    return error != 0 ? error : submit_settings(session);
}

struct h2_session *h2_new(struct h2_engine *engine, void *context, uint64_t now_ms)
{
    const struct h2_options *options = &engine->options;
    struct h2_session *session = malloc(sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    *session = (struct h2_session){
        .engine = engine,
        .context = context,
        .account = {.pool = &engine->pool,
                    .used = sizeof(*session),
                    .max = options->memory_bytes_max},
        .now_ms = now_ms,
        .next_ms = now_ms + options->head_ms,
        .waits_since_ms = now_ms,
        .goaway_ms = UINT64_MAX,
        .resets = {.left = options->resets_max, .counted_ms = now_ms},
        .noise = {.left = options->noise_max, .counted_ms = now_ms},
    };
    h2_frames_init(session);
    if (open_wire(session) != 0) {
        h2_free(&session);
    }
    return session;
}

static void free_stream(struct h2_session *session, struct h2_stream *stream)
{
    if (stream->passing != NULL) {
        h2_flow_free(stream);
    }
    h2_release(&session->account, stream);
}

static void let_go(struct h2_session *session)
{
    struct h2_stream *stream = session->leaving;
    session->leaving = NULL;
    if (stream != NULL && stream->closed) {
        free_stream(session, stream);
    }
}

void h2_free(struct h2_session **session)
{
    if (*session == NULL) {
        return;
    }
    nghttp2_session_del((*session)->wire);
    let_go(*session);
    while ((*session)->streams != NULL) {
        h2_close_stream(*session, (*session)->streams);
    }
    if ((*session)->head != NULL) {
        h2_drop_head(*session);
    }
    free(*session);
    *session = NULL;
}

struct h2_stream *h2_find_stream(const struct h2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session->wire, stream_id);
}

void h2_close_stream(struct h2_session *session, struct h2_stream *stream)
{
    struct h2_counters *counters = &session->engine->counters;
    if (stream->next != NULL) {
        stream->next->prev = stream->prev;
    }
    if (stream->prev != NULL) {
        stream->prev->next = stream->next;
    } else {
        session->streams = stream->next;
    }
    if (stream->body_open) {
        session->open_bodies--;
        session->unflushed -= stream->state == STREAM_ANSWERED;
        bool wanted = h2_flows(stream);
        counters->bodies_not_sent += !wanted && stream->received == 0;
        counters->bodies_cut += !wanted && stream->received > 0;
    }
    if (stream->passing != NULL) {
        h2_flow_closed(stream);
    }
    stream->closed = true;
    if (stream != session->leaving) {
        free_stream(session, stream);
    }
}

int h2_fail(struct h2_session *session, uint32_t code)
{
    if (!session->failed) {
        session->failed = true;
        session->fault = code;
    }
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int reset(struct h2_session *session, int32_t stream_id, uint32_t code)
{
    if (stream_id > session->lenient_id) {
        session->lenient_id = stream_id;
    }
    int error = nghttp2_submit_rst_stream(session->wire, NGHTTP2_FLAG_NONE, stream_id, code);
    return error == 0 ? 0 : h2_fail(session, h2_fault_of(error));
}

int h2_reset_for_fault(struct h2_session *session, int32_t stream_id, uint32_t code)
{
    int result = reset(session, stream_id, code);
    return result == 0 ? h2_count_reset(session) : result;
}

void h2_reset_stream(struct h2_session *session, int32_t stream_id, uint32_t code)
{
    reset(session, stream_id, code);
}

void h2_reset_late(struct h2_session *session, struct h2_stream *stream)
{
    stream->reset = true;
    reset(session, stream->id, NGHTTP2_NO_ERROR);
    if (session->head != NULL && session->head->stream_id == stream->id) {
        h2_drop_head(session); /* its trailers were under way; nghttp2 will not speak of them */
    }
}

uint32_t h2_fault_of(ssize_t error)
{
    switch (error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return NGHTTP2_PROTOCOL_ERROR;
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_SETTINGS:
    case NGHTTP2_ERR_NOMEM:
        return NGHTTP2_ENHANCE_YOUR_CALM;
    default:
        return NGHTTP2_INTERNAL_ERROR;
    }
}

static uint8_t *put_frame_head(uint8_t *at, uint8_t length, uint8_t type)
{
    memset(at, 0, h2_frame_head_bytes);
    at[2] = length;
    at[3] = type;
    return at + h2_frame_head_bytes;
}

static uint8_t *put_word(uint8_t *at, uint32_t word)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(word >> (24 - 8 * i));
    }
    return at + 4;
}

/* nghttp2 must not be asked any more. SETTINGS come first whatever follows (RFC 9113,
 * 3.4). */
static void write_fault(struct h2_session *session)
{
    uint8_t *at = session->fault_frames;
    if (!session->began_sending) {
        at = put_frame_head(at, 0, NGHTTP2_SETTINGS);
    }
    at = put_frame_head(at, h2_goaway_bytes, NGHTTP2_GOAWAY);
    at = put_word(at, (uint32_t)nghttp2_session_get_last_proc_stream_id(session->wire));
    at = put_word(at, session->fault);
    session->pending = span_of(session->fault_frames, (size_t)(at - session->fault_frames));
    session->fault_written = true;
    session->engine->counters.goaways_sent++;
}

/* While nghttp2 makes a frame it says whose HEADERS they are, and may close the stream. */
static ssize_t make_frame(struct h2_session *session)
{
    const uint8_t *bytes = NULL;
    let_go(session);
    ssize_t len = nghttp2_session_mem_send(session->wire, &bytes);
    if (len > 0) {
        struct span made = span_of(bytes, (size_t)len);
        session->pending = session->leaving != NULL ? h2_frame(session->leaving, made) : made;
    }
    return len;
}

/* Fills pending. False: there is nothing to send. */
static bool next_frame(struct h2_session *session)
{
    if (!session->failed) {
        ssize_t len = make_frame(session);
        if (len >= 0) {
            return len > 0;
        }
        h2_fail(session, h2_fault_of(len));
    }
    if (session->fault_written) {
        return false;
    }
    write_fault(session);
    return true;
}

bool h2_send(struct h2_session *session, struct buffer *out)
{
    while (session->pending.len > 0 || next_frame(session)) {
        size_t room = out->cap - out->len;
        struct span pending = session->pending;
        size_t len = pending.len < room ? pending.len : room;
        if (len == 0) {
            return true;
        }
        memcpy(out->ptr + out->len, pending.ptr, len);
        out->len += len;
        session->pending = span_from(pending, len);
        session->began_sending = true;
    }
    return false;
}

bool h2_idle(const struct h2_session *session)
{
    return session->streams == NULL && session->head == NULL;
}

bool h2_ended(const struct h2_session *session)
{
    if (session->pending.len > 0) {
        return false;
    }
    return session->failed ? session->fault_written
                           : nghttp2_session_want_read(session->wire) == 0 &&
                                 nghttp2_session_want_write(session->wire) == 0;
}
