/* SPDX-License-Identifier: MIT */
/* A request's whole way: head, decision, answer, bytes. Whatever was asked, a Location
 * begins with an authority that the configuration declares, and the answer is lines of
 * text. The first byte says who asks, when, and which servers are up. */
#include "compile/compile.h"
#include "decide/answer.h"
#include "http/h1/encode.h"
#include "http/h1/parse.h"
#include "http/status.h"

#include <assert.h>
#include <stdlib.h>

#define NOW_NS INT64_C(1795000000000000000)

static const char config[] =
    "redirect_by: true\n"
    "trusted_proxies: [10.0.0.0/8]\n"
    "sites:\n"
    "  - name: shop\n"
    "    hosts: [shop.example, '*.shop.example']\n"
    "    cors: {origins: [https://app.example], methods: [PUT], headers: [X-A], expose: X-B,\n"
    "           credentials: true, max_age: 1m}\n"
    "    routes:\n"
    "      - {path: '/r/:region/*', to: 'https://{region}.d1.example/{+0}',\n"
    "         labels: {region: [eu, us]}, headers: {X-A: b}}\n"
    "      - {path: '/x/:n(\\d+)', methods: [GET, PURGE], to: 'https://d2.example/{n}{?query}'}\n"
    "      - {path: /when, when: {headers: {X-A: 'b*c'}, cookies: {c: true}, query: {q: '*x'},\n"
    "         clients: [192.0.2.0/24]}, share: 50%, to: 'https://d3.example/', rest: 503}\n"
    "      - {host: ':sub.shop.example', path_prefix: /b, to: 'https://d4.example/{sub}'}\n"
    "      - {path: '/raw/*', to: 'https://d5.example:81/a/{+0}', max_age: 1h}\n"
    "      - {path: '/raw2/:a/:b', to: 'http://d6.example{+path}?{+a}&{b}#{+query}'}\n"
    "      - {path: '/enc/:a{/:b}?', to: 'https://d7.example/a/b/{a}/{b}/{host}/{port}'}\n"
    "      - {path: '/p/*', pool: p, max_age: 1m}\n"
    "      - {path: '/h/*', pool: h, status: 308}\n"
    "      - {path: '/s/*', pool: s, query: drop}\n"
    "      - {path: '/re/:x((?:a|b|ab)*c)', to: 'https://d8.example/{x}'}\n"
    "      - {path: '/host/*', to: 'https://{host}:444/{+0}'}\n"
    "      - {path: /tea, respond: {status: 410, body: gone}}\n"
    "    default: {to: 'https://d9.example{+path}', status: 302}\n"
    "  - {name: tls, hosts: [tls.example, '*.tls.example'],\n"
    "     https_redirect: {status: 301, port: 8443}, default: pass}\n"
    "  - {name: rest, hosts: '*', default: {to: 'https://d10.example/x{+path}', note: false}}\n"
    "pools:\n"
    "  p: {servers: [{url: 'https://s1.example/m', weight: 2}, 'https://s2.example:8443'],\n"
    "      link: true, json: true, fallback: {to: 'https://s3.example/f{+path}'}}\n"
    "  h: {balance: hash, hash: {cookie: id}, servers: ['https://s4.example', "
    "'https://s5.example'],\n"
    "      fallback: {page: 'https://s6.example/'}}\n"
    "  s: {path: strip, avoid: {param: t, carry: true}, fallback: {to: "
    "'https://s9.example/?a#b'},\n"
    "      servers: [{name: one, url: 'https://s7.example/a/b'},\n"
    "                {name: 't&w%o', url: 'https://s10.example', priority: 2}]}\n"
    "pages: {up: {title: t}, bots: {in_place: true}}\n"
    "detours:\n"
    "  - {name: wait, site: shop, path_prefix: /w, page: up, until: '2026-11-18T12:00:00Z',\n"
    "     except: [/w/except], reason: r, share: 90%, rest: {page: bots}}\n"
    "  - {name: place, site: shop, path: '/i/:x', page: bots, until: off, reason: r}\n"
    "  - {name: up, site: shop, path_prefix: /c, page: 'https://s8.example/', max_age: 1d,\n"
    "     until: '2026-11-18T12:00:00Z', except: ['/c/*.png'], reason: r,\n"
    "     bypass: {clients: [203.0.113.0/24], cookie: o=k}}\n";

static const char *const declared[] = {
    "https://eu.d1.example",   "https://us.d1.example", "https://d2.example",  "https://d3.example",
    "https://d4.example",      "https://d5.example:81", "http://d6.example",   "https://d7.example",
    "https://d8.example",      "https://d9.example",    "https://d10.example", "https://s1.example",
    "https://s2.example:8443", "https://s3.example",    "https://s4.example",  "https://s5.example",
    "https://s6.example",      "https://s7.example",    "https://s8.example",  "https://s9.example",
    "https://s10.example"};

static const uint16_t statuses[] = {200, 204, 301, 302, 307, 308, 400,
                                    404, 405, 410, 414, 421, 503, 508};

