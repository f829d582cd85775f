/* SPDX-License-Identifier: MIT */
/* Addresses to listen on: what is accepted, what is refused, and the sockets. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

struct parse_case {
    const char *text;
    const char *address; /* NULL: refused */
    uint16_t port;
    bool secure;
    const char *kept; /* as it is called; NULL: as it was given */
};

static const struct parse_case parse_cases[] = {
    {.text = "http://0.0.0.0:8307", .address = "0.0.0.0", .port = 8307},
    {.text = "http://127.0.0.1:1/",
     .address = "127.0.0.1",
     .port = 1,
     .kept = "http://127.0.0.1:1"},
    {.text = "http://127.0.0.1", .address = "127.0.0.1", .port = 80},
    {.text = "http://[::]:65535", .address = "::", .port = 65535},
    {.text = "http://[2001:db8::1]", .address = "2001:db8::1", .port = 80},
    {.text = "http://localhost:99", .address = "127.0.0.1", .port = 99},
    {.text = "http://unix:/run/d.sock", .address = "/run/d.sock"},
    {.text = "https://0.0.0.0:8443", .address = "0.0.0.0", .port = 8443, .secure = true},
    {.text = "https://[::]", .address = "::", .port = 443, .secure = true},
    {.text = "https://unix:/run/d.sock", .address = "/run/d.sock", .secure = true},
    {.text = "https:/0.0.0.0:8443"},
    {.text = "httpss://0.0.0.0:8443"},
    {.text = "0.0.0.0:8307"},
    {.text = "http://"},
    {.text = "http://example.com:80"},
    {.text = "http://0.0.0.0:0"},
    {.text = "http://0.0.0.0:65536"},
    {.text = "http://0.0.0.0:"},
    {.text = "http://0.0.0.0:80x"},
    {.text = "http://::1:80"},
    {.text = "http://[::1"},
    {.text = "http://[::1]80"},
    {.text = "http://[127.0.0.1]:80"},
    {.text = "http://[]:80"},
    {.text = "http://1.2.3:80"},
    {.text = "http://0.0.0.0:80/path"},
    {.text = "http://0.0.0.0:80 proxy"},
    {.text = "http://unix:run/d.sock"},
    {.text = "http://unix:"},
    {.text = "http://unix:/123456789/123456789/123456789/123456789/123456789/123456789/"
             "123456789/123456789/123456789/123456789/1234567"},
};

static const char *address_of(const struct listener *listener, char *room, uint16_t *port)
{
    switch (listener->address.any.sa_family) {
    case AF_INET:
        *port = ntohs(listener->address.v4.sin_port);
        return inet_ntop(AF_INET, &listener->address.v4.sin_addr, room, 64);
    case AF_INET6:
        *port = ntohs(listener->address.v6.sin6_port);
        return inet_ntop(AF_INET6, &listener->address.v6.sin6_addr, room, 64);
    default:
        *port = 0;
        return listener->address.local.sun_path;
    }
}

static void parses_and_refuses(void **state)
{
    for (size_t i = 0; i < sizeof(parse_cases) / sizeof(*parse_cases); i++) {
        const struct parse_case *c = &parse_cases[i];
        struct listener listener;
        const char *reason = NULL;
        char room[64];
        uint16_t port;
        enum err err = listener_parse(span_cstr(c->text), &listener, &reason);
        if (c->address == NULL) {
            if (err != ERR_SYNTAX || reason == NULL) {
                fail_msg("%s should be refused", c->text);
            }
            continue;
        }
        if (err != ERR_NONE) {
            fail_msg("%s: %s", c->text, reason);
        }
        assert_string_equal(address_of(&listener, room, &port), c->address);
        assert_int_equal(port, c->port);
        assert_int_equal(listener.secure, c->secure);
        assert_string_equal(listener.text, c->kept != NULL ? c->kept : c->text);
    }
}

static struct listener parsed(const char *text)
{
    struct listener listener;
    const char *reason;
    assert_int_equal(listener_parse(span_cstr(text), &listener, &reason), ERR_NONE);
    return listener;
}

static void comes_back(const struct listener *listener)
{
    struct listener back;
    char line[listener_line_max];
    size_t len = listener_encode(listener, line);
    assert_int_equal(listener_decode(span_of(line, len), &back), ERR_NONE);
    assert_memory_equal(listener, &back, sizeof(back));
}

