/* SPDX-License-Identifier: MIT */
/* Any path and query, any ticket, any link for testers: what is sealed opens to itself and to
 * nothing else, what was not sealed here does not open, and no target leads to another host or
 * ends a line. Input: a byte that says which, then the target, or the ticket or link. */
#include "page/link.h"
#include "page/ticket.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ticket_key key = {{'k'}};

/* Said anew, as a browser reads a Location (WHATWG URL): two slashes of either kind begin a
 * host, tabs and line ends are taken out before that. */
static void check_local(struct span target)
{
    assert(target.len > 0 && target.len <= ticket_target_max && target.ptr[0] == '/');
    for (size_t i = 0; i < target.len; i++) {
        assert(target.ptr[i] > ' ' && target.ptr[i] < 0x7f && target.ptr[i] != '\\');
    }
    assert(target.len == 1 || target.ptr[1] != '/');
}

static void seal_and_open(struct span target)
{
    uint8_t text[ticket_text_max];
    uint8_t room[ticket_target_max];
    struct buffer ticket = buffer_over(text, sizeof(text));
    struct buffer opened = buffer_over(room, sizeof(room));
    if (!ticket_seal(&key, SPAN("shop.example"), target, &ticket)) {
        assert(ticket.len == 0);
        assert(!target_is_local(target));
        return;
    }
    check_local(target);
    assert(ticket_open(&key, SPAN("shop.example"), buffer_span(&ticket), &opened));
    assert(span_eq(buffer_span(&opened), target));
    opened.len = 0;
    assert(!ticket_open(&key, SPAN("shop.example.evil"), buffer_span(&ticket), &opened));
    text[target.len % ticket.len] ^= 1;
    assert(!ticket_open(&key, SPAN("shop.example"), buffer_span(&ticket), &opened));
}

/* With a key of zeros, which the seeds know; whatever opens has one spelling. */
static void open_any(struct span text)
{
    static const struct ticket_key known;
    uint8_t room[ticket_target_max];
    uint8_t again[ticket_text_max];
    struct buffer target = buffer_over(room, sizeof(room));
    struct buffer sealed = buffer_over(again, sizeof(again));
    if (!ticket_open(&known, SPAN("a.example"), text, &target)) {
        assert(target.len == 0);
        return;
    }
    check_local(buffer_span(&target));
    assert(ticket_seal(&known, SPAN("a.example"), buffer_span(&target), &sealed));
    assert(span_eq(buffer_span(&sealed), text));
}

/* The same of links, which name their detour and their end. */
static void open_any_link(struct span text)
{
    static const struct ticket_key known;
    struct span identity = SPAN("a/detours/d");
    uint8_t again[link_text_bytes];
    struct buffer sealed = buffer_over(again, sizeof(again));
    int64_t expires_s = -1;
    if (!link_open(&known, identity, text, 1000, &expires_s)) {
        assert(expires_s == -1);
        return;
    }
    assert(expires_s > 1000 && link_names(identity, text));
    assert(!link_open(&known, identity, text, expires_s, &expires_s));
    assert(!link_open(&known, SPAN("b/detours/d"), text, 1000, &expires_s));
    assert(link_seal(&known, identity, expires_s, &sealed));
    assert(span_eq(buffer_span(&sealed), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct span rest = span_of(data + 1, size - 1);
    if (data[0] & 1) {
        open_any(rest);
        open_any_link(rest);
    } else {
        seal_and_open(rest);
    }
    return 0;
}