static const struct ticket_key key; /* of zeros, so that a seed can have a good ticket */
static struct decide_context context;
static struct server_live live[8];
static struct answer_scratch scratch;
static struct h1_head head;

static uint32_t any_rule(void *slots, struct span identity)
{
    (void)slots;
    (void)identity;
    return 0;
}

static uint32_t next_server(void *slots, struct span identity)
{
    uint32_t *given = slots;
    (void)identity;
    assert(*given < sizeof(live) / sizeof(live[0]));
    return (*given)++;
}

static void build(void)
{
    const struct pools_setting setting = {.live = live};
    static uint8_t *bytes;
    static struct regex_set *regexes;
    uint32_t given = 0;
    size_t len;
    struct compile_slots slots = {.rule = any_rule, .server = next_server, .context = &given};
    struct arena arena;
    struct problems problems;
    arena_init(&arena, 0);
    problems_init(&problems, &arena, "fuzz.yaml");
    const struct model *model = model_load(span_cstr(config), NOW_NS, &problems);
    if (model == NULL) {
        problems_print(&problems, stderr);
        abort();
    }
    assert(snapshot_compile(model, &slots, 1, NOW_NS, &bytes, &len) == ERR_NONE);
    arena_fini(&arena);
    context.snapshot = snapshot_open(span_of(bytes, len));
    assert(context.snapshot != NULL);
    assert(pools_new(context.snapshot, &setting, NULL, &context.pools) == ERR_NONE);
    assert(regex_set_new(context.snapshot, NULL, &regexes) == ERR_NONE);
    context.regexes = regexes;
    context.ticket_key = &key;
}

/* Whether location begins with the authority, and something else follows it. */
static bool leads_to(struct span location, struct span authority)
{
    return span_starts(location, authority) &&
           (location.len == authority.len || memchr("/?#", location.ptr[authority.len], 3) != NULL);
}

/* Where the request's own host is declared: one that the site names, and its port. */
static bool leads_to_host(struct span location, struct span host, struct span site,
                          struct span port)
{
    uint8_t memory[512];
    struct buffer own = buffer_over(memory, sizeof(memory));
    buffer_put(&own, SPAN("https://"));
    buffer_put(&own, host);
    buffer_put(&own, port);
    bool named = span_eq(host, span_from(site, 1)) || span_ends(host, site);
    return named && leads_to(location, buffer_span(&own));
}

/* To a page of ours, or back from it: a path on the same host, however it is read. */
static bool is_local(struct span location)
{
    for (size_t i = 0; i < location.len; i++) {
        if (location.ptr[i] <= ' ' || location.ptr[i] >= 0x7f || location.ptr[i] == '\\') {
            return false;
        }
    }
    return location.ptr[0] == '/' && (location.len == 1 || location.ptr[1] != '/');
}

