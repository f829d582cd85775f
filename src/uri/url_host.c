/* SPDX-License-Identifier: MIT */
/* The host parser of the URL standard: domains by libidn2, IPv4 numbers, opaque hosts.
 * https://url.spec.whatwg.org/#host-parsing */
#include "uri/url_host.h"
#include "uri/escape.h"
#include "uri/url_internal.h"

#include <idn2.h>

/* Bit 0: a forbidden host code point. Bit 1: one that a domain forbids, which are control bytes,
 * '%' and DEL too. */
static const uint8_t forbidden_bytes[256] = {
    [0] = 3,    ['\t' ... '\n'] = 3, ['\r'] = 3,          [' '] = 3,           ['#'] = 3,
    ['/'] = 3,  [':'] = 3,           ['<'] = 3,           ['>' ... '@'] = 3,   ['[' ... '^'] = 3,
    ['|'] = 3,  [0x01 ... 0x08] = 2, [0x0B ... 0x0C] = 2, [0x0E ... 0x1F] = 2, ['%'] = 2,
    [0x7F] = 2,
};

static bool forbidden(uint8_t c, bool domain)
{
    return (forbidden_bytes[c] & (domain ? 2 : 1)) != 0;
}

static bool any_forbidden(struct span text, bool domain)
{
    for (size_t i = 0; i < text.len; i++) {
        if (forbidden(text.ptr[i], domain)) {
            return true;
        }
    }
    return false;
}

static bool is_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static enum err opaque_parse(struct span text, struct arena *arena, struct span *out)
{
    if (any_forbidden(text, false)) {
        return ERR_SYNTAX;
    }
    *out = url_encode(arena, text, URL_SET_C0);
    return out->ptr != NULL ? ERR_NONE : ERR_MEMORY;
}

static struct span percent_decode(struct span text, struct arena *arena)
{
    uint8_t *memory = arena_alloc(arena, text.len + 1);
    struct buffer out = buffer_over(memory, memory != NULL ? text.len + 1 : 0);
    for (size_t i = 0; memory != NULL && i < text.len; i++) {
        bool escape = escape_at(text, i);
        buffer_byte(&out, escape ? escape_value(text, i) : text.ptr[i]);
        i += escape ? 2 : 0;
    }
    return buffer_span(&out);
}

/* The bytes of a full stop at this place: '.', or one of the three that UTS 46 maps to
 * it. 0: none. */
static size_t stop_length(struct span text, size_t at)
{
    static const char *const stops[] = {".", "\u3002", "\uFF0E", "\uFF61"};
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        if (span_starts(span_from(text, at), span_cstr(stops[i]))) {
            return strlen(stops[i]);
        }
    }
    return 0;
}

/* Whether a label holds one of the characters that transitional processing would turn
 * into others: sharp s, final sigma, the joiners (UTS 46, 6). */
static bool deviates(struct span label)
{
    static const char *const characters[] = {"\u00DF", "\u1E9E", "\u03C2", "\u200C", "\u200D"};
    for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
        if (memmem(label.ptr, label.len, characters[i], strlen(characters[i])) != NULL) {
            return true;
        }
    }
    return false;
}

/* With nontransitional processing libidn2 refuses what IDNA 2008 does, symbols for one,
 * which UTS 46 lets through; with transitional processing it does not. Where the two
 * would not differ otherwise, the second is asked. */
static int lookup(struct span label, uint8_t **ascii)
{
    if (memchr(label.ptr, 0, label.len) != NULL) {
        return IDN2_DISALLOWED;
    }
    int result = idn2_lookup_u8(label.ptr, ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result == IDN2_DISALLOWED && !deviates(label)) {
        result = idn2_lookup_u8(label.ptr, ascii, IDN2_NFC_INPUT | IDN2_TRANSITIONAL);
    }
    return result;
}

