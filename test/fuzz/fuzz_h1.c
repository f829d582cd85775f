/* SPDX-License-Identifier: MIT */
/* Request heads. What is accepted is checked against a naive look at the raw text, and
 * against the same bytes coming one by one. */
#include "http/field.h"
#include "http/h1/parse.h"

#include <assert.h>
#include <stdlib.h>

static bool inside(struct span part, struct span whole)
{
    return part.ptr == NULL ||
           (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* How many lines begin with name, without case. */
static int count_lines(struct span head, struct span name)
{
    int count = 0;
    for (size_t at = 0; at < head.len; at = span_find(head, at, '\n') + 1) {
        struct span line = span_from(head, at);
        count += line.len >= name.len && span_eq_ci(span_slice(line, 0, name.len), name);
    }
    return count;
}

static void check_lines(struct span head)
{
    assert(head.len <= request_head_bytes_max && span_ends(head, SPAN("\r\n\r\n")));
    for (size_t i = 0; i < head.len; i++) {
        uint8_t c = head.ptr[i];
        assert(c != '\n' || (i > 0 && head.ptr[i - 1] == '\r'));
        assert(c != '\r' || head.ptr[i + 1] == '\n');
        assert(c >= ' ' || c == '\t' || c == '\r' || c == '\n');
        assert(c != 0x7f);
    }
}

static void check_framing(struct span head, const struct request *request)
{
    int lengths = count_lines(head, SPAN("content-length:"));
    int codings = count_lines(head, SPAN("transfer-encoding:"));
    int hosts = count_lines(head, SPAN("host:"));
    assert(lengths + codings <= 1);
    assert(hosts == 1 || (hosts == 0 && request->version_minor == 0));
    assert((request->body == BODY_CHUNKED) == (codings == 1));
    assert(request->body != BODY_LENGTH || (lengths == 1 && request->content_length > 0));
    assert(count_lines(head, SPAN(" ")) + count_lines(head, SPAN("\t")) == 0);
    assert(!request->expect_continue || request->body != BODY_NONE);
}

static void check_spans(struct span head, const struct h1_head *parsed)
{
    const struct request *request = &parsed->request;
    struct span lower = span_of(parsed->host_lower, sizeof(parsed->host_lower));
    assert(inside(request->method_name, head) && inside(request->absolute_scheme, head));
    assert(inside(request->path, head) && inside(request->query, head));
    assert(inside(request->host, head) || inside(request->host, lower));
    assert(inside(request->known.accept, head) && inside(request->known.cookie, head));
    assert(request->path.len > 0 && (request->path.ptr[0] == '/' || request->path.len == 1));
    assert(request->fields == parsed->fields && request->field_count <= request_fields_max);
    for (size_t i = 0; i < request->field_count; i++) {
        assert(inside(request->fields[i].name, head) && inside(request->fields[i].value, head));
        assert(token_valid(request->fields[i].name));
        assert(field_value_valid(request->fields[i].value));
        assert(span_trim(request->fields[i].value).len == request->fields[i].value.len);
    }
    for (size_t i = 0; i < request->host.len; i++) {
        uint8_t c = request->host.ptr[i];
        assert(c == ascii_lower(c) && c > ' ' && c < 0x7f);
        assert(strchr("@/\\?#\"<>,;%", c) == NULL);
    }
}

static enum h1_result one_by_one(struct span bytes, struct h1_head *head, size_t *used,
                                 uint16_t *status)
{
    enum h1_result result = H1_MORE;
    size_t scanned = 0;
    for (size_t len = 1; result == H1_MORE && len <= bytes.len; len++) {
        result = h1_parse(span_slice(bytes, 0, len), &scanned, head, used, status);
        assert(result != H1_DONE || *used == len);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct h1_head head;
    static struct h1_head slow_head;
    struct span bytes = span_of(data, size);
    size_t used = 0;
    size_t slow_used = 0;
    size_t scanned = 0;
    uint16_t status = 0;
    uint16_t slow_status = 0;
    enum h1_result result = h1_parse(bytes, &scanned, &head, &used, &status);
    enum h1_result slow = one_by_one(bytes, &slow_head, &slow_used, &slow_status);
    assert(slow == result && slow_used == used && slow_status == status);
    if (result == H1_DONE) {
        assert(used <= size);
        struct span whole = span_slice(bytes, 0, used);
        check_lines(whole);
        check_framing(whole, &head.request);
        check_spans(whole, &head);
        assert(slow_head.request.field_count == head.request.field_count);
        assert(span_eq(slow_head.request.host, head.request.host));
        assert(span_eq(slow_head.request.path, head.request.path));
    } else if (result == H1_BAD) {
        assert(used == 0 && status >= 400 && status <= 505);
    } else {
        assert(size < request_head_bytes_max && scanned == size);
    }
    return 0;
}
