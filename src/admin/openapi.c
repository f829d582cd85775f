/* SPDX-License-Identifier: MIT */
/* The OpenAPI 3.1 document, made of the table that the router reads. */
#include "admin/internal.h"

#include "http/method.h"

#include <stdio.h>
#include <stdlib.h>

/* Sticky: build freely, test once. */
struct draft {
    bool failed;
};

/* Takes value over. */
static void put(struct draft *draft, json_t *object, const char *name, json_t *value)
{
    draft->failed |= json_object_set_new(object, name, value) != 0;
}

static void push(struct draft *draft, json_t *array, json_t *value)
{
    draft->failed |= json_array_append_new(array, value) != 0;
}

static json_t *reference(const char *kind, const char *name)
{
    char text[128];
    snprintf(text, sizeof(text), "#/components/%s/%s", kind, name);
    return json_pack("{s:s}", "$ref", text);
}

/* ---- parameters ---- */

static json_t *path_parameter(struct span part)
{
    struct span name = span_slice(part, 1, part.len - 1);
    bool number = span_eq(name, SPAN("number"));
    json_t *schema = number ? json_pack("{s:s, s:i}", "type", "integer", "minimum", 1)
                            : json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
    return json_pack("{s:s%, s:s, s:b, s:o}", "name", (const char *)name.ptr, name.len, "in",
                     "path", "required", 1, "schema", schema);
}

static json_t *field_parameter(const char *name, bool required, const char *description)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:{s:s}}", "name", name, "in", "header", "required",
                     required, "description", description, "schema", "type", "string");
}

static void push_preconditions(struct draft *draft, json_t *list, const struct route *route)
{
    if (route->tag < TAG_ALLOWED) {
        return;
    }
    if (route->access == ACCESS_WRITE) {
        push(draft, list,
             field_parameter("If-Match", false,
                             route->tag == TAG_NEEDED
                                 ? "The ETag of what is to be replaced; this or If-None-Match"
                                 : "Only if it still has this ETag; or *: only if it is there."));
    }
    push(draft, list,
         field_parameter("If-None-Match", false,
                         route->access == ACCESS_WRITE ? "*: only if there is none yet"
                                                       : "ETags that the client has already"));
}

static json_t *parameters_of(struct draft *draft, const struct route *route)
{
    json_t *list = json_array();
    struct span rest = span_cstr(route->path);
    struct span part;
    while (segment_next(&rest, &part)) {
        if (part.len > 0 && part.ptr[0] == '{') {
            push(draft, list, path_parameter(part));
        }
    }
    for (size_t i = 0; i < parameter_count; i++) {
        if ((route->parameters & admin_parameters[i].bit) != 0) {
            push(draft, list, reference("parameters", admin_parameters[i].name));
        }
    }
    push_preconditions(draft, list, route);
    return list;
}

static json_t *all_parameters(struct draft *draft)
{
    json_t *all = json_object();
    for (size_t i = 0; i < parameter_count; i++) {
        const struct parameter *parameter = &admin_parameters[i];
        put(draft, all, parameter->name,
            json_pack("{s:s, s:s, s:s, s:o}", "name", parameter->name, "in", "query", "description",
                      parameter->description, "schema", json_loads(parameter->schema, 0, NULL)));
    }
    return all;
}

/* ---- contents and answers ---- */

