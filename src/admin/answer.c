/* SPDX-License-Identifier: MIT */
/* From what came of a call to a response: JSON, problem documents, entity tags. */
#include "admin/internal.h"

#include "base/buffer.h"
#include "http/method.h"
#include "http/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const struct problem_kind admin_problem_kinds[problem_kind_count] = {
    {400, "bad-request", "The request cannot be understood"},
    {401, "no-token", "A token is needed"},
    {403, "not-allowed", "This is not allowed"},
    {404, "not-found", "There is no such thing"},
    {405, "wrong-method", "This method is not for this resource"},
    {409, "conflict", "This does not fit what is there"},
    {411, "no-length", "The content must say how long it is"},
    {412, "changed", "It has changed, or is there already"},
    {413, "too-large", "The content is too large"},
    {415, "wrong-type", "The content is of the wrong type"},
    {422, "not-valid", "What was asked for is not valid"},
    {428, "no-precondition", "A precondition is needed"},
    {429, "too-many-failures", "Too many wrong tokens"},
    {500, "failure", "Something failed here"},
    {503, "not-now", "This cannot be done now"},
    {507, "no-space", "There is no space to keep it"},
};

void rendered_fini(struct rendered *rendered)
{
    free(rendered->body);
    rendered->body = NULL;
}

/* ---- results ---- */

void admin_result_fini(struct admin_result *result)
{
    json_decref(result->body);
    json_decref(result->problems);
    free(result->text);
    result->body = NULL;
    result->problems = NULL;
    result->text = NULL;
}

void admin_refuse(struct admin_result *result, uint16_t status, const char *format, ...)
{
    admin_result_fini(result);
    result->status = status;
    result->etag = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(result->detail, sizeof(result->detail), format, args);
    va_end(args);
}

/* ---- content ---- */

/* So much is left for the head. */
enum { head_bytes_max = 64 << 10 };

/* One line, so that a terminal shows it well. NULL: no memory, or no room. */
static char *dump(const json_t *json)
{
    size_t len = json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text =
        len > 0 && len < serve_response_bytes_max - head_bytes_max ? malloc(len + 2) : NULL;
    if (text != NULL) {
        json_dumpb(json, text, len, JSON_COMPACT | JSON_ENCODE_ANY);
        text[len] = '\n';
        text[len + 1] = 0;
    }
    return text;
}

/* As a pointer into the OpenAPI document, where the kind is described: a relative reference
 * (RFC 9457, 3.1.1), since nobody knows by which name this server is called. */
static json_t *problem_new(struct admin_result *result)
{
    const char *name = NULL;
    struct span title = status_reason(result->status);
    for (size_t i = 0; i < problem_kind_count; i++) {
        if (admin_problem_kinds[i].status == result->status) {
            name = admin_problem_kinds[i].name;
            title = span_cstr(admin_problem_kinds[i].title);
        }
    }
    char type[96] = "about:blank"; /* the status says it all (RFC 9457, 4.2.1) */
    if (name != NULL) {
        snprintf(type, sizeof(type), "/v1/openapi.json#/x-problems/%s", name);
    }
    json_t *problem = json_pack("{s:s, s:s%, s:i, s:o}", "type", type, "title",
                                (const char *)title.ptr, title.len, "status", result->status,
                                "detail", text_to_json(span_cstr(result->detail)));
    if (problem != NULL && json_array_size(result->problems) > 0 &&
        json_object_set(problem, "errors", result->problems) != 0) {
        json_decref(problem);
        return NULL;
    }
    return problem;
}

static void no_memory(struct response *response)
{
    response->status = 503;
    response->content_type = SPAN("application/problem+json");
    response->body = SPAN("{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                          "\"status\":503,\"detail\":\"out of memory\"}\n");
    response->field_count = 0;
    reply_add_fields(response);
}

static void put_json(struct rendered *rendered, json_t *json, struct span type,
                     struct response *response)
{
    rendered->body = json != NULL ? dump(json) : NULL;
    json_decref(json);
    if (rendered->body == NULL) {
        no_memory(response);
        return;
    }
    response->content_type = type;
    response->body = span_cstr(rendered->body);
}

static void put_content(struct admin_result *result, struct rendered *rendered,
                        struct response *response)
{
    if (result->status >= 400) {
        put_json(rendered, problem_new(result), SPAN("application/problem+json"), response);
    } else if (result->text != NULL) {
        rendered->body = result->text;
        result->text = NULL;
        response->content_type = SPAN("text/yaml; charset=utf-8");
        response->body = span_cstr(rendered->body);
    } else if (result->body != NULL) {
        json_t *body = result->body;
        result->body = NULL;
        put_json(rendered, body, SPAN("application/json"), response);
    } else if (result->status == 200) {
        response->status = 204;
    }
}

/* ---- fields ---- */

void reply_add_fields(struct response *response)
{
    response_add(response, SPAN("Cache-Control"), SPAN("no-store"));
    response_add(response, SPAN("X-Content-Type-Options"), SPAN("nosniff"));
}

static struct span print(char *room, size_t size, const char *quote, uint64_t number)
{
    int len = snprintf(room, size, "%s%" PRIu64 "%s", quote, number, quote);
    return span_of(room, len < 0 ? 0 : (size_t)len);
}

static struct span list_methods(unsigned allowed, char *room, size_t size)
{
    struct buffer out = buffer_over(room, size);
    for (unsigned method = METHOD_GET; method < METHOD_OTHER; method++) {
        if ((allowed & 1U << method) != 0) {
            buffer_put(&out, out.len > 0 ? SPAN(", ") : SPAN(""));
            buffer_put(&out, method_name((enum method)method));
        }
    }
    return buffer_span(&out);
}

static void add_fields(const struct reply *reply, struct rendered *rendered,
                       struct response *response)
{
    const struct admin_result *result = &reply->result;
    reply_add_fields(response);
    if (result->etag != 0) {
        response_add(response, SPAN("ETag"),
                     print(rendered->etag, sizeof(rendered->etag), "\"", result->etag));
    }
    if (result->retry_after_s != 0) {
        response_add(
            response, SPAN("Retry-After"),
            print(rendered->retry_after, sizeof(rendered->retry_after), "", result->retry_after_s));
    }
    if (reply->challenge != NULL) {
        response_add(response, SPAN("WWW-Authenticate"), span_cstr(reply->challenge));
    }
    if (result->status == 405) {
        response_add(response, SPAN("Allow"),
                     list_methods(reply->allowed, rendered->allow, sizeof(rendered->allow)));
    }
}

/* RFC 9110, 13.1.2: the client has it already. */
static bool is_known(const struct reply *reply)
{
    if (!reply->is_read || reply->result.status != 200 || reply->result.etag == 0) {
        return false;
    }
    for (size_t i = 0; reply->none_match[i] != 0; i++) {
        if (reply->none_match[i] == reply->result.etag) {
            return true;
        }
    }
    return reply->none_any;
}

void reply_render(struct reply *reply, struct rendered *rendered, struct response *response)
{
    if (reply->result.status < 200 || reply->result.status > 599) {
        admin_refuse(&reply->result, 501, "this is in the document, but nobody carries it out");
    }
    rendered_fini(rendered);
    if (is_known(reply)) {
        reply->result.status = 304;
    }
    response->status = reply->result.status;
    add_fields(reply, rendered, response);
    if (response->status != 304) {
        put_content(&reply->result, rendered, response);
    }
    admin_result_fini(&reply->result);
}
