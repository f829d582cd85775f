/* SPDX-License-Identifier: MIT */
/* Tickets: base64url around a code and a target. */
#include "page/ticket.h"

#include "page/base64url.h"
#include "uri/escape.h"

#include <assert.h>

static_assert((int)ticket_code_bytes <= (int)mac_bytes, "a code is cut off, never made longer");

bool target_is_local(struct span target)
{
    if (target.len == 0 || target.len > ticket_target_max || target.ptr[0] != '/') {
        return false;
    }
    if (target.len > 1 && (target.ptr[1] == '/' || target.ptr[1] == '\\')) {
        return false;
    }
    return escape_run(target, 0, ESCAPE_LOCATION) == target.len &&
           span_find(target, 0, '#') == target.len;
}

/* No host holds a NUL, so it ends there and nowhere else. */
static void make_code(const struct ticket_key *key, struct span host, struct span target,
                      uint8_t out[mac_bytes])
{
    const struct span parts[] = {SPAN("detour return ticket 1"), host, span_of("", 1), target};
    mac_make(key->bytes, parts, sizeof(parts) / sizeof(*parts), out);
}

/* ---- tickets ---- */

bool ticket_seal(const struct ticket_key *key, struct span host, struct span target,
                 struct buffer *out)
{
    uint8_t whole[mac_bytes + ticket_target_max];
    if (!target_is_local(target)) {
        return false;
    }
    make_code(key, host, target, whole);
    memcpy(whole + ticket_code_bytes, target.ptr, target.len);
    struct span bytes = span_of(whole, ticket_code_bytes + target.len);
    return base64url_encode(bytes, out);
}

bool ticket_open(const struct ticket_key *key, struct span host, struct span ticket,
                 struct buffer *target_out)
{
    uint8_t whole[ticket_code_bytes + ticket_target_max];
    uint8_t code[mac_bytes];
    struct buffer bytes = buffer_over(whole, sizeof(whole));
    if (ticket.len > ticket_text_max || !base64url_decode(ticket, &bytes) ||
        bytes.len <= ticket_code_bytes) {
        return false;
    }
    struct span target = span_from(buffer_span(&bytes), ticket_code_bytes);
    make_code(key, host, target, code);
    if (!mac_same(code, whole, ticket_code_bytes) || !target_is_local(target)) {
        return false;
    }
    buffer_put(target_out, target);
    return !target_out->full;
}