static json_t *content_of(const char *type, json_t *schema)
{
    return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *request_body(const struct route *route)
{
    bool json = route->content == CONTENT_JSON;
    json_t *content =
        json ? content_of("application/json", reference("schemas", route->content_schema))
             : content_of("text/yaml", json_pack("{s:s}", "type", "string"));
    return json_pack("{s:b, s:o}", "required", 1, "content", content);
}

static json_t *success(struct draft *draft, const struct route *route, const char *description)
{
    json_t *content =
        route->answer_schema != NULL
            ? content_of("application/json", reference("schemas", route->answer_schema))
            : content_of("text/yaml", json_pack("{s:s}", "type", "string"));
    json_t *answer = json_pack("{s:s, s:o}", "description", description, "content", content);
    if (route->tag != TAG_NONE) {
        put(draft, answer, "headers",
            json_pack("{s:{s:s, s:{s:s}}}", "ETag", "description", "For If-Match", "schema", "type",
                      "string"));
    }
    return answer;
}

/* What may come of it beside success, as far as the row of the table tells. */
static bool may_answer(const struct route *route, uint16_t status)
{
    bool write = route->access == ACCESS_WRITE;
    bool variable = strchr(route->path, '{') != NULL;
    switch (status) {
    case 401:
    case 429:
        return route->access != ACCESS_OPEN;
    case 404:
        return variable;
    case 409:
    case 507:
        return write;
    case 411:
    case 413:
    case 415:
        return route->content != CONTENT_NONE;
    case 412:
        return write && route->tag >= TAG_ALLOWED;
    case 422:
        return write || route->content != CONTENT_NONE;
    case 428:
        return route->tag == TAG_NEEDED;
    case 500:
    case 503:
        return route->operation != ROUTE_OPENAPI && route->operation != ROUTE_HEALTH;
    default:
        return status != 405; /* of a path, not of an operation */
    }
}

static json_t *responses_of(struct draft *draft, const struct route *route)
{
    json_t *all = json_object();
    put(draft, all, "200", success(draft, route, "Done"));
    if (route->creates) {
        put(draft, all, "201", success(draft, route, "Done; there was none of that name"));
    }
    if (route->method == METHOD_GET && route->tag != TAG_NONE) {
        put(draft, all, "304", json_pack("{s:s}", "description", "The client has it already"));
    }
    for (size_t i = 0; i < problem_kind_count; i++) {
        const struct problem_kind *kind = &admin_problem_kinds[i];
        char status[8];
        snprintf(status, sizeof(status), "%u", kind->status);
        if (may_answer(route, kind->status)) {
            put(draft, all, status, reference("responses", kind->name));
        }
    }
    put(draft, all, "default", reference("responses", "other"));
    return all;
}

static json_t *problem_response(const char *title)
{
    return json_pack("{s:s, s:o}", "description", title, "content",
                     content_of("application/problem+json", reference("schemas", "Problem")));
}

static json_t *all_responses(struct draft *draft)
{
    json_t *all = json_object();
    for (size_t i = 0; i < problem_kind_count; i++) {
        const struct problem_kind *kind = &admin_problem_kinds[i];
        put(draft, all, kind->name, problem_response(kind->title));
    }
    put(draft, all, "other", problem_response("Any other refusal"));
    return all;
}

static json_t *all_problems(struct draft *draft)
{
    json_t *all = json_object();
    for (size_t i = 0; i < problem_kind_count; i++) {
        const struct problem_kind *kind = &admin_problem_kinds[i];
        put(draft, all, kind->name,
            json_pack("{s:s, s:i}", "title", kind->title, "status", kind->status));
    }
    return all;
}

/* ---- operations ---- */

static json_t *operation_of(struct draft *draft, const struct route *route)
{
    json_t *operation = json_pack("{s:s, s:s, s:o}", "operationId", route->id, "summary",
                                  route->summary, "parameters", parameters_of(draft, route));
    if (route->content != CONTENT_NONE) {
        put(draft, operation, "requestBody", request_body(route));
    }
    put(draft, operation, "responses", responses_of(draft, route));
    if (route->access == ACCESS_OPEN) {
        put(draft, operation, "security", json_array());
    } else {
        put(draft, operation, "x-scope",
            json_string(route->access == ACCESS_WRITE ? "write" : "read"));
    }
    return operation;
}

static json_t *all_paths(struct draft *draft)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < admin_route_count; i++) {
        const struct route *route = &admin_routes[i];
        char method[16] = {0};
        struct span name = method_name(route->method);
        for (size_t at = 0; at < name.len && at + 1 < sizeof(method); at++) {
            method[at] = (char)ascii_lower(name.ptr[at]);
        }
        if (json_object_get(paths, route->path) == NULL) {
            put(draft, paths, route->path, json_object());
        }
        put(draft, json_object_get(paths, route->path), method, operation_of(draft, route));
    }
    return paths;
}

static json_t *components(struct draft *draft)
{
    return json_pack("{s:o, s:o, s:o, s:{s:{s:s, s:s, s:s}}}", "schemas",
                     json_loads(admin_schemas, 0, NULL), "parameters", all_parameters(draft),
                     "responses", all_responses(draft), "securitySchemes", "token", "type", "http",
                     "scheme", "bearer", "description",
                     "Over TCP. A unix socket needs none: its file says who may use it.");
}

char *openapi_new(void)
{
    struct draft draft = {0};
    json_t *document = json_pack(
        "{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:[{s:[]}, {}], s:o, s:o, s:o}", "openapi", "3.1.0",
        "info", "title", "Detour", "description", "Detours at run time. GET also means HEAD.",
        "version", DETOUR_VERSION, "servers", "url", "/", "security", "token", "paths",
        all_paths(&draft), "components", components(&draft), "x-problems", all_problems(&draft));
    char *text = document != NULL && !draft.failed ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    return text;
}
