/* SPDX-License-Identifier: MIT */
/* Any path and query of a URL, any key file, any block of keys: what is signed has one ticket, at
 * its end, and is otherwise what the client asked for; a key that is taken is a line as it stands,
 * and a block that is opened is sorted. Input: a byte that says which, then the bytes. */
#include "signing/ticket.h"
#include "uri/escape.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE "https://eu1.example.net:8443"
#define PARAM "ticket"

enum { url_bytes_max = 4096 };

static const struct signing_key key = {.len = 32, .bytes = "0123456789abcdef0123456789abcdef"};

/* Names are compared as the most generous of servers would. */
static bool is_ticket(struct span member)
{
    uint8_t name[sizeof(PARAM)];
    struct buffer decoded = buffer_over(name, sizeof(name));
    member = span_slice(member, 0, span_find(member, 0, '='));
    for (size_t at = 0; at < member.len && !decoded.full;) {
        bool escaped = escape_at(member, at);
        buffer_byte(&decoded, escaped ? escape_value(member, at) : member.ptr[at]);
        at += escaped ? 3 : 1;
    }
    return !decoded.full && span_eq_ci(buffer_span(&decoded), SPAN(PARAM));
}

static size_t count_tickets(struct span url, bool *last_out)
{
    size_t count = 0;
    size_t at = span_find(url, 0, '?');
    *last_out = false;
    while (at < url.len) {
        size_t end = span_find(url, at + 1, '&');
        *last_out = is_ticket(span_slice(url, at + 1, end));
        count += *last_out;
        at = end;
    }
    return count;
}

static void sign(struct span path)
{
    uint8_t room[url_bytes_max];
    uint8_t other_room[url_bytes_max];
    struct buffer url = buffer_over(room, sizeof(room));
    struct buffer other = buffer_over(other_room, sizeof(other_room));
    const struct signing_ticket ticket = {
        .key = &key, .method = SPAN("GET"), .param = SPAN(PARAM), .expires_s = 1764000300};
    bool last;
    buffer_put(&url, SPAN("kept " BASE "/"));
    buffer_put(&url, path);
    buffer_put(&other, buffer_span(&url));
    if (url.full) {
        return;
    }
    size_t query = span_find(buffer_span(&url), 5, '?');
    if (!signing_add(&ticket, 5, &url)) {
        return;
    }
    assert(url.len <= other.len + signing_ticket_bytes_max);
    assert(span_starts(buffer_span(&url), span_slice(buffer_span(&other), 0, query)));
    assert(count_tickets(span_from(buffer_span(&url), 5), &last) == 1 && last);
    signing_remove(SPAN(PARAM), 5, &other);
    assert(count_tickets(buffer_span(&other), &last) == 0);
    assert(span_starts(buffer_span(&url), buffer_span(&other)));
    /* what is taken out and signed again is the same */
    size_t len = url.len;
    struct buffer again = buffer_over(other_room, sizeof(other_room));
    buffer_put(&again, buffer_span(&url));
    assert(signing_add(&ticket, 5, &again) && again.len == len);
    assert(span_eq(buffer_span(&again), buffer_span(&url)));
}

static void read_file(struct span text)
{
    struct signing_key read = {0};
    if (signing_key_read(text, &read) != NULL) {
        assert(read.len == 0);
        return;
    }
    struct span line = span_of(read.bytes, read.len);
    assert(line.len >= signing_key_bytes_min && line.len <= signing_key_bytes_max);
    assert(span_starts(text, line) && (text.len == line.len || text.ptr[line.len] == '\n'));
}

static void open_block(struct span bytes)
{
    void *aligned = malloc(bytes.len + 1);
    memcpy(aligned, bytes.ptr, bytes.len);
    const struct signing_keys *keys = signing_keys_open(span_of(aligned, bytes.len));
    if (keys != NULL) {
        assert(signing_keys_bytes(keys->count) == bytes.len);
        for (uint32_t i = 0; i < keys->count; i++) {
            assert(signing_keys_find(keys, keys->keys[i].id) == &keys->keys[i]);
        }
    }
    free(aligned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        struct span rest = span_of(data + 1, size - 1);
        switch (data[0] % 3) {
        case 0:
            sign(rest);
            break;
        case 1:
            read_file(rest);
            break;
        default:
            open_block(rest);
        }
    }
    return 0;
}
