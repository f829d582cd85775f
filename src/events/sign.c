/* SPDX-License-Identifier: MIT */
/* Secrets out of a file, and what they make of a message. */
#include "events/sign.h"

#include "base/buffer.h"
#include "tls/mac.h"
#include "tls/material.h"

#include <assert.h>
#include <stdio.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- base64 ---- */

static void put_base64(struct buffer *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++) {
            group = group << 8 | (k < have ? bytes.ptr[i + k] : 0);
        }
        for (size_t k = 0; k < 4; k++) {
            char digit = alphabet[group >> (18 - 6 * k) & 63];
            buffer_byte(out, k <= have ? (uint8_t)digit : '=');
        }
    }
}

static bool take_digit(uint8_t byte, uint32_t *group)
{
    const char *at = byte != 0 ? strchr(alphabet, byte) : NULL;
    if (at != NULL) {
        *group = *group << 6 | (uint32_t)(at - alphabet);
    }
    return at != NULL;
}

/* With its padding or without. */
static bool take_base64(struct span text, struct buffer *out)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '=') {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i += 4) {
        size_t have = text.len - i < 4 ? text.len - i : 4;
        uint32_t group = 0;
        for (size_t k = 0; k < have; k++) {
            if (!take_digit(text.ptr[i + k], &group)) {
                return false;
            }
        }
        group <<= 6 * (4 - have);
        for (size_t k = 0; k + 1 < have; k++) {
            buffer_byte(out, (uint8_t)(group >> (16 - 8 * k)));
        }
        if (have == 1) {
            return false;
        }
    }
    return !out->full;
}

/* ---- secrets ---- */

static const char *read_line(struct span line, struct sign_secret *out)
{
    static const char *const unfit = "a secret has 24 to 256 bytes; make one with "
                                     "`openssl rand -base64 32`";
    struct span prefix = SPAN("whsec_");
    struct buffer bytes = buffer_over(out->bytes, sizeof(out->bytes));
    if (!span_starts(line, prefix)) {
        buffer_put(&bytes, line);
    } else if (!take_base64(span_from(line, prefix.len), &bytes)) {
        return bytes.full ? unfit : "what follows `whsec_` is no base64";
    }
    out->len = bytes.len;
    return bytes.full || bytes.len < sign_secret_bytes_min ? unfit : NULL;
}

static struct span trimmed(struct span line)
{
    while (line.len > 0 && line.ptr[line.len - 1] <= ' ') {
        line.len--;
    }
    while (line.len > 0 && line.ptr[0] <= ' ') {
        line = span_from(line, 1);
    }
    return line;
}

const char *sign_read(struct span file, struct sign_secrets *out)
{
    struct sign_secrets secrets = {0};
    const char *why = NULL;
    while (file.len > 0 && why == NULL) {
        size_t end = span_find(file, 0, '\n');
        struct span line = trimmed(span_slice(file, 0, end));
        file = span_from(file, end < file.len ? end + 1 : end);
        if (line.len > 0 && secrets.count == sign_secrets_max) {
            why = "there are more than 4 secrets";
        } else if (line.len > 0) {
            why = read_line(line, &secrets.items[secrets.count++]);
        }
    }
    if (why == NULL && secrets.count == 0) {
        why = "there is no secret in it";
    }
    if (why == NULL) {
        *out = secrets;
    }
    tls_wipe(&secrets, sizeof(secrets));
    return why;
}

void sign_make(const struct sign_secrets *secrets, struct span id, int64_t timestamp_s,
               struct span content, char out[sign_text_bytes])
{
    char middle[32];
    uint8_t code[mac_bytes];
    struct buffer text = buffer_over(out, sign_text_bytes);
    snprintf(middle, sizeof(middle), ".%lld.", (long long)timestamp_s);
    const struct span parts[] = {id, span_cstr(middle), content};
    for (size_t i = 0; i < secrets->count; i++) {
        const struct sign_secret *secret = &secrets->items[i];
        mac_make_with(span_of(secret->bytes, secret->len), parts, 3, code);
        buffer_put(&text, i > 0 ? SPAN(" v1,") : SPAN("v1,"));
        put_base64(&text, span_of(code, sizeof(code)));
    }
    buffer_byte(&text, 0);
    assert(!text.full);
}
