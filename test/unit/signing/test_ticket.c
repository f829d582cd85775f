/* SPDX-License-Identifier: MIT */
/* Tickets: what stands in the URL, and what is signed. The codes were made with another program's
 * HMAC. */
#include "signing/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct signing_key key = {.len = 32, .bytes = "0123456789abcdef0123456789abcdef"};

enum { room_bytes = 512, expires_s = 1764000300 };

/* Of GET, eu1.example.net, /a/b. */
#define CODE "bb5c5ace1a8394b7321150bffeef542302a799a85e1074fecba81896b3af436f"
/* Of PUT, eu1.example.net:8443, /a%20b/. */
#define CODE_PUT "ad9e8f66879564c3e4fb91c942f880c644861e0b03d9fc17744a030a5fda8b2d"
/* Of GET, [2001:db8::1], /, expiring at 0. */
#define CODE_V6 "0fe40391c2cc172eb60d91e06fe93f07a4048e80439eb40e59001767fd8c63e1"

static bool add(const char *url, const char *method, int64_t expiry, size_t cap, char *out)
{
    struct buffer buffer = buffer_over(out, cap);
    buffer_put(&buffer, SPAN("before "));
    buffer_put(&buffer, span_cstr(url));
    const struct signing_ticket ticket = {
        .key = &key, .method = span_cstr(method), .param = SPAN("ticket"), .expires_s = expiry};
    bool good = signing_add(&ticket, strlen("before "), &buffer);
    if (good) {
        out[buffer.len] = '\0';
        memmove(out, out + strlen("before "), buffer.len + 1 - strlen("before "));
    }
    return good;
}

static void tickets_stand_at_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *signed_url;
        const char *method; /* NULL: GET */
        int64_t expires_s;  /* 0: as above */
    } rows[] = {
        {.url = "https://eu1.example.net/a/b",
         .signed_url = "https://eu1.example.net/a/b?ticket=1764000300-" CODE},
        {.url = "http://eu1.example.net/a/b",
         .signed_url = "http://eu1.example.net/a/b?ticket=1764000300-" CODE},
        {.url = "https://eu1.example.net/a/b?x=1&y",
         .signed_url = "https://eu1.example.net/a/b?x=1&y&ticket=1764000300-" CODE},
        {.url = "https://eu1.example.net/a/b?",
         .signed_url = "https://eu1.example.net/a/b?&ticket=1764000300-" CODE},
        /* HEAD counts as GET, in this case only. */
        {.url = "https://eu1.example.net/a/b",
         .signed_url = "https://eu1.example.net/a/b?ticket=1764000300-" CODE,
         .method = "HEAD"},
        /* As a client writes Host. */
        {.url = "https://EU1.Example.net:443/a/b",
         .signed_url = "https://EU1.Example.net:443/a/b?ticket=1764000300-" CODE},
        {.url = "http://eu1.example.net:80/a/b",
         .signed_url = "http://eu1.example.net:80/a/b?ticket=1764000300-" CODE},
        {.url = "https://eu1.example.net:/a/b",
         .signed_url = "https://eu1.example.net:/a/b?ticket=1764000300-" CODE},
        {.url = "https://eu1.example.net:8443/a%20b/?q=/c",
         .signed_url = "https://eu1.example.net:8443/a%20b/?q=/c&ticket=1764000300-" CODE_PUT,
         .method = "PUT"},
        {.url = "http://[2001:db8::1]",
         .signed_url = "http://[2001:db8::1]?ticket=0-" CODE_V6,
         .expires_s = -1},
        {.url = "http://[2001:db8::1]?a",
         .signed_url = "http://[2001:db8::1]?a&ticket=0-" CODE_V6,
         .expires_s = -1},
        /* The client's own is gone, however it is spelled, and nothing else. */
        {.url = "https://eu1.example.net/a/b?ticket=9-ff",
         .signed_url = "https://eu1.example.net/a/b?ticket=1764000300-" CODE},
        {.url = "https://eu1.example.net/a/b?ticket",
         .signed_url = "https://eu1.example.net/a/b?ticket=1764000300-" CODE},
        {.url = "https://eu1.example.net/a/b?Ticket=1&x=2&%74icke%54=3",
         .signed_url = "https://eu1.example.net/a/b?x=2&ticket=1764000300-" CODE},
        {.url = "https://eu1.example.net/a/b?x=2&ticket=1&ticket=2&y=ticket=3&",
         .signed_url = "https://eu1.example.net/a/b?x=2&y=ticket=3&&ticket=1764000300-" CODE},
        {.url = "https://eu1.example.net/a/"
                "b?tickets=1&ticke=2&%74icke=3&xticket=4&ticket%=5&ticket%3d=6",
         .signed_url = "https://eu1.example.net/a/"
                       "b?tickets=1&ticke=2&%74icke=3&xticket=4&ticket%=5&ticket%3d=6"
                       "&ticket=1764000300-" CODE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char room[room_bytes];
        int64_t expiry = rows[i].expires_s == 0 ? expires_s : rows[i].expires_s + 1;
        const char *method = rows[i].method != NULL ? rows[i].method : "GET";
        assert_true(add(rows[i].url, method, expiry, sizeof(room), room));
        assert_string_equal(room, rows[i].signed_url);
    }
}

