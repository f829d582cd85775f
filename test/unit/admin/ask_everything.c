/* SPDX-License-Identifier: MIT */
/* Asks the API for everything that its table has, well and badly, and prints the OpenAPI
 * document, the table and the answers, for test_openapi.py to compare. */
#include "fixture.h"

#include "http/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOST " HTTP/1.1\r\nHost: 127.0.0.1:$P\r\n"
#define WRITER "Authorization: Bearer writer\r\n"

/* How the fields of a request differ from those of a good one. */
struct way {
    const char *name;
    const char *token;
    const char *tag;  /* NULL: what a good one has */
    const char *type; /* NULL: likewise */
    bool no_content;
    bool content_for_all;
};

static const struct way ways[] = {
    {.name = "good", .token = WRITER},
    {.name = "no token", .token = ""},
    {.name = "read only", .token = "Authorization: Bearer reader\r\n"},
    {.name = "no precondition", .token = WRITER, .tag = ""},
    {.name = "known", .token = WRITER, .tag = "If-None-Match: \"7\"\r\n"},
    {.name = "if match", .token = WRITER, .tag = "If-Match: \"7\"\r\n"},
    {.name = "bad tag", .token = WRITER, .tag = "If-None-Match: 7\r\n"},
    {.name = "wrong type", .token = WRITER, .type = "Content-Type: text/html\r\n"},
    {.name = "no content", .token = WRITER, .no_content = true},
    {.name = "content for all", .token = WRITER, .content_for_all = true},
    {.name = "foreign page", .token = WRITER "Origin: http://evil.example\r\n"},
};

static void append(char *text, size_t size, const char *more)
{
    size_t len = strlen(text);
    assert_true(len + strlen(more) < size);
    strcpy(text + len, more);
}

/* The path with its variables replaced. */
static void fill_path(const char *path, const char *name, char *out, size_t size)
{
    out[0] = 0;
    struct span rest = span_cstr(path);
    struct span part;
    while (segment_next(&rest, &part)) {
        char literal[64];
        snprintf(literal, sizeof(literal), "%.*s", SPAN_ARG(part));
        append(out, size, "/");
        append(out, size,
               span_eq(part, SPAN("{site}"))     ? "shop"
               : span_eq(part, SPAN("{pool}"))   ? "eu"
               : span_eq(part, SPAN("{name}"))   ? name
               : span_eq(part, SPAN("{server}")) ? name
               : span_eq(part, SPAN("{number}")) ? "12"
                                                 : literal);
    }
}

static struct reply_text *ask(struct fixture *f, const struct route *route, const char *method,
                              const char *name, const char *query, const struct way *way)
{
    char path[256];
    char head[1024] = "";
    fill_path(route->path, name, path, sizeof(path));
    const char *tag = way->tag != NULL           ? way->tag
                      : route->tag == TAG_NEEDED ? "If-None-Match: *\r\n"
                                                 : "";
    bool content = (route->content != CONTENT_NONE || way->content_for_all) && !way->no_content;
    bool json = route->content == CONTENT_JSON;
    const char *type = way->type != NULL ? way->type
                       : json            ? "Content-Type: application/json\r\n"
                                         : "Content-Type: text/yaml\r\n";
    const char *parts[] = {method, " ", path, query, HOST, way->token, tag, content ? type : ""};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        append(head, sizeof(head), parts[i]);
    }
    return exchange(f, head, content ? "{}" : NULL);
}

static char *field_of(const struct reply_text *reply, const char *name, char *room, size_t size)
{
    const char *at = strstr(reply->bytes, name);
    room[0] = 0;
    if (at != NULL && at < reply->body) {
        at += strlen(name);
        snprintf(room, size, "%.*s", (int)strcspn(at, "\r"), at);
    }
    return room;
}

static void print(const struct route *route, const char *method, const char *way,
                  const char *parameter, const struct reply_text *reply)
{
    char type[128];
    char tag[64];
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "path", route->path, "method", method,
                  "way", way, "parameter", parameter, "status", (int)reply->status, "type",
                  field_of(reply, "\r\nContent-Type: ", type, sizeof(type)), "etag",
                  field_of(reply, "\r\nETag: ", tag, sizeof(tag)), "body", reply->body);
    assert_non_null(line);
    char *text = json_dumps(line, JSON_COMPACT);
    printf("%s\n", text);
    free(text);
    json_decref(line);
}

static void ask_in_all_ways(struct fixture *f, const struct route *route)
{
    static const char *const names[] = {"a", "new", "missing", "taken", "full", "broken", "odd"};
    const char *method = (const char *)method_name(route->method).ptr;
    bool named = strstr(route->path, "{name}") != NULL || strstr(route->path, "{server}") != NULL;
    for (size_t i = 0; i < (named ? sizeof(names) / sizeof(names[0]) : 1); i++) {
        bool fits = route->creates || strcmp(names[i], "new") != 0;
        bool writes = route->access == ACCESS_WRITE || i < 3 || i == 6;
        for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]) && fits && writes; k++) {
            print(route, method, ways[k].name, "", ask(f, route, method, names[i], "", &ways[k]));
        }
    }
}

static void ask_with_parameters(struct fixture *f, const struct route *route)
{
    static const char *const values[parameter_count] = {"1", "1", "true", "me", "so"};
    const char *method = (const char *)method_name(route->method).ptr;
    for (size_t i = 0; i < parameter_count; i++) {
        char query[64];
        snprintf(query, sizeof(query), "?%s=%s", admin_parameters[i].name, values[i]);
        print(route, method, "parameter", admin_parameters[i].name,
              ask(f, route, method, "a", query, &ways[0]));
    }
}

static void ask_with_methods(struct fixture *f, const struct route *route)
{
    static const char *const methods[] = {"GET",   "PUT",     "POST",  "DELETE",
                                          "PATCH", "OPTIONS", "TRACE", "OTHER"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        print(route, methods[i], "method", "", ask(f, route, methods[i], "a", "", &ways[0]));
    }
}

int main(void)
{
    static struct fixture f;
    fixture_init(&f, false);
    char *document = openapi_new();
    printf("%s\n", document);
    free(document);
    for (size_t i = 0; i < admin_route_count; i++) {
        const struct route *route = &admin_routes[i];
        printf("{\"route\":[\"%s\",\"%s\"]}\n", route->path,
               (const char *)method_name(route->method).ptr);
        ask_in_all_ways(&f, route);
        ask_with_parameters(&f, route);
        ask_with_methods(&f, route);
    }
    fixture_fini(&f);
    return 0;
}
