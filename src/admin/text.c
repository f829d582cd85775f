/* SPDX-License-Identifier: MIT */
/* Texts that clients send: escapes, UTF-8, fields that may stand there once. */
#include "admin/internal.h"

#include "base/utf8.h"
#include "uri/escape.h"

#include <stdlib.h>

bool text_decode(struct span text, bool plus, uint8_t *out, size_t *len_out)
{
    size_t len = 0;
    for (size_t at = 0; at < text.len; at++) {
        uint8_t byte = text.ptr[at];
        if (byte == '%') {
            if (!escape_at(text, at)) {
                return false;
            }
            out[len++] = escape_value(text, at);
            at += 2;
        } else {
            out[len++] = plus && byte == '+' ? ' ' : byte;
        }
    }
    *len_out = len;
    return true;
}

/* Of ASCII and of Latin 1: what a terminal may take for a command. */
static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

bool text_is_plain(struct span text)
{
    uint32_t point = 0;
    size_t len = 0;
    for (size_t at = 0; at < text.len; at += len) {
        len = utf8_decode(text, at, &point);
        if (len == 0 || is_control(point)) {
            return false;
        }
    }
    return true;
}

json_t *text_to_json(struct span text)
{
    char *copy = malloc(text.len + 1);
    if (copy == NULL) {
        return NULL;
    }
    size_t step = 0;
    for (size_t at = 0; at < text.len; at += step) {
        uint32_t point = 0;
        step = utf8_decode(text, at, &point);
        if (step == 0) {
            step = 1;
            copy[at] = '?';
        } else {
            memcpy(copy + at, text.ptr + at, step);
        }
    }
    json_t *json = json_stringn(copy, text.len);
    free(copy);
    return json;
}

bool text_field(const struct request *request, struct span name, struct span *out)
{
    struct span found = {0};
    for (size_t i = 0; i < request->field_count; i++) {
        if (!span_eq_ci(request->fields[i].name, name)) {
            continue;
        }
        if (found.ptr != NULL) {
            return false;
        }
        found = request->fields[i].value;
    }
    *out = found;
    return true;
}
