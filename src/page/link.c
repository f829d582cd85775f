/* SPDX-License-Identifier: MIT */
/* Links: base64url around a time, a name and a code. */
#include "page/link.h"

#include "page/base64url.h"

#include <assert.h>

static_assert((int)link_code_bytes <= (int)mac_bytes, "a code is cut off, never made longer");

enum { time_bytes = 8, name_bytes = 4 };

static void put_number(uint64_t number, size_t bytes, uint8_t *out)
{
    for (size_t i = bytes; i > 0; i--, number >>= 8) {
        out[i - 1] = (uint8_t)number;
    }
}

/* FNV-1a: it only finds the detour, the code proves it. */
static uint32_t short_name(struct span identity)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < identity.len; i++) {
        hash = (hash ^ identity.ptr[i]) * 16777619u;
    }
    return hash;
}

/* The time has a fixed length, so nothing can be moved over the border behind it. */
static void make_code(const struct ticket_key *key, struct span identity, struct span time,
                      uint8_t out[mac_bytes])
{
    const struct span parts[] = {SPAN("detour bypass link 1"), time, identity};
    mac_make(key->bytes, parts, sizeof(parts) / sizeof(*parts), out);
}

bool link_seal(const struct ticket_key *key, struct span identity, int64_t expires_s,
               struct buffer *out)
{
    uint8_t code[mac_bytes];
    uint8_t whole[link_bytes];
    put_number((uint64_t)expires_s, time_bytes, whole);
    put_number(short_name(identity), name_bytes, whole + time_bytes);
    make_code(key, identity, span_of(whole, time_bytes), code);
    memcpy(whole + time_bytes + name_bytes, code, link_code_bytes);
    return base64url_encode(span_of(whole, sizeof(whole)), out);
}

static bool decode(struct span text, uint8_t whole[link_bytes])
{
    struct buffer bytes = buffer_over(whole, link_bytes);
    return text.len == link_text_bytes && base64url_decode(text, &bytes) && bytes.len == link_bytes;
}

static bool is_named(const uint8_t whole[link_bytes], struct span identity)
{
    uint8_t name[name_bytes];
    put_number(short_name(identity), name_bytes, name);
    return memcmp(name, whole + time_bytes, name_bytes) == 0;
}

bool link_names(struct span identity, struct span text)
{
    uint8_t whole[link_bytes];
    return decode(text, whole) && is_named(whole, identity);
}

bool link_open(const struct ticket_key *key, struct span identity, struct span text, int64_t now_s,
               int64_t *expires_s_out)
{
    uint8_t whole[link_bytes];
    uint8_t code[mac_bytes];
    uint64_t expires = 0;
    if (!decode(text, whole) || !is_named(whole, identity)) {
        return false;
    }
    for (size_t i = 0; i < time_bytes; i++) {
        expires = expires << 8 | whole[i];
    }
    make_code(key, identity, span_of(whole, time_bytes), code);
    if (!mac_same(code, whole + time_bytes + name_bytes, link_code_bytes) || expires > INT64_MAX ||
        (int64_t)expires <= now_s) {
        return false;
    }
    *expires_s_out = (int64_t)expires;
    return true;
}

void link_cookie_name(struct span identity, uint8_t out[link_cookie_bytes])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t name = short_name(identity);
    memcpy(out, LINK_PARAMETER "-", sizeof(LINK_PARAMETER));
    for (size_t i = link_cookie_bytes; i > sizeof(LINK_PARAMETER); i--, name >>= 4) {
        out[i - 1] = (uint8_t)digits[name & 15];
    }
}