static bool leads_to_declared(struct span location)
{
    for (size_t i = 0; i < sizeof(declared) / sizeof(declared[0]); i++) {
        if (leads_to(location, span_cstr(declared[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_declared(const struct decision *decision)
{
    if (decision->reason == REASON_WAIT_OVER) {
        return is_local(decision->location);
    }
    if (span_starts(decision->location, SPAN("/"))) {
        return is_local(decision->location) && span_starts(decision->location, SPAN(WAIT_PAGE));
    }
    if (leads_to_declared(decision->location)) {
        return true;
    }
    struct span site =
        snapshot_text(context.snapshot, snapshot_site(context.snapshot, decision->site)->name);
    return span_eq(site, SPAN("tls")) ? leads_to_host(decision->location, decision->host,
                                                      SPAN(".tls.example"), SPAN(":8443"))
                                      : leads_to_host(decision->location, decision->host,
                                                      SPAN(".shop.example"), SPAN(":444"));
}

/* Of the members that are simple: what stands between commas, without quotes. */
static bool is_named(struct span list, struct span host)
{
    while (list.len > 0) {
        size_t end = span_find(list, 0, ',');
        if (span_eq_ci(span_trim(span_slice(list, 0, end)), host)) {
            return true;
        }
        list = span_from(list, end < list.len ? end + 1 : end);
    }
    return false;
}

/* Nobody is sent to a host that the client says it cannot reach. */
static void check_avoided(const struct decision *decision)
{
    if (decision->server == SNAP_NONE) {
        return;
    }
    const struct snap_server *server = snapshot_server(context.snapshot, decision->server);
    struct span host = snapshot_text(context.snapshot, server->authority);
    host = span_from(host, strlen("https://"));
    host = span_slice(host, 0, span_find(host, 0, ':'));
    for (size_t i = 0; i < head.request.field_count; i++) {
        struct span value = head.request.fields[i].value;
        if (span_eq_ci(head.request.fields[i].name, SPAN("detour-avoid")) &&
            span_find(value, 0, '"') == value.len) {
            assert(!is_named(value, host));
        }
    }
}

static void check_decision(const struct decision *decision)
{
    check_avoided(decision);
    assert((decision->status == 508) == (decision->reason == REASON_LOOP));
    bool known = false;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        known = known || statuses[i] == decision->status;
    }
    assert(known);
    assert(status_redirects(decision->status) == (decision->location.len > 0));
    assert(decision->location.len == 0 || is_declared(decision));
    bool permanent = decision->status == 301 || decision->status == 308;
    assert(!permanent || decision->max_age_s >= 0);
    assert(decision->retry_after_s < 0 || decision->location.len == 0);
    assert(!decision->json || decision->location.len > 0);
    for (uint32_t i = 0; i < decision->alternative_count; i++) {
        assert(leads_to_declared(context.alternatives.at[i].url));
        assert(!span_eq(context.alternatives.at[i].url, decision->location));
    }
}

/* A field line: a name, ": ", and nothing that could end it or hide in it. */
static void check_line(struct span line)
{
    size_t colon = span_find(line, 0, ':');
    assert(colon > 0 && colon + 1 < line.len && line.ptr[colon + 1] == ' ');
    for (size_t i = 0; i < line.len; i++) {
        assert(line.ptr[i] == '\t' || (line.ptr[i] >= ' ' && line.ptr[i] != 0x7f));
        assert(i >= colon || line.ptr[i] > ' ');
    }
}

/* The length of the head. */
static size_t check_head(struct span out, struct span location)
{
    size_t at = span_find(out, 0, '\n') + 1;
    assert(span_starts(out, SPAN("HTTP/1.1 ")));
    int locations = 0;
    for (;;) {
        size_t end = span_find(out, at, '\r');
        assert(end + 1 < out.len && out.ptr[end + 1] == '\n');
        struct span line = span_slice(out, at, end);
        at = end + 2;
        if (line.len == 0) {
            break;
        }
        check_line(line);
        if (span_starts(line, SPAN("Location: "))) {
            assert(span_eq(span_from(line, 10), location));
            locations++;
        }
    }
    assert(locations == (location.len > 0));
    return at;
}

/* Strings of JSON that hold nothing to be escaped, and between them what stands there anyway. */
static void check_told(struct span body, struct span location)
{
    size_t url = strlen("{\"url\":\"");
    bool inside = false;
    assert(span_starts(body, SPAN("{\"url\":\"")) && span_ends(body, SPAN("]}\n")));
    assert(span_starts(span_from(body, url), location) && body.ptr[url + location.len] == '"');
    for (size_t i = 0; i < body.len; i++) {
        uint8_t c = body.ptr[i];
        inside = inside != (c == '"');
        assert(inside ? c > ' ' && c < 0x7f && c != '\\'
                      : memchr("{}[]:,\"\n0123456789", c, 18) != NULL);
    }
    assert(!inside);
}

static void answer(const struct decision *decision)
{
    static uint8_t memory[1 << 18];
    static struct response response;
    struct buffer out = buffer_over(memory, sizeof(memory));
    bool is_head = head.request.method == METHOD_HEAD;
    struct h1_encoding encoding = {.date = (const uint8_t *)"Sun, 06 Nov 1994 08:49:37 GMT",
                                   .version_minor = head.request.version_minor,
                                   .head = is_head};
    answer_from_decision(&context, &head.request, decision, &scratch, &response);
    struct span location = decision->json ? (struct span){0} : decision->location;
    assert(span_eq(response.location, location));
    if (decision->json) {
        check_told(response.body, decision->location);
    }
    assert((response.content_type.len > 0) == (response.body.len > 0));
    h1_encode(&response, &encoding, &out);
    assert(!out.full);
    size_t head_len = check_head(buffer_span(&out), location);
    assert(out.len - head_len == (is_head || decision->status == 204 ? 0 : response.body.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t addresses[4][16] = {
        {[10] = 0xFF, [11] = 0xFF, [12] = 192, [13] = 0, [14] = 2, [15] = 1},
        {[10] = 0xFF, [11] = 0xFF, [12] = 10, [13] = 0, [14] = 0, [15] = 1},
        {[10] = 0xFF, [11] = 0xFF, [12] = 203, [13] = 0, [14] = 113, [15] = 9},
        {[0] = 0x20, [1] = 0x01, [2] = 0x0d, [3] = 0xb8, [15] = 1}};
    size_t scanned = 0;
    size_t used;
    uint16_t status;
    struct decision decision;
    if (context.snapshot == NULL) {
        build();
    }
    if (size == 0 ||
        h1_parse(span_of(data + 1, size - 1), &scanned, &head, &used, &status) != H1_DONE) {
        return 0;
    }
    struct client peer = {.port = 1, .secure = data[0] & 4};
    memcpy(peer.address, addresses[data[0] & 3], sizeof(peer.address));
    for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++) {
        bool down = data[0] & 8 || (data[0] & 16 && i % 2 == 0);
        atomic_store(&live[i].word,
                     server_live_word(down ? SERVER_DOWN : SERVER_UP, server_weight_ppm_full));
    }
    decide(&context, &head.request, &peer, data[0] & 32 ? NOW_NS + INT64_C(3600000000000) : NOW_NS,
           &decision);
    check_decision(&decision);
    answer(&decision);
    return 0;
}