/* libidn2 minds hyphens and lengths; the URL standard does not (beStrict false), so it
 * is asked only for labels that need it. */
static enum err label_to_ascii(struct span label, struct arena *arena, struct buffer *out)
{
    bool encoded = label.len >= 4 && span_eq_ci(span_slice(label, 0, 4), SPAN("xn--"));
    if (is_ascii(label) && !encoded) {
        for (size_t i = 0; i < label.len; i++) {
            buffer_byte(out, ascii_lower(label.ptr[i]));
        }
        return ERR_NONE;
    }
    struct span text = arena_copy(arena, label);
    if (text.ptr == NULL) {
        return ERR_MEMORY;
    }
    uint8_t *ascii = NULL;
    int result = lookup(text, &ascii);
    if (result != IDN2_OK) {
        return result == IDN2_MALLOC ? ERR_MEMORY : ERR_SYNTAX;
    }
    buffer_put(out, span_cstr((const char *)ascii));
    idn2_free(ascii);
    return out->full ? ERR_SYNTAX : ERR_NONE;
}

/* A domain of ASCII alone is only lowered, whatever it holds. */
static enum err ascii_domain(struct span domain, struct arena *arena, struct span *out)
{
    uint8_t *memory = arena_alloc(arena, domain.len);
    if (memory == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < domain.len; i++) {
        memory[i] = ascii_lower(domain.ptr[i]);
    }
    *out = span_of(memory, domain.len);
    return ERR_NONE;
}

/* 256 bytes for a label and its stop are more than libidn2 ever gives. */
static enum err domain_to_ascii(struct span domain, struct arena *arena, struct span *out)
{
    if (is_ascii(domain)) {
        return ascii_domain(domain, arena, out);
    }
    size_t labels = 1;
    for (size_t i = 0; i < domain.len; i++) {
        labels += stop_length(domain, i) > 0;
    }
    size_t cap = domain.len + 256 * labels;
    uint8_t *memory = arena_alloc(arena, cap);
    if (memory == NULL) {
        return ERR_MEMORY;
    }
    struct buffer ascii = buffer_over(memory, cap);
    size_t from = 0;
    while (from <= domain.len) {
        size_t at = from;
        while (at < domain.len && stop_length(domain, at) == 0) {
            at++;
        }
        enum err err = label_to_ascii(span_slice(domain, from, at), arena, &ascii);
        if (err != ERR_NONE) {
            return err;
        }
        if (at < domain.len) {
            buffer_byte(&ascii, '.');
        }
        from = at < domain.len ? at + stop_length(domain, at) : at + 1;
    }
    *out = buffer_span(&ascii);
    return ERR_NONE;
}

static enum err ipv6_parse(struct span literal, struct arena *arena, struct span *out)
{
    uint8_t canonical[url_ipv6_bytes_max];
    size_t len;
    enum err err = url_ipv6_canonical(literal, canonical, &len);
    if (err != ERR_NONE) {
        return err;
    }
    *out = arena_copy(arena, span_of(canonical, len));
    return out->ptr != NULL ? ERR_NONE : ERR_MEMORY;
}

enum err url_host_parse(struct span text, bool special, struct arena *arena, struct span *out)
{
    if (text.len > 0 && text.ptr[0] == '[') {
        return ipv6_parse(text, arena, out);
    }
    if (!special) {
        return opaque_parse(text, arena, out);
    }
    struct span domain = percent_decode(text, arena);
    if (domain.ptr == NULL) {
        return ERR_MEMORY;
    }
    struct span ascii;
    enum err err = domain_to_ascii(domain, arena, &ascii);
    if (err != ERR_NONE) {
        return err;
    }
    if (ascii.len == 0 || any_forbidden(ascii, true)) {
        return ERR_SYNTAX;
    }
    if (url_ends_in_number(ascii)) {
        return url_ipv4_parse(ascii, arena, out);
    }
    *out = ascii;
    return ERR_NONE;
}
