/* SPDX-License-Identifier: MIT */
/* Requests to the admin API over TCP. Whatever comes, there is one valid answer, and the
 * backend sees only what it may see. */
#include "admin/internal.h"
#include "base/utf8.h"
#include "http/field.h"
#include "http/h1/encode.h"
#include "http/h1/parse.h"

#include <assert.h>
#include <stdlib.h>

static struct admin *admin;
static const struct request *current;
static const struct admin_call *seen; /* by the backend; only whether it is NULL */
static unsigned outcome;

static bool know_token(void *context, struct span token, struct span *name_out, bool *may_write_out)
{
    (void)context;
    *may_write_out = span_eq(token, SPAN("w"));
    *name_out = token;
    return *may_write_out || span_eq(token, SPAN("r"));
}

static void check_text(struct span text, size_t max)
{
    uint32_t point = 0;
    assert(text.len <= max);
    for (size_t at = 0; at < text.len;) {
        size_t len = utf8_decode(text, at, &point);
        assert(len > 0 && point >= 0x20 && point != 0x7f);
        at += len;
    }
}

static bool is_write(enum admin_operation operation)
{
    return operation == ADMIN_PUT_DETOUR || operation == ADMIN_DELETE_DETOUR ||
           operation == ADMIN_DELETE_ALL || operation == ADMIN_EXTEND_DETOUR ||
           operation == ADMIN_PUT_TOKEN || operation == ADMIN_DELETE_TOKEN ||
           operation == ADMIN_REVERT_CHANGE || operation == ADMIN_RELOAD;
}

static void check_call(const struct admin_call *call)
{
    enum method method = current->method;
    bool read = method == METHOD_GET || method == METHOD_HEAD;
    assert(span_eq(current->host, SPAN("localhost")) || span_eq(current->host, SPAN("127.0.0.1")) ||
           span_starts(current->host, SPAN("[")));
    assert(current->port == 8308);
    assert(current->known.origin.ptr == NULL || span_starts(current->known.origin, SPAN("http:")));
    assert(call->operation < ADMIN_OPERATIONS);
    assert(call->operation == ADMIN_READY || call->actor.token.len == 1);
    assert(!is_write(call->operation) || (call->actor.may_write && !read));
    assert(read || is_write(call->operation) || call->operation == ADMIN_DIFF ||
           call->operation == ADMIN_LINK_DETOUR || call->operation == ADMIN_GET_EXISTENCE);
    check_text(call->site, request_target_bytes_max);
    check_text(call->name, request_target_bytes_max);
    assert(span_find(call->site, 0, '/') == call->site.len && !span_eq(call->name, SPAN("..")));
    check_text(call->owner, owner_bytes_max);
    check_text(call->why, why_bytes_max);
    assert((call->content != NULL) ==
           (call->operation == ADMIN_PUT_DETOUR || call->operation == ADMIN_EXTEND_DETOUR ||
            call->operation == ADMIN_PUT_TOKEN || call->operation == ADMIN_LINK_DETOUR ||
            call->operation == ADMIN_GET_EXISTENCE));
    assert(call->content == NULL || json_is_object(call->content));
    assert((call->text.len > 0) == (call->operation == ADMIN_DIFF));
    assert((call->number > 0) ==
           (call->operation == ADMIN_GET_CHANGE || call->operation == ADMIN_REVERT_CHANGE));
    assert((call->limit > 0) == (call->operation == ADMIN_LIST_CHANGES) && call->limit <= 1000);
    assert(!call->dry_run || is_write(call->operation));
    assert(call->operation != ADMIN_PUT_DETOUR || call->has_if_match || call->if_exists ||
           call->if_none);
}

static bool call_backend(void *context, const struct admin_call *call,
                         struct admin_pending *pending, struct admin_result *result)
{
    (void)context;
    (void)pending;
    check_call(call);
    seen = call;
    result->status = 200;
    result->etag = outcome;
    if (outcome % 4 == 1) {
        admin_refuse(result, 409, "%.*s is taken", SPAN_ARG(call->name));
    } else if (outcome % 4 == 2) {
        result->text = strdup("a: b\n");
    } else if (outcome % 4 == 3) {
        result->body = call->content != NULL ? json_incref(call->content) : json_object();
    }
    return true;
}

static bool has_field(const struct response *response, struct span name, struct span value)
{
    for (size_t i = 0; i < response->field_count; i++) {
        assert(field_value_valid(response->fields[i].value));
        if (span_eq(response->fields[i].name, name)) {
            return value.len == 0 || span_eq(response->fields[i].value, value);
        }
    }
    return false;
}

static void check_response(const struct response *response)
{
    static uint8_t bytes[1 << 20];
    assert(response->status >= 200 && response->status < 600);
    assert(has_field(response, SPAN("Cache-Control"), SPAN("no-store")));
    assert(has_field(response, SPAN("X-Content-Type-Options"), SPAN("nosniff")));
    assert((response->status == 401) <= has_field(response, SPAN("WWW-Authenticate"), SPAN("")));
    assert((response->status == 405) == has_field(response, SPAN("Allow"), SPAN("")));
    assert((response->status == 429) == has_field(response, SPAN("Retry-After"), SPAN("")));
    if (response->status >= 400) {
        json_t *problem = json_loadb((const char *)response->body.ptr, response->body.len, 0, NULL);
        assert(span_eq(response->content_type, SPAN("application/problem+json")));
        assert(json_integer_value(json_object_get(problem, "status")) == response->status);
        assert(json_is_string(json_object_get(problem, "detail")));
        json_decref(problem);
    }
    struct buffer out = buffer_over(bytes, sizeof(bytes));
    struct h1_encoding encoding = {.date = (const uint8_t *)"Tue, 01 Dec 2026 01:00:00 GMT"};
    h1_encode(response, &encoding, &out);
    assert(!out.full && out.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct h1_head head;
    static struct response response;
    static int64_t now_ns = 1;
    struct admin_backend backend = {NULL, call_backend, know_token};
    admin = admin != NULL ? admin : admin_new(&backend);
    struct listener listener = {.address.v4 = {.sin_family = AF_INET, .sin_port = htons(8308)}};
    listener.address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct client peer = {.address = {[10] = 0xff, [11] = 0xff, 127, [15] = 1}};
    struct span bytes = span_of(data, size);
    size_t scanned = 0;
    size_t used = 0;
    uint16_t status = 0;
    enum h1_result result = h1_parse(bytes, &scanned, &head, &used, &status);
    if (result == H1_MORE) {
        return 0;
    }
    struct span rest = span_from(bytes, result == H1_DONE ? used : size);
    size_t len = head.request.body == BODY_LENGTH && head.request.content_length < rest.len
                     ? (size_t)head.request.content_length
                     : 0;
    now_ns += 7 * INT64_C(1000000000); /* so that wrong tokens are heard again */
    struct serve_request asked = {.request = &head.request,
                                  .peer = &peer,
                                  .listener = &listener,
                                  .now_ns = now_ns,
                                  .bad_status = status,
                                  .content = span_slice(rest, 0, len)};
    current = &head.request;
    seen = NULL;
    outcome = (unsigned)size;
    memset(&response, 0, sizeof(response));
    admin_handle(admin, &asked, &response);
    assert(result != H1_BAD || (seen == NULL && response.status == status));
    check_response(&response);
    return 0;
}
