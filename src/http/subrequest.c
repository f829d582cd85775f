/* SPDX-License-Identifier: MIT */
/* The original request, put together from what a proxy says of it. */
#include "http/subrequest.h"

#include "http/field.h"
#include "http/method.h"
#include "http/scan.h"
#include "uri/host.h"

#include <assert.h>

static_assert(sizeof(((struct subrequest *)0)->host_lower) >= host_bytes_max,
              "host_from_request writes host_bytes_max bytes");

/* Of one form: a method, and a path or URL. ptr NULL: absent. */
struct said {
    struct span method;
    struct span target;
    bool twice; /* one of them stands there more than once */
};

struct saids {
    struct said forwarded;
    struct said url;
};

static void note(struct said *said, struct span *place, struct span value)
{
    said->twice = said->twice || place->ptr != NULL;
    *place = value;
}

/* All of them in one walk; a look at the length says no for nearly all others. */
static void gather(const struct request *asked, struct saids *out)
{
    *out = (struct saids){0};
    for (size_t i = 0; i < asked->field_count; i++) {
        struct span name = asked->fields[i].name;
        struct span value = asked->fields[i].value;
        if (name.len == 15 && scan_is(name.ptr, "x-forwarded-uri", 15)) {
            note(&out->forwarded, &out->forwarded.target, value);
        } else if (name.len == 18 && scan_is(name.ptr, "x-forwarded-method", 18)) {
            note(&out->forwarded, &out->forwarded.method, value);
        } else if (name.len == 14 && scan_is(name.ptr, "x-original-url", 14)) {
            note(&out->url, &out->url.target, value);
        } else if (name.len == 17 && scan_is(name.ptr, "x-original-method", 17)) {
            note(&out->url, &out->url.method, value);
        }
    }
}

static bool is_below_base(struct span path)
{
    static const struct span base = {(const uint8_t *)SUBREQUEST_BASE, sizeof(SUBREQUEST_BASE) - 1};
    return span_starts(path, base) && path.len > base.len && path.ptr[base.len] == '/';
}

/* SUBREQUEST_ANY becomes the one form that there is. */
static enum subrequest_result choose_form(const struct request *asked, const struct saids *saids,
                                          enum subrequest_form *form)
{
    bool forwarded = saids->forwarded.target.ptr != NULL;
    bool url = saids->url.target.ptr != NULL;
    bool path = is_below_base(asked->path);
    if (forwarded + url + path != 1) {
        return forwarded + url + path == 0 ? SUBREQUEST_MISSING : SUBREQUEST_DIFFERS;
    }
    *form = forwarded ? SUBREQUEST_FORWARDED : url ? SUBREQUEST_URL : SUBREQUEST_PATH;
    return SUBREQUEST_READ;
}

/* As in a request line (RFC 9110, 9.1). CONNECT names no resource of a site. */
static bool set_method(struct request *request, struct span method)
{
    if (method.len > request_method_bytes_max || !token_valid(method)) {
        return false;
    }
    request->method = method_find(method);
    request->method_name = method;
    return request->method != METHOD_CONNECT;
}

/* origin-form, or "*" for OPTIONS (RFC 9112, 3.2). */
static bool set_target(struct request *request, struct span target)
{
    const uint8_t *end = target.ptr + target.len;
    if (target.len == 0 || target.len > request_target_bytes_max ||
        scan_target(target.ptr, end) != end) {
        return false;
    }
    if (target.ptr[0] != '/') {
        request->path = target;
        request->query = (struct span){0};
        return span_eq(target, SPAN("*")) && request->method == METHOD_OPTIONS;
    }
    size_t query = span_find(target, 0, '?');
    request->path = span_slice(target, 0, query);
    request->query = query < target.len ? span_from(target, query + 1) : (struct span){0};
    return true;
}

/* Where the authority begins in a URL; 0: it is none of ours. */
static size_t authority_at(struct span url)
{
    if (url.len >= 7 && span_eq_ci(span_slice(url, 0, 7), SPAN("http://"))) {
        return 7;
    }
    return url.len >= 8 && span_eq_ci(span_slice(url, 0, 8), SPAN("https://")) ? 8 : 0;
}

static bool set_host(struct subrequest *out, struct span authority)
{
    struct host_port host;
    if (host_from_request(authority, out->host_lower, &host) != ERR_NONE) {
        return false;
    }
    out->request.host = host.host;
    out->request.port = host.port;
    return true;
}

