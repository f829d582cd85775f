/* SPDX-License-Identifier: MIT */
/* nghttp2's own checks of names, values and their order are switched off: these do the
 * same by blocks of octets, and know what HTTP/1.1 would have answered. */
#include "http/h2/head.h"

#include "http/field.h"
#include "http/method.h"

#include <assert.h>

static_assert(sizeof(((struct h2_head *)0)->host_lower) >= host_bytes_max,
              "host_from_request writes host_bytes_max bytes");

/* What a field takes of request_head_bytes_max: as a line of HTTP/1.1 would, ": " and
 * CRLF. */
enum { line_overhead = 4, list_overhead = 32 };

void h2_head_begin(struct h2_head *head, int32_t stream_id, bool trailers)
{
    memset(head, 0, offsetof(struct h2_head, host_lower));
    head->request.version_major = 2;
    head->request.port = -1;
    head->request.keep_alive = true;
    head->request.fields = head->fields;
    head->stream_id = stream_id;
    head->trailers = trailers;
}

/* Names and short values have 4 to 16 octets. */
static inline void copy_octets(uint8_t *to, struct span from)
{
    if (from.len - 8 <= 8) {
        memcpy(to, from.ptr, 8);
        memcpy(to + from.len - 8, from.ptr + from.len - 8, 8);
    } else if (from.len - 4 < 4) {
        memcpy(to, from.ptr, 4);
        memcpy(to + from.len - 4, from.ptr + from.len - 4, 4);
    } else if (from.len > 0) {
        memcpy(to, from.ptr, from.len);
    }
}

/* False: there is no room, which means 431. The text never grows beyond what was charged. */
static bool charge(struct h2_head *head, size_t bytes)
{
    head->too_large |= bytes > request_head_bytes_max - head->head_bytes;
    if (!head->too_large) {
        head->head_bytes += bytes;
    }
    return !head->too_large;
}

/* The caller has charged it. */
static struct span keep(struct h2_head *head, struct span octets)
{
    uint8_t *to = head->text + head->text_bytes;
    copy_octets(to, octets);
    head->text_bytes += octets.len;
    return span_of(to, octets.len);
}

#if defined(__SSE2__)
/* Whether the first octets of a block, up to len of them, are all of the class. */
static inline bool block_is(__m128i usual, size_t len)
{
    uint32_t mask = (uint32_t)_mm_movemask_epi8(usual);
    return (len >= 16 ? ~mask & 0xffff : ~mask & ((1u << len) - 1)) == 0;
}

