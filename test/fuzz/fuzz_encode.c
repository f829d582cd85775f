/* SPDX-License-Identifier: MIT */
/* A request that was read and written anew is read as the same one again, to its last octet: so
 * nobody behind us can see another request in it. */
#include "http/field.h"
#include "http/h1/parse.h"
#include "http/hop.h"
#include "origin/encode.h"

#include <assert.h>

static void check_fields(const struct request *request)
{
    size_t cookies = 0;
    for (size_t i = 0; i < request->field_count; i++) {
        struct span name = request->fields[i].name;
        cookies += span_eq_ci(name, SPAN("Cookie"));
        assert(!span_eq_ci(name, SPAN("Keep-Alive")) && !span_eq_ci(name, SPAN("HTTP2-Settings")));
        assert(!span_eq_ci(name, SPAN("X-Real-IP")) && !span_eq_ci(name, SPAN("X_Forwarded_For")));
    }
    assert(cookies <= 1);
    assert(span_eq(request->known.x_forwarded_for, SPAN("::1")));
}

static void check_same(const struct request *a, const struct request *b)
{
    assert(span_eq(a->method_name, b->method_name));
    assert(span_eq(a->path, b->path));
    assert((a->query.ptr == NULL) == (b->query.ptr == NULL) && span_eq(a->query, b->query));
    assert(a->host.len == 0 || span_eq(a->host, b->host));
    assert(a->host.len == 0 || a->port == b->port);
    assert(a->body == b->body && a->content_length == b->content_length);
    assert(a->expect_continue == b->expect_continue);
    assert(b->version_minor == 1 && b->keep_alive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct h1_head head;
    static struct h1_head again;
    static uint8_t room[encode_bytes_max];
    static const struct client client = {.address = {[15] = 1}};
    size_t scanned = 0;
    size_t used = 0;
    uint16_t status = 0;
    struct span upgrade = {0};
    struct buffer out = buffer_over(room, sizeof(room));
    if (h1_parse(span_of(data, size), &scanned, &head, &used, &status) != H1_DONE) {
        return 0;
    }
    struct encode_asked asked = {.request = &head.request,
                                 .peer = &client,
                                 .client = &client,
                                 .host = head.request.host,
                                 .port = head.request.port,
                                 .authority = SPAN("origin.example")};
    if (request_encode(&asked, &out, &upgrade) != ENCODE_DONE || out.len > request_head_bytes_max ||
        head.request.field_count + 10 > request_fields_max) {
        return 0;
    }
    scanned = 0;
    assert(h1_parse(buffer_span(&out), &scanned, &again, &used, &status) == H1_DONE);
    assert(used == out.len);
    check_same(&head.request, &again.request);
    check_fields(&again.request);
    return 0;
}