/* An empty path is "/" (RFC 9110, 4.2.3); the slash before the authority is one. */
static bool set_query_only(struct request *request, struct span slash, struct span target)
{
    const uint8_t *end = target.ptr + target.len;
    if (target.len > request_target_bytes_max || scan_target(target.ptr, end) != end) {
        return false;
    }
    request->path = slash;
    request->query = target.len > 0 ? span_from(target, 1) : (struct span){0};
    return true;
}

/* Scheme, host and port stand in the URL, and so nothing else is heard of them. What stands
 * behind them is what the client's request line holds: "http://a.example*" is OPTIONS *. */
static bool set_url(struct subrequest *out, struct span url)
{
    size_t from = authority_at(url);
    if (from == 0) {
        return set_target(&out->request, url);
    }
    size_t to = from;
    while (to < url.len && url.ptr[to] != '/' && url.ptr[to] != '?' && url.ptr[to] != '*') {
        to++;
    }
    struct span target = span_from(url, to);
    out->has_host = true;
    out->client.secure = from == 8;
    if (!set_host(out, span_slice(url, from, to))) {
        return false;
    }
    return target.len == 0 || target.ptr[0] == '?'
               ? set_query_only(&out->request, span_slice(url, from - 1, from), target)
               : set_target(&out->request, target);
}

/* A host that was forwarded comes with its own port or without one, as in decide/. */
static bool hear_host(struct subrequest *out, const struct forwarded *forwarded)
{
    if (out->has_host) {
        return true;
    }
    if (forwarded->host.len > 0 && !set_host(out, forwarded->host)) {
        return false;
    }
    if (forwarded->port >= 0 && (forwarded->host.len == 0 || out->request.port < 0)) {
        out->request.port = forwarded->port;
    }
    return true;
}

static enum subrequest_result read_said(struct subrequest *out, const struct said *said, bool url)
{
    if (said->twice) {
        return SUBREQUEST_DIFFERS;
    }
    if (said->target.ptr == NULL || said->method.ptr == NULL) {
        return SUBREQUEST_MISSING;
    }
    bool good = set_method(&out->request, said->method) &&
                (url ? set_url(out, said->target) : set_target(&out->request, said->target));
    return good ? SUBREQUEST_READ : SUBREQUEST_BAD;
}

static enum subrequest_result read_path(struct subrequest *out)
{
    struct request *request = &out->request;
    if (!is_below_base(request->path)) {
        return SUBREQUEST_MISSING;
    }
    request->path = span_from(request->path, sizeof(SUBREQUEST_BASE) - 1);
    out->has_host = true;
    return SUBREQUEST_READ;
}

static enum subrequest_result read_original(struct subrequest *out, const struct saids *saids,
                                            enum subrequest_form form)
{
    switch (form) {
    case SUBREQUEST_FORWARDED:
        return read_said(out, &saids->forwarded, false);
    case SUBREQUEST_URL:
        return read_said(out, &saids->url, true);
    case SUBREQUEST_ANY:
    case SUBREQUEST_PATH:
        break;
    }
    return read_path(out);
}

enum subrequest_result subrequest_read(const struct request *asked, const struct client *peer,
                                       const struct forwarded_trust *trust,
                                       enum subrequest_form form, struct subrequest *out)
{
    struct saids saids;
    struct forwarded forwarded;
    if (!cidr_any_holds(trust->proxies, trust->proxy_count, peer->address)) {
        return SUBREQUEST_UNTRUSTED;
    }
    gather(asked, &saids);
    enum subrequest_result result =
        form == SUBREQUEST_ANY ? choose_form(asked, &saids, &form) : SUBREQUEST_READ;
    if (result != SUBREQUEST_READ) {
        return result;
    }
    if (!forwarded_resolve(asked, peer, trust, &forwarded)) {
        return SUBREQUEST_DIFFERS;
    }
    out->request = *asked;
    out->request.body = BODY_NONE;
    out->request.content_length = 0;
    out->request.expect_continue = false;
    out->request.absolute_scheme = (struct span){0};
    out->client = forwarded.client;
    out->has_host = false;
    result = read_original(out, &saids, form);
    if (result == SUBREQUEST_READ && !hear_host(out, &forwarded)) {
        return SUBREQUEST_BAD;
    }
    return result;
}
