/* SPDX-License-Identifier: MIT */
/* A URL as the request that a client makes of it. Nothing is tidied up: the path goes out as
 * it was given, and the same parser as in a worker reads it. */
#include "cli/explain.h"

#include "http/field.h"
#include "http/status.h"
#include "uri/host.h"

#include <stdio.h>

static const char command[] = "explain";

/* The parts of a URL, cut up but not looked at. */
struct parts {
    bool secure;
    struct span authority;
    struct span target; /* path and query; may be empty */
};

static bool cut_scheme(struct span *rest, struct span scheme)
{
    if (rest->len < scheme.len || !span_eq_ci(span_slice(*rest, 0, scheme.len), scheme)) {
        return false;
    }
    *rest = span_from(*rest, scheme.len);
    return true;
}

static bool has_blanks(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

static int cut_up(struct span url, struct parts *out)
{
    struct span rest = url;
    if (has_blanks(url)) {
        return complain(command, "a URL holds no spaces and no controls; a space is %%20");
    }
    bool secure = cut_scheme(&rest, SPAN("https://"));
    if (!secure && !cut_scheme(&rest, SPAN("http://"))) {
        return complain(command, "a URL begins with http:// or https://");
    }
    size_t end = 0;
    while (end < rest.len && strchr("/?#", rest.ptr[end]) == NULL) {
        end++;
    }
    struct span authority = span_slice(rest, 0, end);
    if (authority.len == 0 || span_find(authority, 0, '@') < authority.len) {
        return complain(command, "the URL wants a host, and no user");
    }
    struct span target = span_from(rest, end);
    *out = (struct parts){.secure = secure,
                          .authority = authority,
                          .target = span_slice(target, 0, span_find(target, 0, '#'))};
    return exit_ok;
}

static bool is_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* A client sends an international name as its ASCII form, and no port that goes without
 * saying. */
static int put_host(struct buffer *out, const struct parts *parts, struct arena *arena)
{
    struct span host = parts->authority;
    size_t colon = host.len;
    while (colon > 0 && host.ptr[colon - 1] >= '0' && host.ptr[colon - 1] <= '9') {
        colon--;
    }
    struct span port = {0};
    if (colon > 0 && host.ptr[colon - 1] == ':') {
        port = span_from(host, colon);
        host = span_slice(host, 0, colon - 1);
    }
    if (!is_ascii(host) && host_from_config(host, arena, &host) != ERR_NONE) {
        return complain(command, "%.*s is not a host name", SPAN_ARG(parts->authority));
    }
    buffer_put(out, host);
    if (port.len > 0 && !span_eq(port, parts->secure ? SPAN("443") : SPAN("80"))) {
        buffer_byte(out, ':');
        buffer_put(out, port);
    }
    return exit_ok;
}

static int put_header(struct buffer *out, const char *text, bool *is_host_out)
{
    struct span line = span_cstr(text);
    size_t colon = span_find(line, 0, ':');
    struct span name = span_slice(line, 0, colon);
    if (colon == line.len || !token_valid(name)) {
        return complain(command, "\"%s\" is no header; write it as 'Name: value'", text);
    }
    struct span value = span_trim(span_from(line, colon + 1));
    if (!field_value_valid(value)) {
        return complain(command, "the value of header %.*s holds a control character",
                        SPAN_ARG(name));
    }
    buffer_put(out, name);
    buffer_put(out, SPAN(": "));
    buffer_put(out, value);
    buffer_put(out, SPAN("\r\n"));
    *is_host_out = *is_host_out || span_eq_ci(name, SPAN("Host"));
    return exit_ok;
}

static int put_headers(struct buffer *out, const struct explain_options *options,
                       const struct parts *parts, struct arena *arena)
{
    bool has_host = false;
    int status = exit_ok;
    for (size_t i = 0; status == exit_ok && i < options->header_count; i++) {
        status = put_header(out, options->headers[i], &has_host);
    }
    if (status == exit_ok && !has_host) {
        buffer_put(out, SPAN("Host: "));
        status = put_host(out, parts, arena);
        buffer_put(out, SPAN("\r\n"));
    }
    buffer_put(out, SPAN("\r\n"));
    return status;
}

static int put_request(struct buffer *out, const struct explain_options *options,
                       const struct parts *parts, struct arena *arena)
{
    struct span method = span_cstr(options->method);
    if (!token_valid(method)) {
        return complain(command, "\"%s\" is no method", options->method);
    }
    buffer_put(out, method);
    buffer_byte(out, ' ');
    if (parts->target.len == 0 || parts->target.ptr[0] != '/') {
        buffer_byte(out, '/');
    }
    buffer_put(out, parts->target);
    buffer_put(out, SPAN(" HTTP/1.1\r\n"));
    return put_headers(out, options, parts, arena);
}

static int refused(uint16_t status)
{
    return complain(command, "a worker answers %u %.*s to this before it looks at any rule", status,
                    SPAN_ARG(status_reason(status)));
}

int explain_request_init(struct explain_request *request, struct explain_options *options,
                         struct arena *arena)
{
    struct span url = span_cstr(options->url);
    struct buffer bytes = buffer_over(request->bytes, sizeof(request->bytes));
    struct parts parts = {0};
    int status = cut_up(url, &parts);
    if (status == exit_ok) {
        status = put_request(&bytes, options, &parts, arena);
    }
    if (status != exit_ok) {
        return status;
    }
    size_t scanned = 0;
    size_t used = 0;
    uint16_t refusal = 431; /* what a worker says to a head that has no end */
    if (bytes.full ||
        h1_parse(buffer_span(&bytes), &scanned, &request->head, &used, &refusal) != H1_DONE) {
        return refused(refusal);
    }
    options->peer.secure = parts.secure;
    request->shown = span_slice(url, 0, span_find(url, 0, '#'));
    return exit_ok;
}
