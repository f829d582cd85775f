/* SPDX-License-Identifier: MIT */
/* Questions of proxies as a stranger may have shaped them. The first octet chooses the form;
 * each line after it is a field, whose first octet says which one, and 't' is the target of the
 * subrequest itself. What is read is always a request that our own parser could have read, a
 * peer that is not trusted is never heard, and beside the fields that the proxy writes itself
 * no other one changes anything. */
#include "http/field.h"
#include "http/subrequest.h"
#include "uri/host.h"

#include <assert.h>

enum { fields_max = 16, value_bytes_max = 9000, own_max = 8 };

struct input {
    struct field fields[fields_max + own_max];
    struct request request;
};

struct peers {
    struct client trusted;
    struct client stranger;
    struct cidr cidr;
};

static const struct {
    uint8_t letter;
    const char *name;
} names[] = {{'m', "X-Forwarded-Method"}, {'u', "X-Forwarded-Uri"},   {'h', "X-Forwarded-Host"},
             {'p', "X-Forwarded-Proto"},  {'n', "X-Forwarded-Port"},  {'x', "X-Forwarded-For"},
             {'f', "Forwarded"},          {'M', "X-Original-Method"}, {'U', "X-Original-URL"}};

static void add(struct input *input, struct span name, struct span value)
{
    input->fields[input->request.field_count++] = (struct field){.name = name, .value = value};
    if (name.len == 9) {
        input->request.known.forwarded = value;
    } else if (span_eq(name, SPAN("X-Forwarded-For"))) {
        input->request.known.x_forwarded_for = value;
    }
}

static void add_line(struct input *input, struct span line, const char *unwanted)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (names[i].letter == line.ptr[0] && strchr(unwanted, names[i].letter) == NULL) {
            add(input, span_cstr(names[i].name), span_trim(span_from(line, 1)));
        }
    }
    if (line.ptr[0] == 't' && line.len > 1 && line.ptr[1] == '/') {
        input->request.path = span_from(line, 1);
    }
}

/* unwanted: fields that are left out. */
static void read_input(struct span bytes, const char *unwanted, struct input *input)
{
    while (bytes.len > 0 && input->request.field_count < fields_max) {
        size_t end = span_find(bytes, 0, '\n');
        struct span line = span_slice(bytes, 0, end);
        if (line.len > 0 && line.len < value_bytes_max && field_value_valid(line)) {
            add_line(input, line, unwanted);
        }
        bytes = span_from(bytes, end < bytes.len ? end + 1 : end);
    }
}

static void init(struct input *input)
{
    *input = (struct input){.request = {.fields = input->fields,
                                        .method_name = SPAN("GET"),
                                        .path = SPAN("/ask"),
                                        .host = SPAN("ask.example"),
                                        .port = -1,
                                        .body = BODY_LENGTH,
                                        .content_length = 7}};
}

static bool holds_blank(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f || text.ptr[i] == '#') {
            return true;
        }
    }
    return false;
}

static void check_original(const struct subrequest *out, bool own_path)
{
    const struct request *request = &out->request;
    uint8_t lower[host_bytes_max];
    struct host_port host;
    assert(request->body == BODY_NONE && request->content_length == 0);
    assert(request->method != METHOD_CONNECT && token_valid(request->method_name));
    assert(request->method_name.len <= request_method_bytes_max);
    assert(request->path.len > 0 &&
           (request->path.ptr[0] == '/' ||
            (span_eq(request->path, SPAN("*")) && span_eq(request->method_name, SPAN("OPTIONS")))));
    assert(own_path || (!holds_blank(request->path) && !holds_blank(request->query)));
    assert(span_find(request->path, 0, '?') == request->path.len || own_path);
    assert(host_from_request(request->host, lower, &host) == ERR_NONE && host.port == -1);
    assert(span_eq(host.host, request->host));
    assert(request->port >= -1 && request->port <= 65535);
}

static void check_any(struct span bytes, enum subrequest_form form, const struct peers *peers,
                      enum forwarded_family family)
{
    struct input input;
    struct subrequest out;
    struct forwarded_trust trust = {.proxies = &peers->cidr, .proxy_count = 1, .family = family};
    init(&input);
    read_input(bytes, "", &input);
    assert(subrequest_read(&input.request, &peers->stranger, &trust, form, &out) ==
           SUBREQUEST_UNTRUSTED);
    bool own_path = form == SUBREQUEST_PATH || form == SUBREQUEST_ANY;
    if (subrequest_read(&input.request, &peers->trusted, &trust, form, &out) == SUBREQUEST_READ) {
        check_original(&out, own_path);
    }
}

/* The proxy's own fields come last, as it appends them. */
static void check_own(struct span bytes, enum subrequest_form form, const struct peers *peers,
                      const char *written, const char *const own[][2])
{
    struct input input;
    struct subrequest out;
    struct forwarded_trust trust = {
        .proxies = &peers->cidr, .proxy_count = 1, .family = FORWARDED_X};
    init(&input);
    read_input(bytes, written, &input);
    for (size_t i = 0; own[i][0] != NULL; i++) {
        add(&input, span_cstr(own[i][0]), span_cstr(own[i][1]));
    }
    assert(subrequest_read(&input.request, &peers->trusted, &trust, form, &out) == SUBREQUEST_READ);
    assert(span_eq(out.request.method_name, SPAN("POST")) && out.request.port == -1);
    assert(span_eq(out.request.host, SPAN("shop.example")) && out.client.secure);
    assert(span_eq(out.request.path, SPAN("/a")) && span_eq(out.request.query, SPAN("b=c")));
    assert(memcmp(out.client.address, peers->stranger.address, 16) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const forwarded[][2] = {
        {"X-Forwarded-Method", "POST"},   {"X-Forwarded-Uri", "/a?b=c"},
        {"X-Forwarded-Proto", "https"},   {"X-Forwarded-Host", "shop.example"},
        {"X-Forwarded-For", "192.0.2.9"}, {NULL, NULL}};
    static const char *const url[][2] = {{"X-Original-Method", "POST"},
                                         {"X-Original-URL", "https://shop.example/a?b=c"},
                                         {"X-Forwarded-For", "192.0.2.9"},
                                         {NULL, NULL}};
    struct peers peers;
    if (size == 0) {
        return 0;
    }
    peers = (struct peers){0};
    address_parse(SPAN("10.0.0.1"), peers.trusted.address);
    address_parse(SPAN("192.0.2.9"), peers.stranger.address);
    cidr_parse(SPAN("10.0.0.0/8"), &peers.cidr);
    struct span bytes = span_of(data + 1, size - 1);
    enum subrequest_form form = data[0] % (SUBREQUEST_PATH + 1);
    check_any(bytes, form, &peers, FORWARDED_X);
    check_any(bytes, form, &peers, FORWARDED_RFC7239);
    check_any(bytes, form, &peers, FORWARDED_EITHER);
    check_own(bytes, SUBREQUEST_FORWARDED, &peers, "muhpn", forwarded);
    check_own(bytes, SUBREQUEST_URL, &peers, "MU", url);
    return 0;
}
