/* SPDX-License-Identifier: MIT */
/* Streams whose content and answer flow through. */
#include "http/h2/internal.h"

void h2_engine_set_flow(struct h2_engine *engine, const struct h2_flow *flow)
{
    (void)engine;
    (void)flow;
}
struct h2_stream *h2_pass(struct h2_session *session, void *owner)
{
    (void)session;
    (void)owner;
    return NULL;
}
void h2_stream_resume(struct h2_stream *stream)
{
    (void)stream;
}
void h2_stream_run(struct h2_stream *stream)
{
    (void)stream;
}
bool h2_stream_writable(const struct h2_stream *stream)
{
    (void)stream;
    return false;
}
void h2_stream_continue(struct h2_stream *stream)
{
    (void)stream;
}
void h2_stream_inform(struct h2_stream *stream, uint16_t status, const struct field *fields,
                      size_t count)
{
    (void)stream;
    (void)status;
    (void)fields;
    (void)count;
}
void h2_stream_begin(struct h2_stream *stream, uint16_t status, const struct field *fields,
                     size_t count, uint64_t length)
{
    (void)stream;
    (void)status;
    (void)fields;
    (void)count;
    (void)length;
}
size_t h2_stream_write(struct h2_stream *stream, struct span bytes)
{
    (void)stream;
    return bytes.len;
}
void h2_stream_end(struct h2_stream *stream, const struct field *trailers, size_t count)
{
    (void)stream;
    (void)trailers;
    (void)count;
}
void h2_stream_answer(struct h2_stream *stream, const struct response *response)
{
    (void)stream;
    (void)response;
}
void h2_stream_abort(struct h2_stream *stream)
{
    (void)stream;
}
void h2_stream_disown(struct h2_stream *stream)
{
    (void)stream;
}