static inline __m128i block_at(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline bool name_is_usual(struct span name)
{
    __m128i block = block_at(name.ptr);
    __m128i usual =
        _mm_or_si128(scan_within(block, 'a', 'z'),
                     _mm_or_si128(scan_within(block, '0', '9'), scan_equals(block, '-')));
    return name.len <= 16 && block_is(usual, name.len);
}

static inline bool value_is_usual(struct span value)
{
    for (size_t at = 0; at < value.len; at += 16) {
        if (!block_is(scan_usual_text(block_at(value.ptr + at)), value.len - at)) {
            return false;
        }
    }
    return true;
}
#else
static inline bool name_is_usual(struct span name)
{
    return false;
}

static inline bool value_is_usual(struct span value)
{
    return false;
}
#endif

/* RFC 9113, 8.2.1: a token without capitals. name is in text, with slack behind. */
static bool name_valid(struct span name)
{
    if (name.len > 0 && name_is_usual(name)) {
        return true;
    }
    for (size_t i = 0; i < name.len; i++) {
        if ((octet_classes[name.ptr[i]] & OCTET_TOKEN) == 0 ||
            ascii_lower(name.ptr[i]) != name.ptr[i]) {
            return false;
        }
    }
    return name.len > 0;
}

/* RFC 9113, 8.2.1, and no other control than HTAB (RFC 9110, 5.5). */
static bool value_valid(struct span value)
{
    if (value.len == 0) {
        return true;
    }
    const uint8_t *end = value.ptr + value.len;
    if (value.ptr[0] <= ' ' || end[-1] <= ' ') {
        return false;
    }
    return value_is_usual(value) || scan_value(value.ptr, end) == end;
}

/* RFC 9113, 8.3: known, once, before the others, not in trailers. */
static void add_pseudo(struct h2_head *head, enum h2_pseudo which, struct span value,
                       struct span *place)
{
    head->malformed |= (head->pseudo & which) != 0;
    head->pseudo |= (uint8_t)which;
    *place = value;
}

static inline bool is(struct span name, const char *word, size_t len)
{
    return memcmp(name.ptr, word, len) == 0;
}

static void note_pseudo(struct h2_head *head, struct span name, struct span value)
{
    if (head->trailers || head->field_count > 0) {
        head->malformed = true;
    } else if (name.len == 5 && is(name, ":path", 5)) {
        add_pseudo(head, PSEUDO_PATH, value, &head->path);
    } else if (name.len == 7 && is(name, ":method", 7)) {
        add_pseudo(head, PSEUDO_METHOD, value, &head->method);
    } else if (name.len == 7 && is(name, ":scheme", 7)) {
        add_pseudo(head, PSEUDO_SCHEME, value, &head->scheme);
    } else if (name.len == 10 && is(name, ":authority", 10)) {
        add_pseudo(head, PSEUDO_AUTHORITY, value, &head->authority);
    } else {
        head->malformed = true;
    }
}

/* RFC 9113, 8.2.2. name is in lower case. */
static bool is_connection_specific(struct span name, struct span value)
{
    switch (name.len) {
    case 2:
        return is(name, "te", 2) && !span_eq_ci(value, SPAN("trailers"));
    case 7:
        return is(name, "upgrade", 7);
    case 10:
        return is(name, "connection", 10) || is(name, "keep-alive", 10);
    case 16:
        return is(name, "proxy-connection", 16);
    case 17:
        return is(name, "transfer-encoding", 17);
    default:
        return false;
    }
}

static void note_once(uint8_t *count, struct span *place, struct span value)
{
    if (*count == 0) {
        *place = value;
    }
    *count = (uint8_t)(*count < 2 ? *count + 1 : 2);
}

static void note_field(struct h2_head *head, struct span name, struct span value)
{
    switch (name.len) {
    case 4:
        if (scan_is(name.ptr, "host", 4)) {
            note_once(&head->hosts, &head->host, value);
        }
        break;
    case 6:
        if (scan_is(name.ptr, "expect", 6)) {
            known_expect(&head->expectations, value);
            break;
        }
        known_note(&head->request.known, name, value);
        break;
    case 9:
    case 12:
    case 15:
        known_note(&head->request.known, name, value);
        break;
    case 14:
        if (scan_is(name.ptr, "content-length", 14)) {
            note_once(&head->lengths, &head->length, value);
        }
        break;
    default:
        break;
    }
}

/* A further crumb goes behind the first, which moves to the end of the text if something
 * has come in between. */
static void join_cookie(struct h2_head *head, struct span crumb)
{
    struct span *whole = &head->cookie->value;
    bool is_last = whole->ptr + whole->len == head->text + head->text_bytes;
    if (!is_last && !charge(head, whole->len)) {
        return;
    }
    if (!is_last) {
        *whole = keep(head, *whole);
    }
    keep(head, SPAN("; "));
    head->malformed |= !value_valid(keep(head, crumb));
    whole->len += 2 + crumb.len;
    head->request.known.cookie = *whole;
}

static void add_regular(struct h2_head *head, struct span name, struct span value)
{
    head->malformed |=
        !name_valid(name) || !value_valid(value) || is_connection_specific(name, value);
    if (head->malformed) {
        head->field_count += head->field_count == 0; /* a pseudo-header would be late now */
        return;
    }
    if (head->field_count == request_fields_max) {
        head->too_large = true;
        return;
    }
    struct field *field = &head->fields[head->field_count++];
    *field = (struct field){.name = name, .value = value};
    if (head->trailers) {
        return; /* they say nothing of the request */
    }
    note_field(head, name, value);
    if (head->cookie == NULL && head->request.known.cookie.ptr != NULL) {
        head->cookie = field;
    }
}

bool h2_head_add(struct h2_head *head, struct span name, struct span value)
{
    head->list_bytes += name.len + value.len + list_overhead;
    if (head->list_bytes > h2_list_bytes_max) {
        return false;
    }
    if (head->malformed || !charge(head, name.len + value.len + line_overhead)) {
        head->target_too_long |= span_eq(name, SPAN(":path"));
        return true;
    }
    if (head->cookie != NULL && span_eq(name, SPAN("cookie"))) {
        join_cookie(head, value);
        return true;
    }
    struct span kept_value = keep(head, value);
    if (name.len > 0 && name.ptr[0] == ':') {
        head->malformed |= !value_valid(kept_value);
        note_pseudo(head, name, kept_value);
    } else {
        add_regular(head, keep(head, name), kept_value);
    }
    return true;
}

/* A head that was too large may have lost any of them. */
static bool lacks_pseudo(const struct h2_head *head)
{
    uint8_t needed = PSEUDO_METHOD | PSEUDO_SCHEME | PSEUDO_PATH;
    if (head->too_large) {
        return false;
    }
    if (head->method.len == 7 && is(head->method, "CONNECT", 7)) {
        return (head->pseudo & needed) != PSEUDO_METHOD || head->authority.len == 0;
    }
    return (head->pseudo & needed) != needed;
}

static uint16_t finish_method(struct h2_head *head)
{
    if ((head->pseudo & PSEUDO_METHOD) == 0) {
        return 0;
    }
    if (head->method.len > request_method_bytes_max) {
        return 501;
    }
    if (!token_valid(head->method)) {
        return 400;
    }
    head->request.method_name = head->method;
    head->request.method = method_find(head->method);
    return head->request.method == METHOD_CONNECT ? 501 : 0;
}

static uint16_t split_path(struct h2_head *head)
{
    struct request *request = &head->request;
    const uint8_t *from = head->path.ptr;
    const uint8_t *end = from + head->path.len;
    const uint8_t *stop = scan_path(from, end);
    if (stop < end && (*stop != '?' || scan_target(stop + 1, end) != end)) {
        return 400;
    }
    request->path = span_of(from, (size_t)(stop - from));
    if (stop < end) {
        request->query = span_of(stop + 1, (size_t)(end - stop) - 1);
    }
    bool is_star = head->path.len == 1 && *from == '*' && request->method == METHOD_OPTIONS;
    return *from == '/' || is_star ? 0 : 400;
}

static uint16_t finish_path(struct h2_head *head)
{
    if (head->target_too_long || head->path.len > request_target_bytes_max) {
        return 414;
    }
    uint16_t status = head->path.len > 0 ? split_path(head) : 0;
    return status == 0 && head->too_large ? 431 : status;
}

static uint16_t finish_scheme(struct h2_head *head)
{
    struct span scheme = head->scheme;
    if (!(scheme.len == 5 && scan_is(scheme.ptr, "https", 5)) &&
        !(scheme.len == 4 && scan_is(scheme.ptr, "http", 4))) {
        return 400;
    }
    head->request.absolute_scheme = scheme;
    return 0;
}

/* A Host that names somebody else than :authority is what a smuggler would send past
 * another server (RFC 9113, 8.3.1). */
static bool host_contradicts(const struct h2_head *head, const struct host_port *found)
{
    uint8_t lower[host_bytes_max + 1];
    struct host_port other;
    if (span_eq(head->host, head->authority)) {
        return false;
    }
    return host_from_request(head->host, lower, &other) != ERR_NONE ||
           !span_eq(other.host, found->host) || other.port != found->port;
}

static uint16_t finish_host(struct h2_head *head)
{
    struct host_port found;
    bool has_authority = (head->pseudo & PSEUDO_AUTHORITY) != 0;
    struct span sent = has_authority ? head->authority : head->host;
    if (head->hosts > 1 || (!has_authority && head->hosts == 0) ||
        host_from_request(sent, head->host_lower, &found) != ERR_NONE) {
        return 400;
    }
    if (has_authority && head->hosts == 1 && host_contradicts(head, &found)) {
        return 400;
    }
    head->request.host = found.host;
    head->request.port = found.port;
    return 0;
}

static uint16_t finish_framing(struct h2_head *head, bool last)
{
    struct request *request = &head->request;
    uint64_t length = 0;
    if (head->lengths > 1 ||
        (head->lengths == 1 && !span_decimal(head->length, REQUEST_BODY_BYTES_MAX, &length))) {
        return 400;
    }
    request->content_length = length;
    if (head->lengths == 1) {
        request->body = length > 0 ? BODY_LENGTH : BODY_NONE;
    } else {
        request->body = last ? BODY_NONE : BODY_CHUNKED;
    }
    request->expect_continue = head->expectations.for_continue && request->body != BODY_NONE;
    return head->expectations.for_other ? 417 : 0;
}

static uint16_t finish_request(struct h2_head *head, bool last)
{
    head->request.field_count = head->field_count;
    uint16_t status = finish_method(head);
    if (status == 0) {
        status = finish_path(head);
    }
    if (status == 0) {
        status = finish_scheme(head);
    }
    if (status == 0) {
        status = finish_host(head);
    }
    return status == 0 ? finish_framing(head, last) : status;
}

enum h2_verdict h2_head_finish(struct h2_head *head, bool last, uint16_t *status)
{
    if (head->trailers) {
        return head->malformed || !last ? HEAD_MALFORMED : HEAD_FINE; /* RFC 9113, 8.1 */
    }
    if (head->malformed || lacks_pseudo(head) ||
        ((head->pseudo & PSEUDO_PATH) != 0 && head->path.len == 0)) {
        return HEAD_MALFORMED;
    }
    uint16_t refusal = finish_request(head, last);
    if (refusal != 0) {
        *status = refusal;
        return HEAD_REFUSED;
    }
    /* RFC 9113, 8.1.1: the length says what DATA would have brought. */
    return last && head->request.body != BODY_NONE ? HEAD_MALFORMED : HEAD_FINE;
}
