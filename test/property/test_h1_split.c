/* SPDX-License-Identifier: MIT */
/* However a head is split into reads, it is the same head: all splits in two, octet by
 * octet, and random splits into many. */
#include "http/h1/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define S(text)                                   \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
#define HOST "Host: a.example\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST

static const struct span heads[] = {
    S("GET /downloads/file.iso HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"),
    S(GET
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n"
      "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nCookie: a=b; c=d\r\n"
      "Accept-Language: de-DE,de;q=0.5\r\nConnection: keep-alive\r\n\r\nGET /next HTTP/1.1\r\n"),
    S("\r\n\r\nPOST http://B.Example:81/a?b=c HTTP/1.1\r\nhost: a.example\r\n"
      "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n"),
    S("OPTIONS * HTTP/1.1\r\nHost:\ta.example \t\r\nContent-Length: 5\r\n\r\nabcde"),
    S("GET / HTTP/1.0\r\n\r\n"),
    S("GET /\xc3\xa4|^\\ HTTP/1.1\r\n" HOST "A: \xff\xfe\t\xfd\r\nB:\r\nC: \t\r\n\r\n"),
    S(GET "A: b\r\n c\r\n\r\n"),
    S(GET "A : b\r\n\r\n"),
    S(GET "A: b\rc\r\n\r\n"),
    S(GET "A: b\nC: d\r\n\r\n"),
    S(GET "A: b\r\r\n\r\n"),
    S(GET "A: b\0\r\n\r\n"),
    S(GET "NoColon\r\n\r\n"),
    S(GET HOST "\r\n"),
    S(GET "Expect: tea\r\n\r\n"),
    S(GET "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    S(GET "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
    S("GET  / HTTP/1.1\r\n" HOST "\r\n"),
    S("GET /a b HTTP/1.1\r\n" HOST "\r\n"),
    S("GET / HTTP/1.1\n" HOST "\r\n"),
    S("GET / HTTP/2.0\r\n" HOST "\r\n"),
    S("GET /\r\n\r\n"),
    S("\n" GET "\r\n"),
    S("\r\r\n" GET "\r\n"),
    S("\r\n\r\n\r\n\r\n\r\n" GET "\r\n"),
    S("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
    S("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN / HTTP/1.1\r\n" HOST "\r\n"),
    S("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN \0/ HTTP/1.1\r\n" HOST "\r\n"),
    S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    S(GET "X-Unfinished: yes\r\n"),
    S(GET "X-Unfinished: y\rs"),
    S(GET "X-Unfinished\x01"),
};

/* What one way of reading gave. */
struct verdict {
    enum h1_result result;
    uint16_t status;
    size_t used;
    struct h1_head head;
};

static void read_more(struct span bytes, size_t *scanned, struct verdict *verdict)
{
    verdict->result = h1_parse(bytes, scanned, &verdict->head, &verdict->used, &verdict->status);
}

/* parts: where the pieces end, in order; the whole follows after the last one. */
static void read_parts(struct span bytes, const size_t *parts, size_t count,
                       struct verdict *verdict)
{
    size_t scanned = 0;
    verdict->result = H1_MORE;
    verdict->status = 0;
    verdict->used = 0;
    for (size_t i = 0; i < count && verdict->result == H1_MORE; i++) {
        read_more(span_slice(bytes, 0, parts[i]), &scanned, verdict);
    }
    if (verdict->result == H1_MORE) {
        read_more(bytes, &scanned, verdict);
    }
}

static bool same_span(struct span a, struct span b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && span_eq(a, b);
}

static bool same_request(const struct request *a, const struct request *b)
{
    bool same =
        a->method == b->method && a->version_minor == b->version_minor && a->port == b->port &&
        a->body == b->body && a->content_length == b->content_length &&
        a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue &&
        a->field_count == b->field_count && same_span(a->method_name, b->method_name) &&
        same_span(a->path, b->path) && same_span(a->query, b->query) &&
        same_span(a->host, b->host) && same_span(a->absolute_scheme, b->absolute_scheme) &&
        same_span(a->known.cookie, b->known.cookie) && same_span(a->known.accept, b->known.accept);
    for (size_t i = 0; same && i < a->field_count; i++) {
        same = same_span(a->fields[i].name, b->fields[i].name) &&
               same_span(a->fields[i].value, b->fields[i].value);
    }
    return same;
}

static void must_agree(size_t head, const struct verdict *whole, const struct verdict *split)
{
    bool same = split->result == whole->result && split->status == whole->status &&
                split->used == whole->used;
    if (same && whole->result == H1_DONE) {
        same = same_request(&whole->head.request, &split->head.request);
    }
    if (!same) {
        fail_msg("head %zu: result %d and %d, status %u and %u, used %zu and %zu", head,
                 (int)whole->result, (int)split->result, whole->status, split->status, whole->used,
                 split->used);
    }
}

static struct verdict whole;
static struct verdict split;

static void all_splits_in_two_agree(void **state)
{
    (void)state;
    for (size_t head = 0; head < sizeof(heads) / sizeof(heads[0]); head++) {
        read_parts(heads[head], NULL, 0, &whole);
        for (size_t at = 0; at <= heads[head].len; at++) {
            read_parts(heads[head], &at, 1, &split);
            must_agree(head, &whole, &split);
        }
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Ends of pieces of 1 to longest octets. */
static size_t cut(size_t len, uint32_t longest, uint32_t *seed, size_t *parts)
{
    size_t count = 0;
    for (size_t at = 1 + next_random(seed) % longest; at < len;
         at += 1 + next_random(seed) % longest) {
        parts[count++] = at;
    }
    return count;
}

static void random_splits_agree(void **state)
{
    (void)state;
    static size_t parts[32768];
    uint32_t seed = 307;
    for (size_t head = 0; head < sizeof(heads) / sizeof(heads[0]); head++) {
        read_parts(heads[head], NULL, 0, &whole);
        for (uint32_t round = 0; round < 200; round++) {
            size_t count = cut(heads[head].len, 1 + round % 40, &seed, parts);
            read_parts(heads[head], parts, count, &split);
            must_agree(head, &whole, &split);
        }
    }
}

/* Heads that meet a limit: the bound is of bytes, not of reads. */
static void limits_do_not_depend_on_reads(void **state)
{
    (void)state;
    static const char *const begins[] = {"", "GET /", "GET / ", GET "A: ", GET, " "};
    static size_t parts[32768];
    static uint8_t text[20000];
    uint32_t seed = 308;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        size_t begin = strlen(begins[i]);
        memset(text, 'a', sizeof(text));
        memcpy(text, begins[i], begin);
        struct span bytes = span_of(text, sizeof(text));
        read_parts(bytes, NULL, 0, &whole);
        assert_int_equal(whole.result, H1_BAD);
        for (uint32_t longest = 1; longest < 10000; longest *= 7) {
            size_t count = cut(bytes.len, longest, &seed, parts);
            read_parts(bytes, parts, count, &split);
            must_agree(1000 + i, &whole, &split);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_splits_in_two_agree),
        cmocka_unit_test(random_splits_agree),
        cmocka_unit_test(limits_do_not_depend_on_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
