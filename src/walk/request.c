/* SPDX-License-Identifier: MIT */
/* From a request of libdetour to libcurl's options. Everything that libcurl would add or change on
 * its own is switched off. */
#include "walk/internal.h"

#include <stdlib.h>
#include <strings.h>

static bool name_is(const struct detour_field *field, const char *name)
{
    return field->name.len == strlen(name) && strncasecmp(field->name.ptr, name, strlen(name)) == 0;
}

static const struct detour_field *find_field(const struct detour_request *request, const char *name)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (name_is(&request->fields[i], name)) {
            return &request->fields[i];
        }
    }
    return NULL;
}

bool request_expect(struct walk *walk, const struct detour_request *request,
                    struct detour_request *out)
{
    bool large = walk->source.bytes < 0 || walk->source.bytes >= expect_bytes_min;
    *out = *request;
    if (walk->walker->options.no_expect || request->body == DETOUR_BODY_NONE ||
        (request->body == DETOUR_BODY_REPLAYABLE && !large) ||
        find_field(request, "expect") != NULL) {
        return true;
    }
    struct detour_field *fields =
        arena_array(&walk->arena, request->field_count + 1, sizeof(*fields));
    if (fields == NULL) {
        return false;
    }
    if (request->field_count > 0) {
        memcpy(fields, request->fields, request->field_count * sizeof(*fields));
    }
    fields[out->field_count++] = (struct detour_field){.name = detour_text_of("Expect"),
                                                       .value = detour_text_of("100-continue")};
    out->fields = fields;
    return true;
}

/* ---- fields ---- */

/* The three behind one another, with a NUL; NULL: no memory. Formatting would be a tenth of what a
 * request costs. */
static char *joined(struct walk *walk, struct detour_text a, const char *b, struct detour_text c)
{
    size_t len = strlen(b);
    char *text = arena_alloc(&walk->arena, a.len + len + c.len + 1);
    if (text != NULL) {
        memcpy(text, a.ptr, a.len);
        memcpy(text + a.len, b, len);
        memcpy(text + a.len + len, c.len > 0 ? c.ptr : "", c.len);
    }
    return text;
}

static char *terminated(struct walk *walk, struct detour_text text)
{
    return joined(walk, text, "", (struct detour_text){0});
}

/* libcurl only reads lists, so that they may live in an arena. */
static bool add_line(struct walk *walk, struct curl_slist ***end, char *line)
{
    struct curl_slist *item = arena_alloc(&walk->arena, sizeof(*item));
    if (item == NULL || line == NULL) {
        return false;
    }
    item->data = line;
    **end = item;
    *end = &item->next;
    return true;
}

/* "Name: value", which libcurl sends, or "Name;", which makes it send an empty value. */
static bool add_field(struct walk *walk, struct curl_slist ***end, const struct detour_field *field)
{
    const char *between = field->value.len > 0 ? ": " : ";";
    return add_line(walk, end, joined(walk, field->name, between, field->value));
}

/* "Name:" keeps libcurl from adding one itself. */
static bool add_absence(struct walk *walk, struct curl_slist ***end,
                        const struct detour_request *request, const char *name)
{
    return find_field(request, name) != NULL ||
           add_line(walk, end, joined(walk, detour_text_of(name), ":", (struct detour_text){0}));
}

static bool set_fields(struct walk *walk, const struct detour_request *request)
{
    struct curl_slist *lines = NULL;
    struct curl_slist **end = &lines;
    const char *cookie = NULL;
    for (size_t i = 0; i < request->field_count; i++) {
        const struct detour_field *field = &request->fields[i];
        if (name_is(field, "cookie")) {
            /* libcurl makes one line of it and of what is in the jar. */
            cookie = terminated(walk, field->value);
        } else if (!add_field(walk, &end, field)) {
            return false;
        }
    }
    /* Of Expect libcurl thinks only where there is content. */
    if (!add_absence(walk, &end, request, "Accept") ||
        (request->body != DETOUR_BODY_NONE && !add_absence(walk, &end, request, "Expect"))) {
        return false;
    }
    return curl_easy_setopt(walk->easy, CURLOPT_HTTPHEADER, lines) == CURLE_OK &&
           curl_easy_setopt(walk->easy, CURLOPT_COOKIE, cookie) == CURLE_OK;
}

/* ---- method and content ---- */

static bool is_method(const struct detour_request *request, const char *name)
{
    return request->method.len == strlen(name) &&
           memcmp(request->method.ptr, name, strlen(name)) == 0;
}

/* Methods whose requests say Content-Length: 0 when they have no content (RFC 9110, 8.6). */
static bool anticipates_content(const struct detour_request *request)
{
    return is_method(request, "POST") || is_method(request, "PUT") || is_method(request, "PATCH");
}

