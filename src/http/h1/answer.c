/* SPDX-License-Identifier: MIT */
/* Response heads. A head is judged when all of it is there, but for its first octets, which
 * say early that something else than HTTP/1 is spoken. */
#include "http/h1/answer.h"

#include "http/field.h"
#include "http/h1/fieldline.h"
#include "http/scan.h"

/* Of a field that must not be repeated: how often, and the first value. */
struct single {
    size_t count;
    struct span value;
};

struct framing {
    struct single content_length;
    struct single transfer_encoding;
    struct single upgrade;
};

/* "HTTP/1." DIGIT SP 3DIGIT, then SP and a reason, or nothing: some leave the space out. */
static bool read_status_line(const uint8_t *at, const uint8_t *end, struct h1_answer *out)
{
    if (end - at < 12 || memcmp(at, "HTTP/1.", 7) != 0 || !ascii_is_digit(at[7]) || at[8] != ' ' ||
        !ascii_is_digit(at[9]) || !ascii_is_digit(at[10]) || !ascii_is_digit(at[11])) {
        return false;
    }
    out->version_minor = at[7] == '0' ? 0 : 1;
    out->status = (uint16_t)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    bool reason_sound = end - at == 12 || (at[12] == ' ' && scan_value(at + 12, end) == end);
    return reason_sound && out->status >= 100 && out->status <= 599;
}

static void note(struct single *single, struct span value)
{
    if (single->count++ == 0) {
        single->value = value;
    }
}

static void note_framing(struct framing *framing, const struct field *field)
{
    struct span name = field->name;
    if (name.len == 14 && scan_is(name.ptr, "content-length", 14)) {
        note(&framing->content_length, field->value);
    } else if (name.len == 17 && scan_is(name.ptr, "transfer-encoding", 17)) {
        note(&framing->transfer_encoding, field->value);
    } else if (name.len == 7 && scan_is(name.ptr, "upgrade", 7)) {
        note(&framing->upgrade, field->value);
    }
}

/* from: behind the status line. end: behind the empty line. */
static bool read_fields(const uint8_t *from, const uint8_t *end, struct framing *framing,
                        struct h1_answer *out)
{
    out->field_count = 0;
    while (from < end - 2) {
        if (out->field_count == request_fields_max) {
            return false;
        }
        struct field *field = &out->fields[out->field_count];
        from = fieldline_read(from, end, true, field);
        if (from == NULL) {
            return false;
        }
        note_framing(framing, field);
        out->field_count++;
    }
    return from == end - 2 && memcmp(from, "\r\n", 2) == 0;
}

/* No content follows, and a length is none of a representation (RFC 9110, 8.6). */
static bool is_bare(uint16_t status)
{
    return status < 200 || status == 204;
}

static bool frame_by_coding(const struct framing *framing, struct h1_answer *out)
{
    bool sound = framing->transfer_encoding.count == 1 && framing->content_length.count == 0 &&
                 out->version_minor > 0 && !is_bare(out->status) &&
                 span_eq_ci(framing->transfer_encoding.value, SPAN("chunked"));
    out->content = ANSWER_CHUNKED;
    return sound;
}

static bool frame_by_length(const struct framing *framing, struct h1_answer *out)
{
    if (framing->content_length.count != 1 ||
        !span_decimal(framing->content_length.value, H1_BODY_BYTES_MAX, &out->content_length)) {
        return false;
    }
    out->has_length = !is_bare(out->status);
    out->content = out->content_length > 0 ? ANSWER_LENGTH : ANSWER_NONE;
    return out->has_length || out->content_length == 0;
}

/* RFC 9112, 6.3. */
static bool read_framing(const struct framing *framing, bool head, struct h1_answer *out)
{
    bool sound = true;
    out->has_length = false;
    out->content_length = 0;
    if (framing->transfer_encoding.count > 0) {
        sound = frame_by_coding(framing, out);
    } else if (framing->content_length.count > 0) {
        sound = frame_by_length(framing, out);
    } else {
        out->content = ANSWER_TO_END;
    }
    if (head || is_bare(out->status) || out->status == 304) {
        out->content = ANSWER_NONE;
    }
    return sound;
}

static void drop_hops(const struct hops *hops, struct h1_answer *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < out->field_count; i++) {
        struct span name = out->fields[i].name;
        bool length = name.len == 14 && scan_is(name.ptr, "content-length", 14);
        if (!length && !hops_hold(hops, name)) {
            out->fields[kept++] = out->fields[i];
        }
    }
    out->field_count = kept;
}

static bool finish(const struct framing *framing, bool head, struct h1_answer *out)
{
    struct hops hops;
    if (!hops_read(out->fields, out->field_count, &hops) || !read_framing(framing, head, out)) {
        return false;
    }
    out->keep_alive =
        out->content != ANSWER_TO_END && !hops.close && (out->version_minor > 0 || hops.keep_alive);
    out->upgrade = (struct span){0};
    if (out->status == 101) {
        out->upgrade = framing->upgrade.value;
        if (framing->upgrade.count != 1 || !hops.upgrade || out->upgrade.len == 0) {
            return false;
        }
    }
    drop_hops(&hops, out);
    return true;
}

static bool read_head(struct span head_bytes, bool head, struct h1_answer *out)
{
    const uint8_t *at = head_bytes.ptr;
    const uint8_t *end = at + head_bytes.len;
    struct framing framing = {0};
    const uint8_t *line_end = at + span_find(head_bytes, 0, '\r');
    if (end - line_end < 4 || line_end[1] != '\n' || !read_status_line(at, line_end, out)) {
        return false;
    }
    return read_fields(line_end + 2, end, &framing, out) && finish(&framing, head, out);
}

/* Where the head ends, whichever line ends it uses; 0: not here. */
static size_t find_end(struct span bytes, size_t from)
{
    size_t at = span_find(bytes, from, '\n');
    while (at + 1 < bytes.len) {
        const uint8_t *next = bytes.ptr + at + 1;
        if (*next == '\n') {
            return at + 2;
        }
        if (*next == '\r' && at + 2 < bytes.len && next[1] == '\n') {
            return at + 3;
        }
        at = span_find(bytes, at + 1, '\n');
    }
    return 0;
}

/* Whether it can still become a status line. */
static bool begins_well(struct span bytes)
{
    struct span begin = SPAN("HTTP/1.");
    size_t len = bytes.len < begin.len ? bytes.len : begin.len;
    return memcmp(bytes.ptr, begin.ptr, len) == 0;
}

enum h1_result h1_answer_parse(struct span bytes, size_t *scanned, bool head, struct h1_answer *out,
                               size_t *used)
{
    if (bytes.len > 0 && !begins_well(bytes)) {
        return H1_BAD;
    }
    /* The last two octets may be half of an end. */
    size_t end = find_end(bytes, *scanned > 2 ? *scanned - 2 : 0);
    if (end == 0) {
        *scanned = bytes.len;
        return bytes.len < h1_answer_head_bytes_max ? H1_MORE : H1_BAD;
    }
    if (end > h1_answer_head_bytes_max || !read_head(span_slice(bytes, 0, end), head, out)) {
        return H1_BAD;
    }
    *used = end;
    return H1_DONE;
}

void h1_answer_body(const struct h1_answer *answer, struct h1_body *body)
{
    static const enum body_kind kinds[] = {
        [ANSWER_NONE] = BODY_NONE, [ANSWER_LENGTH] = BODY_LENGTH, [ANSWER_CHUNKED] = BODY_CHUNKED};
    struct request like = {.body = kinds[answer->content],
                           .content_length = answer->content_length};
    h1_body_init(body, &like);
}
