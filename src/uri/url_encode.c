/* SPDX-License-Identifier: MIT */
/* The percent-encode sets of the URL standard, and its special schemes. */
#include "uri/escape.h"
#include "uri/url_internal.h"

/* Each set is the one it is built on and some more. */
static const char *const set_bytes[] = {
    [URL_SET_C0] = "",
    [URL_SET_FRAGMENT] = " \"<>`",
    [URL_SET_QUERY] = " \"#<>",
    [URL_SET_SPECIAL_QUERY] = " \"#<>'",
    [URL_SET_PATH] = " \"#<>?^`{}",
    [URL_SET_USERINFO] = " \"#<>?^`{}/:;=@[\\]|",
};

static bool in_set(uint8_t byte, enum url_set set)
{
    return byte < 0x20 || byte > 0x7E || strchr(set_bytes[set], byte) != NULL;
}

void url_put(struct buffer *out, struct span text, enum url_set set)
{
    for (size_t i = 0; i < text.len; i++) {
        if (in_set(text.ptr[i], set)) {
            escape_byte(out, text.ptr[i]);
        } else {
            buffer_byte(out, text.ptr[i]);
        }
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