/* Content goes over HTTP/1.1 unless somebody wants HTTP/2: there, libcurl neither waits for 100,
 * nor hears an answer that is followed by a reset of its stream (RFC 9113, 8.1). */
static long http_version(enum walk_protocol protocol, bool content)
{
    switch (protocol) {
    case walk_protocol_1_1:
        return CURL_HTTP_VERSION_1_1;
    case walk_protocol_2:
        return CURL_HTTP_VERSION_2_0;
    case walk_protocol_2_prior:
        return CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    default:
        return content ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    }
}

static bool set_method(struct walk *walk, const struct detour_request *request)
{
    CURL *easy = walk->easy;
    if (walk->shape == shape_get && is_method(request, "GET") &&
        request->body == DETOUR_BODY_NONE) {
        return true;
    }
    const char *method = terminated(walk, request->method);
    bool content = request->body != DETOUR_BODY_NONE;
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    walk->shape = shape_other;
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     http_version(walk->walker->options.protocol, content));
    upload_expect(walk, content && find_field(request, "expect") != NULL);
    if (content || anticipates_content(request)) {
        curl_off_t bytes = content ? walk->source.bytes : 0;
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, bytes);
        walk->body_whole = bytes == 0;
    } else if (is_method(request, "HEAD")) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (is_method(request, "GET")) {
        walk->shape = shape_get;
    }
    /* A method that is not idempotent goes over a connection of its own: on one that was kept and
     * has just been closed libcurl would send it again (RFC 9110, 9.2.2). So does content that
     * could not be sent again. */
    bool again = detour_method_is_idempotent(request->method) && !(content && walk->source_once);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, again ? 0L : 1L);
    return method != NULL && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

bool request_set(struct walk *walk)
{
    const struct detour_request *request = walk->asked;
    const char *url = terminated(walk, request->url);
    return url != NULL && curl_easy_setopt(walk->easy, CURLOPT_URL, url) == CURLE_OK &&
           set_method(walk, request) && set_fields(walk, request);
}

/* ---- what does not change ---- */

bool request_take_content(struct walk *walk, struct span bytes)
{
    walk->content_bytes += (int64_t)bytes.len;
    if (walk->verdict->action == DETOUR_DELIVER && walk->listener.content != NULL) {
        walk->cut = !walk->listener.content(walk->listener.context, bytes);
    } else {
        walk->cut = (uint64_t)walk->content_bytes > walk->walker->options.content_bytes_max;
    }
    return !walk->cut;
}

/* CURLOPT_WRITEFUNCTION. */
static size_t take_content(char *bytes, size_t size, size_t count, void *context)
{
    size_t len = size * count;
    return request_take_content(context, span_of(bytes, len)) ? len : 0;
}

/* libcurl looks for these for each request, unless it is told that there is no proxy. */
static const char *proxy_of(const struct walker_options *options)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    for (size_t i = 0; options->proxy == NULL && i < sizeof(names) / sizeof(*names); i++) {
        if (getenv(names[i]) != NULL) {
            return NULL;
        }
    }
    return options->proxy != NULL ? options->proxy : "";
}

bool request_goes_straight(const struct walker_options *options)
{
    const char *proxy = proxy_of(options);
    return proxy != NULL && proxy[0] == 0;
}

static bool set_files(CURL *easy, const struct walker_options *options)
{
    const char *proxy = proxy_of(options);
    if (options->cookies &&
        curl_easy_setopt(easy, CURLOPT_COOKIEFILE,
                         options->cookie_file != NULL ? options->cookie_file : "") != CURLE_OK) {
        return false;
    }
    return (options->cookie_jar == NULL ||
            curl_easy_setopt(easy, CURLOPT_COOKIEJAR, options->cookie_jar) == CURLE_OK) &&
           (options->ca_file == NULL ||
            curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file) == CURLE_OK) &&
           (proxy == NULL || curl_easy_setopt(easy, CURLOPT_PROXY, proxy) == CURLE_OK);
}

static void set_answer(struct walk *walk)
{
    CURL *easy = walk->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, walk);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, walk->reason);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, head_take);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, walk);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_content);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, walk);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
}

bool request_set_common(struct walk *walk)
{
    CURL *easy = walk->easy;
    const struct walker_options *options = &walk->walker->options;
    set_answer(walk);
    loop_set_callbacks(walk);
    upload_set_callbacks(walk);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    /* With 0, libcurl does not repeat a request after 417 by itself either. */
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->insecure ? 0L : 2L);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, walk->walker->connect_to);
    curl_easy_setopt(easy, CURLOPT_RESOLVE, walk->walker->resolve);
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           set_files(easy, options);
}
