/* SPDX-License-Identifier: MIT */
/* Request heads, line by line, each octet looked at once.
 *
 * The verdict is a function of the bytes alone, however they were split into reads: a line
 * is judged when it is complete, and before that only for octets that no line may hold.
 * So whatever step finds something wrong, or runs out of bytes, asks judge_line. */
#include "http/h1/parse.h"

#include "http/h1/reader.h"
#include "http/method.h"
#include "http/scan.h"

#include <assert.h>

enum { leading_lines_max = 4 };

static inline const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end)
{
    if (at < end && *at == ' ') {
        at++; /* nearly always exactly one */
    }
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

static bool at_line_end(const uint8_t *at, const uint8_t *end)
{
    return end - at > 1 && memcmp(at, "\r\n", 2) == 0;
}

/* What a line deserves that cannot be read: STEP_MORE while it is incomplete, 400 when it
 * holds a bare CR, a bare LF, NUL or another control, else status. */
static uint16_t judge_line(const struct reader *reader, uint16_t status)
{
    const uint8_t *stop = scan_value(reader->line, reader->end);
    if (stop == reader->end || (*stop == '\r' && stop + 1 == reader->end)) {
        return STEP_MORE;
    }
    return at_line_end(stop, reader->end) ? status : 400;
}

static uint16_t read_method(struct reader *reader)
{
    const uint8_t *from = reader->at;
    if (reader->end - from >= 4 && memcmp(from, "GET ", 4) == 0) {
        reader->request->method = METHOD_GET;
        reader->request->method_name = span_of(from, 3);
        reader->at = from + 4;
        return STEP_FINE;
    }
    const uint8_t *stop = scan_token(from, reader->end);
    size_t len = (size_t)(stop - from);
    if (len > h1_method_bytes_max) {
        return judge_line(reader, 501);
    }
    if (len == 0 || stop == reader->end || *stop != ' ') {
        return judge_line(reader, 400);
    }
    reader->request->method_name = span_of(from, len);
    reader->request->method = method_find(reader->request->method_name);
    reader->at = stop + 1;
    return STEP_FINE;
}

/* The octets of "http://" or "https://" at the beginning of target; 0: neither. */
static size_t scheme_prefix(struct span target)
{
    if (target.len >= 7 && span_eq_ci(span_slice(target, 0, 7), SPAN("http://"))) {
        return 7;
    }
    if (target.len >= 8 && span_eq_ci(span_slice(target, 0, 8), SPAN("https://"))) {
        return 8;
    }
    return 0;
}

/* RFC 9112, 3.2.2. False: no target of ours. */
static bool split_absolute(struct reader *reader, struct span target)
{
    size_t from = scheme_prefix(target);
    if (from == 0) {
        return false;
    }
    struct request *request = reader->request;
    size_t query = span_find(target, from, '?');
    size_t path = span_find(span_slice(target, 0, query), from, '/');
    reader->authority = span_slice(target, from, path);
    request->absolute_scheme = span_slice(target, 0, from - 3);
    /* An empty path means "/" (RFC 9110, 4.2.3); the slash before the authority is one. */
    request->path =
        path < query ? span_slice(target, path, query) : span_slice(target, from - 1, from);
    if (query < target.len) {
        request->query = span_from(target, query + 1);
    }
    return true;
}

/* Whether a target that is no path has a form that its method allows (RFC 9112, 3.2). */
static bool split_other_form(struct reader *reader)
{
    if (span_eq(reader->other_target, SPAN("*"))) {
        reader->request->path = reader->other_target;
        return reader->request->method == METHOD_OPTIONS;
    }
    return split_absolute(reader, reader->other_target);
}

static uint16_t read_target(struct reader *reader)
{
    const uint8_t *from = reader->at;
    const uint8_t *stop = scan_path(from, reader->end);
    const uint8_t *path_end = stop;
    if (stop < reader->end && *stop == '?') {
        stop = scan_target(stop + 1, reader->end);
    }
    if (stop == from || stop == reader->end || *stop != ' ') {
        return judge_line(reader, 400);
    }
    struct span target = span_of(from, (size_t)(stop - from));
    if (target.len > h1_target_bytes_max) {
        return judge_line(reader, 414);
    }
    if (*from == '/') {
        reader->request->path = span_of(from, (size_t)(path_end - from));
        if (path_end < stop) {
            reader->request->query = span_of(path_end + 1, (size_t)(stop - path_end) - 1);
        }
    } else {
        reader->other_target = target;
    }
    reader->at = stop + 1;
    return STEP_FINE;
}

/* Of eight octets: "HTTP/" DIGIT "." DIGIT (RFC 9112, 2.3). */
static uint16_t read_version(struct reader *reader)
{
    const uint8_t *from = reader->at;
    if (reader->end - from >= 10 && memcmp(from, "HTTP/1.1\r\n", 10) == 0) {
        reader->request->version_minor = 1;
        reader->at = from + 10;
        return STEP_FINE;
    }
    if (!(reader->end - from >= 10 && at_line_end(from + 8, reader->end) &&
          memcmp(from, "HTTP/", 5) == 0 && ascii_is_digit(from[5]) && from[6] == '.' &&
          ascii_is_digit(from[7]))) {
        return judge_line(reader, 400);
    }
    if (from[5] != '1') {
        return from[5] == '0' ? 400 : 505;
    }
    reader->request->version_minor = from[7] == '0' ? 0 : 1;
    reader->at = from + 10;
    return STEP_FINE;
}

static uint16_t read_request_line(struct reader *reader)
{
    uint16_t step = read_method(reader);
    if (step == STEP_FINE) {
        step = read_target(reader);
    }
    if (step == STEP_FINE) {
        step = read_version(reader);
    }
    if (step != STEP_FINE) {
        return step;
    }
    if (reader->request->method == METHOD_CONNECT) {
        return 501;
    }
    return reader->other_target.ptr == NULL || split_other_form(reader) ? STEP_FINE : 400;
}

/* Reads one field line; gives where the next one begins, NULL: none that is well formed
 * and complete. */
static inline const uint8_t *read_field(const uint8_t *from, const uint8_t *end,
                                        struct field *field)
{
    const uint8_t *colon = scan_name(from, end);
    if (colon == from || colon == end || *colon != ':') {
        return NULL;
    }
    const uint8_t *value = skip_blanks(colon + 1, end);
    const uint8_t *stop = scan_value(value, end);
    if (!at_line_end(stop, end)) {
        return NULL;
    }
    const uint8_t *next = stop + 2;
    while (stop > value && stop[-1] <= ' ') {
        stop--;
    }
    field->name = span_of(from, (size_t)(colon - from));
    field->value = span_of(value, (size_t)(stop - value));
    return next;
}

/* The fields and the place behind them; STEP_FINE: an empty line should follow. */
static uint16_t read_field_lines(struct reader *reader)
{
    const uint8_t *end = reader->end;
    const uint8_t *at = reader->at;
    struct field *field = reader->fields;
    const struct field *last = field + request_fields_max;
    uint16_t status = STEP_FINE;
    while (at == end || *at != '\r') {
        if (field == last) {
            status = 431;
            break;
        }
        const uint8_t *next = read_field(at, end, field);
        if (next == NULL) {
            status = 400;
            break;
        }
        if (reader_may_note(field->name)) {
            reader_note(reader, field);
        }
        at = next;
        field++;
    }
    reader->line = at;
    reader->at = at;
    reader->request->field_count = (size_t)(field - reader->fields);
    return status;
}

/* Up to and with the empty line. */
static uint16_t read_fields(struct reader *reader)
{
    reader->in_fields = true;
    uint16_t status = read_field_lines(reader);
    if (status != STEP_FINE) {
        return judge_line(reader, status);
    }
    if (!at_line_end(reader->at, reader->end)) {
        return judge_line(reader, 400);
    }
    reader->at += 2;
    return reader_finish(reader);
}

/* RFC 9112, 2.2: a few clients send CRLF after a body. */
static uint16_t skip_leading_lines(struct reader *reader)
{
    for (int lines = 0; reader->at < reader->end && *reader->at == '\r'; lines++) {
        reader->line = reader->at;
        if (lines == leading_lines_max || !at_line_end(reader->at, reader->end)) {
            return judge_line(reader, 400);
        }
        reader->at += 2;
    }
    reader->line = reader->at;
    return STEP_FINE;
}

static uint16_t read_head(struct reader *reader)
{
    uint16_t step = STEP_FINE;
    if (*reader->at == '\r') {
        step = skip_leading_lines(reader);
    }
    if (step == STEP_FINE) {
        step = read_request_line(reader);
    }
    return step == STEP_FINE ? read_fields(reader) : step;
}

/* What a head deserves that does not end within request_head_bytes_max: which part of it
 * is too long? */
static uint16_t judge_endless(const struct reader *reader)
{
    struct span method = reader->request->method_name;
    if (reader->in_fields) {
        return 431;
    }
    if (method.ptr == NULL) {
        size_t len = (size_t)(scan_token(reader->line, reader->end) - reader->line);
        return len > h1_method_bytes_max ? 501 : 400;
    }
    return reader->at == method.ptr + method.len + 1 ? 414 : 400;
}

/* Whether what has arrived since the last look can change the verdict: it then holds an
 * end of line or an octet that no line may hold. The octet before it may be a CR that
 * waits for its LF. */
static bool worth_a_look(struct span bytes, size_t scanned)
{
    if (scanned == 0 || bytes.len >= request_head_bytes_max) {
        return true;
    }
    const uint8_t *end = bytes.ptr + bytes.len;
    return scan_value(bytes.ptr + scanned - 1, end) != end;
}

static uint16_t read_from_start(struct reader *reader, struct span bytes, struct h1_head *head)
{
    bool long_enough = bytes.len >= request_head_bytes_max;
    head->request = (struct request){.version_major = 1, .port = -1, .fields = head->fields};
    *reader = (struct reader){
        .at = bytes.ptr,
        .end = bytes.ptr + (long_enough ? request_head_bytes_max : bytes.len),
        .line = bytes.ptr,
        .request = &head->request,
        .host_lower = head->host_lower,
        .fields = head->fields,
    };
    uint16_t step = read_head(reader);
    return step == STEP_MORE && long_enough ? judge_endless(reader) : step;
}

enum h1_result h1_parse(struct span bytes, size_t *scanned, struct h1_head *head, size_t *used,
                        uint16_t *status)
{
    struct reader reader;
    assert(*scanned <= bytes.len);
    if (bytes.len == 0) {
        return H1_MORE;
    }
    uint16_t step =
        worth_a_look(bytes, *scanned) ? read_from_start(&reader, bytes, head) : STEP_MORE;
    switch (step) {
    case STEP_FINE:
        *used = (size_t)(reader.at - bytes.ptr);
        return H1_DONE;
    case STEP_MORE:
        *scanned = bytes.len;
        return H1_MORE;
    default:
        *status = step;
        return H1_BAD;
    }
}
