/* SPDX-License-Identifier: MIT */
/* The percent-encode sets of the URL standard, and its special schemes. */
#include "uri/escape.h"
#include "uri/url_internal.h"

/* The sets that a byte is in: bit i for set i. */
enum {
    C0 = 1 << URL_SET_C0,
    FRAGMENT = 1 << URL_SET_FRAGMENT,
    QUERY = 1 << URL_SET_QUERY,
    SPECIAL_QUERY = 1 << URL_SET_SPECIAL_QUERY,
    PATH = 1 << URL_SET_PATH,
    USERINFO = 1 << URL_SET_USERINFO,
    QUERIES = QUERY | SPECIAL_QUERY,
    PATHS = PATH | USERINFO,
    ALL_BUT_C0 = FRAGMENT | QUERIES | PATHS,
    ALL = C0 | ALL_BUT_C0,
};

static const uint8_t sets_of[256] = {
    [0 ... 0x1F] = ALL,     [' '] = ALL_BUT_C0,       ['"'] = ALL_BUT_C0, ['#'] = QUERIES | PATHS,
    ['\''] = SPECIAL_QUERY, ['/'] = USERINFO,         [':'] = USERINFO,   [';'] = USERINFO,
    ['<'] = ALL_BUT_C0,     ['='] = USERINFO,         ['>'] = ALL_BUT_C0, ['?'] = PATHS,
    ['@'] = USERINFO,       ['[' ... ']'] = USERINFO, ['^'] = PATHS,      ['`'] = FRAGMENT | PATHS,
    ['{'] = PATHS,          ['|'] = USERINFO,         ['}'] = PATHS,      [0x7F ... 0xFF] = ALL,
};

static bool in_set(uint8_t byte, enum url_set set)
{
    return (sets_of[byte] >> set & 1) != 0;
}

/* The end of the run of bytes from a place on that stay as they are. */
static size_t run_end(struct span text, size_t at, enum url_set set)
{
    while (at < text.len && !in_set(text.ptr[at], set)) {
        at++;
    }
    return at;
}

void url_put(struct buffer *out, struct span text, enum url_set set)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = run_end(text, at, set);
        buffer_put(out, span_slice(text, at, end));
        if (end < text.len) {
            escape_byte(out, text.ptr[end++]);
        }
        at = end;
    }
}

struct span url_encode(struct arena *arena, struct span text, enum url_set set)
{
    uint8_t *memory = arena_array(arena, text.len + 1, 3);
    struct buffer out = buffer_over(memory, memory != NULL ? 3 * text.len : 0);
    if (memory != NULL) {
        url_put(&out, text, set);
    }
    return buffer_span(&out);
}

int32_t url_special_port(struct span scheme)
{
    static const struct {
        const char *scheme;
        int32_t port;
    } special[] = {{"http", 80}, {"https", 443}, {"ws", 80},
                   {"wss", 443}, {"ftp", 21},    {"file", 0}};
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if (span_eq(scheme, span_cstr(special[i].scheme))) {
            return special[i].port;
        }
    }
    return -1;
}
