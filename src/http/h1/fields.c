/* SPDX-License-Identifier: MIT */
/* The fields of a request that the protocol itself gives a meaning to. */
#include "http/h1/reader.h"

#include "http/field.h"
#include "uri/host.h"

#include <assert.h>

static_assert(host_bytes_max <= sizeof(((struct h1_head *)0)->host_lower),
              "host_from_request writes host_bytes_max bytes");

static void note_once(struct once *once, struct span value)
{
    if (once->count++ == 0) {
        once->value = value;
    }
}

/* Lists are rare: kept out of the way of the common fields. */
static __attribute__((noinline)) void note_options(struct reader *reader, struct span list)
{
    struct span option;
    while (field_list_next(&list, &option)) {
        reader->says_close |= span_eq_ci(option, SPAN("close"));
        reader->says_keep_alive |= span_eq_ci(option, SPAN("keep-alive"));
    }
}

static void note_connection(struct reader *reader, struct span value)
{
    if (value.len == 10 && scan_is(value.ptr, "keep-alive", 10)) {
        reader->says_keep_alive = true;
    } else {
        note_options(reader, value);
    }
}

void reader_note(struct reader *reader, const struct field *field)
{
    struct span name = field->name;
    struct span value = field->value;
    switch (name.len) {
    case 4:
        if (scan_is(name.ptr, "host", 4)) {
            note_once(&reader->host, value);
        }
        break;
    case 6:
        if (scan_is(name.ptr, "expect", 6)) {
            known_expect(&reader->expectations, value);
            break;
        }
        known_note(&reader->request->known, name, value);
        break;
    case 9:
    case 12:
    case 15:
        known_note(&reader->request->known, name, value);
        break;
    case 10:
        if (scan_is(name.ptr, "connection", 10)) {
            note_connection(reader, value);
        }
        break;
    case 14:
        if (scan_is(name.ptr, "content-length", 14)) {
            note_once(&reader->content_length, value);
        }
        break;
    case 17:
        if (scan_is(name.ptr, "transfer-encoding", 17)) {
            note_once(&reader->transfer_encoding, value);
        }
        break;
    default:
        break;
    }
}

/* Codings before a final "chunked" are well framed but unknown here: 501 (RFC 9112, 6.1).
 * With any other final coding nobody knows where the body ends: 400 (6.3). */
static uint16_t judge_codings(struct span codings)
{
    struct span coding;
    bool chunked_last = false;
    while (field_list_next(&codings, &coding)) {
        if (chunked_last) {
            return 400;
        }
        chunked_last = span_eq_ci(coding, SPAN("chunked"));
    }
    return chunked_last ? 501 : 400;
}

static uint16_t finish_transfer_encoding(struct reader *reader)
{
    struct span value = reader->transfer_encoding.value;
    bool ambiguous = reader->transfer_encoding.count > 1 || reader->content_length.count > 0 ||
                     reader->request->version_minor == 0;
    if (ambiguous) {
        return 400;
    }
    if (!span_eq_ci(value, SPAN("chunked"))) {
        return judge_codings(value);
    }
    reader->request->body = BODY_CHUNKED;
    return STEP_FINE;
}

static uint16_t finish_framing(struct reader *reader)
{
    if (reader->transfer_encoding.count > 0) {
        return finish_transfer_encoding(reader);
    }
    if (reader->content_length.count == 0) {
        return STEP_FINE;
    }
    uint64_t length;
    if (reader->content_length.count > 1 ||
        !span_decimal(reader->content_length.value, H1_BODY_BYTES_MAX, &length)) {
        return 400;
    }
    reader->request->body = length > 0 ? BODY_LENGTH : BODY_NONE;
    reader->request->content_length = length;
    return STEP_FINE;
}

static uint16_t finish_expectation(struct reader *reader)
{
    struct request *request = reader->request;
    if (request->version_minor == 0) {
        return STEP_FINE;
    }
    request->expect_continue = reader->expectations.for_continue && request->body != BODY_NONE;
    return reader->expectations.for_other ? 417 : STEP_FINE;
}

/* Host is checked even when the target's authority wins over it (RFC 9112, 3.2 and
 * 3.2.2): a bad one is what a smuggler would send past another server. */
static uint16_t finish_host(struct reader *reader)
{
    struct host_port found = {.port = -1};
    if (reader->host.count > 1 || (reader->host.count == 0 && reader->request->version_minor > 0)) {
        return 400;
    }
    if (reader->host.count == 1 &&
        host_from_request(reader->host.value, reader->host_lower, &found) != ERR_NONE) {
        return 400;
    }
    if (reader->authority.ptr != NULL &&
        host_from_request(reader->authority, reader->host_lower, &found) != ERR_NONE) {
        return 400;
    }
    reader->request->host = found.host;
    reader->request->port = found.port;
    return STEP_FINE;
}

uint16_t reader_finish(struct reader *reader)
{
    struct request *request = reader->request;
    request->keep_alive =
        !reader->says_close && (request->version_minor > 0 || reader->says_keep_alive);
    uint16_t status = finish_host(reader);
    if (status == STEP_FINE) {
        status = finish_framing(reader);
    }
    if (status == STEP_FINE) {
        status = finish_expectation(reader);
    }
    return status;
}
