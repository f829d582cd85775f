/* SPDX-License-Identifier: MIT */
/* Who is heard: Host and Origin against pages of other sites that a browser shows (DNS
 * rebinding, forgery), the kernel's word or a token for who asks. */
#include "admin/internal.h"

#include "uri/host.h"

#include <arpa/inet.h>

static bool is_local(const struct serve_request *asked)
{
    return asked->listener->address.any.sa_family == AF_UNIX;
}

/* ---- Host ---- */

/* A literal address as IPv6 has it. False: a name. */
static bool read_address(struct span host, uint8_t out[16])
{
    char text[INET6_ADDRSTRLEN];
    bool v6 = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    struct span inside = v6 ? span_slice(host, 1, host.len - 1) : host;
    if (inside.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, inside.ptr, inside.len);
    text[inside.len] = 0;
    if (v6) {
        return inet_pton(AF_INET6, text, out) == 1;
    }
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    return inet_pton(AF_INET, text, out + 12) == 1;
}

static void own_address(const struct listener *listener, uint8_t address[16], bool *wildcard,
                        uint16_t *port)
{
    static const uint8_t zeros[16];
    if (listener->address.any.sa_family == AF_INET6) {
        memcpy(address, &listener->address.v6.sin6_addr, 16);
        *port = ntohs(listener->address.v6.sin6_port);
        *wildcard = memcmp(address, zeros, 16) == 0;
    } else {
        memset(address, 0, 10);
        address[10] = address[11] = 0xff;
        memcpy(address + 12, &listener->address.v4.sin_addr, 4);
        *port = ntohs(listener->address.v4.sin_port);
        *wildcard = memcmp(address + 12, zeros, 4) == 0;
    }
}

static bool is_loopback(const uint8_t address[16])
{
    static const uint8_t v6[16] = {[15] = 1};
    static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    return memcmp(address, v6, 16) == 0 || memcmp(address, v4, 16) == 0;
}

/* A name that a client's resolver was told is ours is not ours. An address in its place is:
 * a page that was loaded from it was loaded from us. */
static bool names_listener(const struct listener *listener, struct span host, int32_t port)
{
    uint8_t own[16];
    uint8_t named[16];
    bool wildcard = false;
    uint16_t own_port = 0;
    own_address(listener, own, &wildcard, &own_port);
    if ((port >= 0 ? port : listener->secure ? 443 : 80) != own_port) {
        return false;
    }
    if (!read_address(host, named)) {
        return span_eq(host, SPAN("localhost"));
    }
    return wildcard || is_loopback(named) || memcmp(own, named, 16) == 0;
}

bool gate_host(const struct serve_request *asked, struct reply *reply)
{
    struct span host = asked->request->host;
    bool good = is_local(asked) ? host.len == 0 || span_eq(host, SPAN("localhost")) ||
                                      span_eq(host, SPAN("detour"))
                                : names_listener(asked->listener, host, asked->request->port);
    if (!good) {
        admin_refuse(&reply->result, 403,
                     "Host does not name this listener; use its address and port, or localhost");
    }
    return good;
}

/* ---- Origin ---- */

static bool is_own_origin(const struct serve_request *asked, struct span origin)
{
    const struct request *request = asked->request;
    bool secure = asked->listener->secure;
    struct span scheme = secure ? SPAN("https://") : SPAN("http://");
    uint8_t lower[host_bytes_max];
    struct host_port found;
    if (is_local(asked) || !span_starts(origin, scheme) ||
        host_from_request(span_from(origin, scheme.len), lower, &found) != ERR_NONE) {
        return false;
    }
    int32_t usual = secure ? 443 : 80;
    return span_eq(found.host, request->host) &&
           (found.port >= 0 ? found.port : usual) == (request->port >= 0 ? request->port : usual);
}

bool gate_origin(const struct serve_request *asked, struct reply *reply)
{
    struct span origin;
    bool once = text_field(asked->request, SPAN("Origin"), &origin);
    if (once && (origin.ptr == NULL || is_own_origin(asked, origin))) {
        return true;
    }
    admin_refuse(&reply->result, 403, "pages of other origins may not use this");
    return false;
}

/* ---- who asks ---- */

enum { token_bytes_max = 256 };

/* False: no Bearer credentials (RFC 6750, 2.1). */
static bool read_token(struct span credentials, struct span *token_out)
{
    struct span scheme = SPAN("Bearer ");
    if (credentials.len <= scheme.len ||
        !span_eq_ci(span_slice(credentials, 0, scheme.len), scheme)) {
        return false;
    }
    struct span token = span_trim(span_from(credentials, scheme.len));
    *token_out = token;
    return token.len > 0 && token.len <= token_bytes_max;
}

static bool ask_for_token(struct reply *reply, bool wrong)
{
    reply->challenge =
        wrong ? "Bearer realm=\"detour\", error=\"invalid_token\"" : "Bearer realm=\"detour\"";
    admin_refuse(&reply->result, 401,
                 wrong
                     ? "this token is not known"
                     : "a token is needed: Authorization: Bearer TOKEN; `detour token` makes one");
    return false;
}

static bool actor_by_token(const struct admin_backend *backend, struct failures *failures,
                           const struct serve_request *asked, struct admin_actor *actor,
                           struct reply *reply)
{
    const uint8_t *address = asked->peer->address;
    uint32_t wait_s = failures_wait_s(failures, address, asked->now_ns);
    if (wait_s > 0) {
        /* Also with the right token, or guessing could go on. */
        admin_refuse(&reply->result, 429, "too many wrong tokens came from this address");
        reply->result.retry_after_s = wait_s;
        return false;
    }
    struct span credentials;
    bool once = text_field(asked->request, SPAN("Authorization"), &credentials);
    if (once && credentials.ptr == NULL) {
        return ask_for_token(reply, false);
    }
    struct span token;
    struct admin_actor found = {0};
    if (!once || !read_token(credentials, &token) || backend->token == NULL ||
        !backend->token(backend->context, token, &found.token, &found.may_write)) {
        failures_note(failures, address, asked->now_ns);
        return ask_for_token(reply, true);
    }
    *actor = found;
    return true;
}

bool gate_actor(const struct admin_backend *backend, struct failures *failures,
                const struct serve_request *asked, struct admin_actor *actor, struct reply *reply)
{
    if (!is_local(asked)) {
        return actor_by_token(backend, failures, asked, actor, reply);
    }
    *actor = (struct admin_actor){.local = true, .may_write = true};
    if (!server_peer_user(asked, &actor->uid)) {
        admin_refuse(&reply->result, 403, "the kernel does not say who asks");
        return false;
    }
    return true;
}

bool gate_access(const struct admin_actor *actor, const struct route *route, struct reply *reply)
{
    if (route->access != ACCESS_WRITE || actor->may_write) {
        return true;
    }
    reply->challenge = "Bearer realm=\"detour\", error=\"insufficient_scope\", scope=\"write\"";
    admin_refuse(&reply->result, 403, "this token may only read");
    return false;
}
