/* SPDX-License-Identifier: MIT */
/* Field values: lists, cookies, queries, and what may stand in a field at all. */
#include "http/field.h"

#include "http/scan.h"
#include "uri/escape.h"

struct span field_find(const struct request *request, struct span name)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (span_eq_ci(request->fields[i].name, name)) {
            return request->fields[i].value;
        }
    }
    return span_of(NULL, 0);
}

/* The place of the first comma at or after from that no quoted string holds. */
static size_t list_end(struct span list, size_t from)
{
    bool quoted = false;
    for (size_t i = from; i < list.len; i++) {
        uint8_t c = list.ptr[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (c == '\\' && quoted) {
            i++;
        } else if (c == ',' && !quoted) {
            return i;
        }
    }
    return list.len;
}

bool field_list_next(struct span *list, struct span *member)
{
    while (list->len > 0) {
        size_t end = list_end(*list, 0);
        struct span found = span_trim(span_slice(*list, 0, end));
        *list = span_from(*list, end < list->len ? end + 1 : end);
        if (found.len > 0) {
            *member = found;
            return true;
        }
    }
    return false;
}

/* Takes what stands before the next separator off *rest. */
static struct span take(struct span *rest, uint8_t separator)
{
    size_t end = span_find(*rest, 0, separator);
    struct span part = span_slice(*rest, 0, end);
    *rest = span_from(*rest, end < rest->len ? end + 1 : end);
    return part;
}

struct span cookie_find(struct span cookie_field, struct span name)
{
    while (cookie_field.len > 0) {
        struct span pair = span_trim(take(&cookie_field, ';'));
        size_t equals = span_find(pair, 0, '=');
        if (equals < pair.len && span_eq(span_slice(pair, 0, equals), name)) {
            return span_from(pair, equals + 1);
        }
    }
    return span_of(NULL, 0);
}

/* Decodes one octet of a query's name at *at, and moves on. A '%' that begins no escape
 * stands for itself (WHATWG URL, 1.3). */
static uint8_t query_octet(struct span s, size_t *at)
{
    size_t from = *at;
    bool escape = escape_at(s, from);
    *at += escape ? 3 : 1;
    if (escape) {
        return escape_value(s, from);
    }
    return s.ptr[from] == '+' ? ' ' : s.ptr[from];
}

static bool query_name_is(struct span sent, struct span name)
{
    size_t at = 0;
    size_t matched = 0;
    while (at < sent.len) {
        if (matched == name.len || query_octet(sent, &at) != name.ptr[matched]) {
            return false;
        }
        matched++;
    }
    return matched == name.len;
}

static struct span parameter_name(struct span pair)
{
    return span_slice(pair, 0, span_find(pair, 0, '='));
}

struct span query_take(struct span *query, struct span name)
{
    while (query->len > 0) {
        struct span pair = take(query, '&');
        struct span own = parameter_name(pair);
        if (pair.len > 0 && query_name_is(own, name)) {
            return span_from(pair, own.len < pair.len ? own.len + 1 : own.len);
        }
    }
    return span_of(NULL, 0);
}

struct span query_find(struct span query, struct span name)
{
    return query_take(&query, name);
}

struct span query_without(struct span query, struct span name, struct buffer *out)
{
    size_t start = out->len;
    bool found = false;
    if (query_find(query, name).ptr == NULL) {
        return query;
    }
    while (query.len > 0) {
        struct span pair = take(&query, '&');
        if (query_name_is(parameter_name(pair), name)) {
            continue;
        }
        if (found) {
            buffer_byte(out, '&');
        }
        buffer_put(out, pair);
        found = true;
    }
    return found ? span_from(buffer_span(out), start) : span_of(NULL, 0);
}

void query_decode(struct span value, struct buffer *out)
{
    for (size_t at = 0; at < value.len;) {
        buffer_byte(out, query_octet(value, &at));
    }
}

bool field_value_valid(struct span value)
{
    if (scan_all_usual(value, ' ')) {
        return true;
    }
    const uint8_t *end = value.ptr + value.len;
    return scan_value(value.ptr, end) == end;
}

bool token_valid(struct span text)
{
    const uint8_t *end = text.ptr + text.len;
    return text.len > 0 && scan_token(text.ptr, end) == end;
}