static void lines_come_back(void **state)
{
    static const struct listener_answer answers[] = {
        {0},
        {.decision = true},
        {.pass_status = 418},
        {.decision = true,
         .original = LISTENER_ORIGINAL_PATH,
         .pass_status = 200,
         .detour_status = 599},
    };
    for (int proxy = 0; proxy < 2; proxy++) {
        for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
            struct listener listener = parsed("https://[::1]:8307");
            listener.proxy_protocol = proxy == 1;
            listener.answer = answers[i];
            comes_back(&listener);
        }
    }
}

static void broken_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "http://127.0.0.1:8307 answer 1 9 204 000", "http://127.0.0.1:8307 answer 1 x 204 000",
        "http://127.0.0.1:8307 answer 1 0 999 000", "http://127.0.0.1:8307 answer 1 0 204 0x0",
        "http://127.0.0.1:8307 answer 1 0 204"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct listener out;
        assert_int_equal(listener_decode(span_cstr(lines[i]), &out), ERR_SYNTAX);
    }
}

static void knows_what_covers_what(void **state)
{
    static const struct {
        const char *a, *b;
        bool same, overlaps;
    } cases[] = {
        {"http://127.0.0.1:80", "http://localhost", true, true},
        {"http://127.0.0.1:80", "http://0.0.0.0:80", false, true},
        {"http://[::]:80", "http://[::1]:80", false, true},
        {"http://0.0.0.0:80", "http://127.0.0.1:80", false, true},
        {"http://127.0.0.1:80", "http://127.0.0.2:80", false, false},
        {"http://0.0.0.0:80", "http://0.0.0.0:81", false, false},
        {"http://0.0.0.0:80", "http://[::]:80", false, false},
        {"http://unix:/a", "http://unix:/a", true, true},
        {"http://unix:/a", "http://unix:/b", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct listener a = parsed(cases[i].a);
        struct listener b = parsed(cases[i].b);
        assert_int_equal(listener_same_address(&a, &b), cases[i].same);
        assert_int_equal(listener_overlaps(&a, &b), cases[i].overlaps);
    }
}

/* A port that was free a moment ago. */
static struct listener free_listener(void)
{
    struct listener any = {.address_len = sizeof(any.address.v4)};
    any.address.v4.sin_family = AF_INET;
    any.address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, &any.address.any, any.address_len), 0);
    assert_int_equal(getsockname(fd, &any.address.any, &any.address_len), 0);
    close(fd);
    char text[64];
    snprintf(text, sizeof(text), "http://127.0.0.1:%u", ntohs(any.address.v4.sin_port));
    return parsed(text);
}

static void a_port_in_use_is_seen(void **state)
{
    struct listener listener = free_listener();
    int first;
    int second;
    assert_int_equal(listener_probe(&listener), ERR_NONE);
    assert_int_equal(listener_open(&listener, &first), ERR_NONE);
    errno = 0;
    assert_int_equal(listener_probe(&listener), ERR_IO);
    assert_int_equal(errno, EADDRINUSE);
    /* For ourselves there is room beside it. */
    assert_int_equal(listener_open(&listener, &second), ERR_NONE);
    close(first);
    close(second);
    assert_int_equal(listener_probe(&listener), ERR_NONE);
}

static void a_stale_unix_socket_is_removed(void **state)
{
    char text[64];
    snprintf(text, sizeof(text), "http://unix:/tmp/detour-test-%d.sock", (int)getpid());
    struct listener listener = parsed(text);
    const char *path = listener.address.local.sun_path;
    int fd;
    assert_int_equal(listener_probe(&listener), ERR_NONE);
    assert_int_equal(listener_open(&listener, &fd), ERR_NONE);
    assert_int_equal(listener_probe(&listener), ERR_IO);
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(listener_probe(&listener), ERR_NONE);
    assert_int_equal(access(path, F_OK), -1);

    FILE *file = fopen(path, "w"); /* a file of somebody else's is left alone */
    fclose(file);
    assert_int_equal(listener_probe(&listener), ERR_IO);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(access(path, F_OK), 0);
    listener_remove(&listener);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_refuses),
        cmocka_unit_test(lines_come_back),
        cmocka_unit_test(broken_lines_are_refused),
        cmocka_unit_test(knows_what_covers_what),
        cmocka_unit_test(a_port_in_use_is_seen),
        cmocka_unit_test(a_stale_unix_socket_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