static const char *code_of(const char *signed_url)
{
    return strrchr(signed_url, '-') + 1;
}

static void each_part_is_signed(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *method;
        int64_t expires_s;
    } others[] = {
        {"https://eu2.example.net/a/b", "GET", expires_s},
        {"https://eu1.example.net:8443/a/b", "GET", expires_s},
        {"https://eu1.example.net:80/a/b", "GET", expires_s},
        {"https://eu1.example.net/a/b/", "GET", expires_s},
        {"https://eu1.example.net/a/B", "GET", expires_s},
        {"https://eu1.example.net/a%2Fb", "GET", expires_s},
        {"https://eu1.example.net/a/b", "POST", expires_s},
        {"https://eu1.example.net/a/b", "get", expires_s},
        {"https://eu1.example.net/a/b", "GET", expires_s + 1},
        {"https://eu1.example.net/a/b", "GET", 0},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        char room[room_bytes];
        assert_true(add(others[i].url, others[i].method, others[i].expires_s, sizeof(room), room));
        assert_string_not_equal(code_of(room), CODE);
    }
}

/* The second key of a file, or that of another pool. */
static void the_whole_key_counts(void **state)
{
    (void)state;
    struct signing_key longer = key;
    longer.bytes[longer.len++] = '!';
    struct signing_key other = key;
    other.bytes[31] ^= 1;
    const struct signing_key *keys[] = {&longer, &other};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char room[room_bytes];
        struct buffer buffer = buffer_over(room, sizeof(room) - 1);
        buffer_put(&buffer, SPAN("https://eu1.example.net/a/b"));
        const struct signing_ticket ticket = {
            .key = keys[i], .method = SPAN("GET"), .param = SPAN("t"), .expires_s = expires_s};
        assert_true(signing_add(&ticket, 0, &buffer));
        room[buffer.len] = '\0';
        assert_string_not_equal(code_of(room), CODE);
    }
}

static void what_has_no_room_is_refused(void **state)
{
    (void)state;
    static const char url[] = "https://eu1.example.net/a/b";
    char room[room_bytes];
    assert_true(add(url, "GET", expires_s, sizeof(room), room));
    size_t needed = strlen("before ") + strlen(room);
    for (size_t cap = strlen("before ") + strlen(url); cap < needed; cap++) {
        assert_false(add(url, "GET", expires_s, cap, room));
    }
    assert_true(add(url, "GET", expires_s, needed + 1, room));
    assert_true(strlen(room) - strlen(url) <= signing_ticket_bytes_max);
}

static void what_is_no_such_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"", "/a/b", "https:/a", "https://", "https://?x", "https:"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        char room[room_bytes];
        assert_false(add(urls[i], "GET", expires_s, sizeof(room), room));
    }
}

static void methods_follow_the_status(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        uint16_t status;
        const char *after;
    } rows[] = {
        {"GET", 307, "GET"},   {"PUT", 307, "PUT"},       {"POST", 307, "POST"},
        {"POST", 308, "POST"}, {"POST", 302, "GET"},      {"POST", 301, "GET"},
        {"PUT", 302, "PUT"},   {"PUT", 303, "GET"},       {"POST", 303, "GET"},
        {"HEAD", 303, "GET"},  {"HEAD", 302, "HEAD"},     {"PURGE", 301, "PURGE"},
        {"POST", 200, "POST"}, {"DELETE", 308, "DELETE"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct span after = signing_method_after(span_cstr(rows[i].method), rows[i].status);
        assert_true(span_eq(after, span_cstr(rows[i].after)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_stand_at_the_end),
        cmocka_unit_test(each_part_is_signed),
        cmocka_unit_test(the_whole_key_counts),
        cmocka_unit_test(what_has_no_room_is_refused),
        cmocka_unit_test(what_is_no_such_url_is_refused),
        cmocka_unit_test(methods_follow_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
