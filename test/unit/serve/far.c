/* SPDX-License-Identifier: MIT */
/* The far side of tests. */
#include "far.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct far fars[far_max];
size_t far_count;

unsigned far_fails;

static uint8_t large[far_large_bytes];

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool fails(void)
{
    return far_fails > 0 && --far_fails == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

uint8_t far_large_octet(size_t at)
{
    return (uint8_t)(at * 7 + (at >> 8) * 13 + (at >> 16));
}

void far_reset(void)
{
    for (size_t i = 0; i < far_max; i++) {
        free(fars[i].content);
        fars[i] = (struct far){0};
    }
    far_count = 0;
    static bool filled;
    for (size_t i = 0; !filled && i < far_large_bytes; i++) {
        large[i] = far_large_octet(i);
    }
    filled = true;
}

static bool asks(const struct far *far, const char *what)
{
    return strstr(far->path, what) != NULL;
}

static void begin(struct far *far, bool has_length, uint64_t length)
{
    static const struct field fields[] = {
        {{(const uint8_t *)"X-Far", 5}, {(const uint8_t *)"yes", 3}},
        {{(const uint8_t *)"Location", 8}, {(const uint8_t *)"/there", 6}},
        {{(const uint8_t *)"Content-Length", 14}, {(const uint8_t *)"999", 3}},
    };
    struct exchange_head head = {
        .status = asks(far, "/tunnel")    ? 101
                  : asks(far, "/nothing") ? 204
                                          : 200,
        .fields = fields,
        .field_count = 3,
        .upgrade = SPAN("echo"),
        .has_length = has_length,
        .content_length = length,
    };
    far->began = true;
    exchange_begin(far->exchange, &head);
}

static void end(struct far *far)
{
    static const struct field trailer = {{(const uint8_t *)"X-Sum", 5}, {(const uint8_t *)"42", 2}};
    struct exchange *exchange = far->exchange;
    if (!asks(far, "/tunnel") || far->ends > 0) {
        far->exchange = NULL;
    }
    exchange_end(exchange, &trailer, asks(far, "/trailers") ? 1 : 0);
}

/* Goes on with the echo. */
static void echo(struct far *far)
{
    size_t len = far->content_len - far->written;
    size_t taken = exchange_write(far->exchange, span_of(far->content + far->written, len));
    far->written += taken;
    if (taken == len && far->content_ended) {
        end(far);
    } else if (taken == len) {
        exchange_resume(far->exchange);
    }
}

static void write_large(struct far *far)
{
    while (far->large_left > 0) {
        size_t at = far_large_bytes - far->large_left;
        size_t len = far->large_left < 20000 ? far->large_left : 20000;
        size_t taken = exchange_write(far->exchange, span_of(large + at, len));
        far->large_left -= taken;
        if (taken < len) {
            return;
        }
    }
    end(far);
}

static size_t on_content(void *context, struct span bytes)
{
    struct far *far = context;
    assert_non_null(far->exchange);
    assert_true(bytes.len > 0);
    far->calls++;
    size_t len = asks(far, "/take") ? 1 : bytes.len;
    len = asks(far, "/refuse") && far->calls % 2 == 1 ? 0 : len;
    if (far->content == NULL) {
        far->content = __real_malloc(far_bytes_max);
    }
    assert_true(far->content_len + len <= far_bytes_max);
    memcpy(far->content + far->content_len, bytes.ptr, len);
    far->content_len += len;
    if (asks(far, "/echo") || asks(far, "/tunnel")) {
        echo(far);
    }
    if (len < bytes.len && far->exchange != NULL) {
        exchange_resume(far->exchange);
    }
    return len;
}

static void on_content_end(void *context, const struct field *trailers, size_t count)
{
    struct far *far = context;
    assert_non_null(far->exchange);
    far->ends++;
    far->content_ended = true;
    far->trailer_count = count;
    if (count > 0) {
        snprintf(far->trailer, sizeof(far->trailer), "%.*s=%.*s", SPAN_ARG(trailers[0].name),
                 SPAN_ARG(trailers[0].value));
    }
    if (asks(far, "/echo") || asks(far, "/tunnel")) {
        if (!asks(far, "/open")) {
            echo(far);
        }
    } else if (asks(far, "/count")) {
        char text[32];
        int len = snprintf(text, sizeof(text), "%zu", far->content_len);
        begin(far, true, (uint64_t)len);
        exchange_write(far->exchange, span_of(text, (size_t)len));
        end(far);
    }
}

static void on_writable(void *context)
{
    struct far *far = context;
    assert_non_null(far->exchange);
    if (asks(far, "/large")) {
        write_large(far);
    } else {
        echo(far);
    }
}

static void on_gone(void *context)
{
    struct far *far = context;
    assert_false(far->gone);
    assert_true(far->exchange != NULL);
    far->gone = true;
    far->exchange = NULL;
}

static const struct exchange_far far_side = {on_content, on_content_end, on_writable, on_gone};

static void start(struct far *far)
{
    if (asks(far, "/continue")) {
        exchange_continue(far->exchange);
    }
    if (asks(far, "/inform")) {
        static const struct field link = {{(const uint8_t *)"Link", 4},
                                          {(const uint8_t *)"</x>", 4}};
        exchange_inform(far->exchange, 103, &link, 1);
    }
    if (asks(far, "/answer")) {
        static const struct response answer = {
            .status = 502, .body = {(const uint8_t *)"bad", 3}, .content_type = SPAN("text/plain")};
        struct exchange *exchange = far->exchange;
        far->exchange = NULL;
        exchange_answer(exchange, &answer);
        return;
    }
    if (asks(far, "/abort")) {
        begin(far, asks(far, "/length"), 100);
        exchange_write(far->exchange, SPAN("only this"));
        struct exchange *exchange = far->exchange;
        far->exchange = NULL;
        exchange_abort(exchange);
        return;
    }
    if (asks(far, "/early") || asks(far, "/nothing")) {
        begin(far, asks(far, "/length"), 5);
        if (!asks(far, "/nothing")) {
            exchange_write(far->exchange, SPAN("early"));
        }
        end(far);
        return;
    }
    if (asks(far, "/large")) {
        far->large_left = far_large_bytes;
        begin(far, asks(far, "/length"), far_large_bytes);
        write_large(far);
        return;
    }
    if (asks(far, "/echo") || asks(far, "/tunnel")) {
        begin(far, asks(far, "/length"), far->content_length);
    }
    if (asks(far, "/echo") && far->body == BODY_NONE) {
        end(far);
    } else if (asks(far, "/count") && far->body == BODY_NONE) {
        on_content_end(far, NULL, 0);
    } else if (!asks(far, "/late") && !asks(far, "/silent")) {
        exchange_resume(far->exchange);
    }
}

void far_handle(void *context, const struct serve_request *asked, struct response *response)
{
    (void)context;
    assert_true(far_count < far_max);
    struct far *far = &fars[far_count++];
    *far = (struct far){.body = asked->request->body,
                        .content_length = asked->request->content_length};
    snprintf(far->path, sizeof(far->path), "%.*s", SPAN_ARG(asked->request->path));
    far->exchange = server_pass(asked, &far_side, far);
    if (far->exchange == NULL) {
        far->dead = true;
        response->status = 503;
        return;
    }
    start(far);
}
