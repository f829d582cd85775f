/* SPDX-License-Identifier: MIT */
/* What there is: the table of routes, and the way from a path to one of them. */
#include "admin/internal.h"

/* clang-format off */
const struct parameter admin_parameters[parameter_count] = {
    {PARAMETER_BELOW, "below", "Only changes with a smaller number; the next page is below the "
     "last number of this one.", "{\"type\":\"integer\",\"minimum\":1}"},
    {PARAMETER_LIMIT, "limit", "At most so many changes; fewer, "
     "where they are large.",
     "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}"},
    {PARAMETER_DRY_RUN, "dry_run", "Whether only to say what would change.",
     "{\"type\":\"boolean\",\"default\":false}"},
    {PARAMETER_OWNER, "owner", "Who asks for it, for the history.",
     "{\"type\":\"string\",\"maxLength\":256}"},
    {PARAMETER_WHY, "why", "The reason, for the history.",
     "{\"type\":\"string\",\"maxLength\":4096}"},
};

#define DETOURS "/v1/detours"
#define DETOUR "/v1/detours/{site}/{name}"
#define CHANGE "/v1/changes/{number}"
#define TOKEN "/v1/tokens/{name}"
#define SERVER "/v1/pools/{pool}/servers/{server}"
#define READ .access = ACCESS_READ
#define WRITE .access = ACCESS_WRITE, .answer_schema = "DetourOutcome"

const struct route admin_routes[] = {
    {.path = DETOURS, .method = METHOD_GET, .operation = ADMIN_LIST_DETOURS, .id = "listDetours",
     .summary = "All detours, with what they do now", READ, .answer_schema = "DetourStates"},
    {.path = DETOURS, .method = METHOD_DELETE, .operation = ADMIN_DELETE_ALL,
     .id = "switchAllOff", .summary = "Switches all detours off", .access = ACCESS_WRITE,
     .answer_schema = "AllOff", .parameters = PARAMETERS_WRITE},
    {.path = DETOUR, .method = METHOD_GET, .operation = ADMIN_GET_DETOUR, .id = "getDetour",
     .summary = "One detour, with what it does now", READ, .tag = TAG_ALLOWED,
     .answer_schema = "DetourState"},
    {.path = DETOUR, .method = METHOD_PUT, .operation = ADMIN_PUT_DETOUR, .id = "switchOn",
     .summary = "Switches a detour on, or replaces it", WRITE, .parameters = PARAMETERS_WRITE,
     .tag = TAG_NEEDED, .content = CONTENT_JSON, .content_schema = "Detour", .creates = true},
    {.path = DETOUR, .method = METHOD_DELETE, .operation = ADMIN_DELETE_DETOUR, .id = "switchOff",
     .summary = "Switches a detour off", WRITE, .parameters = PARAMETERS_WRITE,
     .tag = TAG_ALLOWED},
    {.path = DETOUR "/extend", .method = METHOD_POST, .operation = ADMIN_EXTEND_DETOUR,
     .id = "extend", .summary = "Moves the end of a detour", WRITE,
     .parameters = PARAMETERS_WRITE, .tag = TAG_ALLOWED, .content = CONTENT_JSON,
     .content_schema = "Extension"},
    {.path = DETOUR "/link", .method = METHOD_POST, .operation = ADMIN_LINK_DETOUR,
     .id = "makeLink", .summary = "Makes a signed link that passes by a detour",
     .access = ACCESS_WRITE, .content = CONTENT_JSON, .content_schema = "LinkLife",
     .answer_schema = "Link"},
    {.path = "/v1/changes", .method = METHOD_GET, .operation = ADMIN_LIST_CHANGES,
     .id = "listChanges", .summary = "The history, newest first", READ,
     .parameters = PARAMETERS_PAGE, .answer_schema = "Changes"},
    {.path = CHANGE, .method = METHOD_GET, .operation = ADMIN_GET_CHANGE, .id = "getChange",
     .summary = "One change of the history", READ, .answer_schema = "Change"},
    {.path = CHANGE "/revert", .method = METHOD_POST, .operation = ADMIN_REVERT_CHANGE,
     .id = "revert", .summary = "Puts back what was before a change", .access = ACCESS_WRITE,
     .answer_schema = "Outcome",
     .parameters = PARAMETERS_WRITE, .tag = TAG_GIVEN},
    {.path = "/v1/sites", .method = METHOD_GET, .operation = ADMIN_LIST_SITES, .id = "listSites",
     .summary = "The sites of the configuration", READ, .answer_schema = "Sites"},
    {.path = "/v1/pools", .method = METHOD_GET, .operation = ADMIN_LIST_POOLS, .id = "listPools",
     .summary = "The pools, and how their servers are", READ, .answer_schema = "Pools"},
    {.path = "/v1/pools/{pool}/existence", .method = METHOD_POST,
     .operation = ADMIN_GET_EXISTENCE, .id = "getExistence",
     .summary = "Which servers of a pool are known to have what is at a path", READ,
     .content = CONTENT_JSON, .content_schema = "ExistenceQuestion",
     .answer_schema = "Existence"},
    {.path = SERVER, .method = METHOD_GET, .operation = ADMIN_GET_SERVER, .id = "getServer",
     .summary = "One server of a pool, and what is wanted of it", READ, .tag = TAG_ALLOWED,
     .answer_schema = "ServerState"},
    {.path = SERVER, .method = METHOD_PUT, .operation = ADMIN_PUT_SERVER, .id = "putServer",
     .summary = "Adds a server to a pool, or replaces it", .access = ACCESS_WRITE,
     .answer_schema = "ServerOutcome", .parameters = PARAMETERS_WRITE, .tag = TAG_NEEDED,
     .content = CONTENT_JSON, .content_schema = "Server", .creates = true},
    {.path = SERVER, .method = METHOD_PATCH, .operation = ADMIN_PATCH_SERVER,
     .id = "changeServer", .summary = "Drains a server, has it back, or changes its weight",
     .access = ACCESS_WRITE, .answer_schema = "ServerOutcome", .parameters = PARAMETERS_WRITE,
     .tag = TAG_ALLOWED, .content = CONTENT_JSON, .content_schema = "ServerPatch"},
    {.path = SERVER, .method = METHOD_DELETE, .operation = ADMIN_DELETE_SERVER,
     .id = "removeServer", .summary = "Takes a server out of its pool", .access = ACCESS_WRITE,
     .answer_schema = "ServerOutcome", .parameters = PARAMETERS_WRITE, .tag = TAG_ALLOWED},
    {.path = "/v1/status", .method = METHOD_GET, .operation = ADMIN_STATUS, .id = "getStatus",
     .summary = "How the server is, and what comes from where", READ, .answer_schema = "Status"},
    {.path = "/v1/export", .method = METHOD_GET, .operation = ADMIN_EXPORT, .id = "export",
     .summary = "The whole configuration as a file", READ},
    {.path = "/v1/diff", .method = METHOD_POST, .operation = ADMIN_DIFF, .id = "diff",
     .summary = "What a new file would change", READ, .content = CONTENT_YAML,
     .answer_schema = "Difference"},
    {.path = "/v1/reload", .method = METHOD_POST, .operation = ADMIN_RELOAD, .id = "reload",
     .summary = "Reads the file again", .access = ACCESS_WRITE, .answer_schema = "Reloaded",
     .parameters = PARAMETERS_WRITE},
    {.path = "/v1/tokens", .method = METHOD_GET, .operation = ADMIN_LIST_TOKENS,
     .id = "listTokens", .summary = "Who may ask over TCP", READ, .answer_schema = "Tokens"},
    {.path = TOKEN, .method = METHOD_PUT, .operation = ADMIN_PUT_TOKEN, .id = "addToken",
     .summary = "Makes a token", .access = ACCESS_WRITE, .parameters = PARAMETERS_WRITE,
     .content = CONTENT_JSON, .content_schema = "TokenScope", .answer_schema = "NewToken",
     .creates = true},
    {.path = TOKEN, .method = METHOD_DELETE, .operation = ADMIN_DELETE_TOKEN,
     .id = "removeToken", .summary = "Makes a token worthless", .access = ACCESS_WRITE,
     .parameters = PARAMETERS_WRITE, .answer_schema = "Token"},
    {.path = "/v1/openapi.json", .method = METHOD_GET, .operation = ROUTE_OPENAPI,
     .id = "getDocument", .summary = "This document", READ, .answer_schema = "Document"},
    {.path = "/healthz", .method = METHOD_GET, .operation = ROUTE_HEALTH, .id = "isAlive",
     .summary = "Whether the process is alive", .access = ACCESS_OPEN, .answer_schema = "Health"},
    {.path = "/readyz", .method = METHOD_GET, .operation = ADMIN_READY, .id = "isReady",
     .summary = "Whether the configuration is in force", .access = ACCESS_OPEN,
     .answer_schema = "Ready"},
};
/* clang-format on */

const size_t admin_route_count = sizeof(admin_routes) / sizeof(admin_routes[0]);

bool segment_next(struct span *rest, struct span *out)
{
    if (rest->len == 0) {
        return false;
    }
    size_t end = span_find(*rest, 1, '/');
    *out = span_slice(*rest, 1, end);
    *rest = span_from(*rest, end);
    return true;
}

static bool segment_good(struct span segment)
{
    return !span_eq(segment, SPAN(".")) && !span_eq(segment, SPAN("..")) &&
           span_find(segment, 0, '/') == segment.len &&
           span_find(segment, 0, '\\') == segment.len && text_is_plain(segment);
}

bool segments_read(struct span path, struct segments *out)
{
    if (path.len == 0 || path.ptr[0] != '/' || path.len > sizeof(out->bytes)) {
        return false;
    }
    size_t used = 0;
    struct span raw;
    for (out->count = 0; segment_next(&path, &raw);) {
        size_t len = 0;
        if (!text_decode(raw, false, out->bytes + used, &len)) {
            return false;
        }
        struct span segment = span_of(out->bytes + used, len);
        used += len;
        if (!segment_good(segment)) {
            return false;
        }
        if (out->count < segments_max) {
            out->items[out->count] = segment;
        }
        out->count += out->count <= segments_max;
    }
    return true;
}

static bool is_variable(struct span segment)
{
    return segment.len > 0 && segment.ptr[0] == '{';
}

static bool matches(const struct route *route, const struct segments *segments)
{
    struct span rest = span_cstr(route->path);
    struct span part;
    size_t at = 0;
    for (; segment_next(&rest, &part); at++) {
        if (at >= segments->count || at >= segments_max) {
            return false;
        }
        struct span segment = segments->items[at];
        if (is_variable(part) ? segment.len == 0 : !span_eq(part, segment)) {
            return false;
        }
    }
    return at == segments->count;
}

const struct route *route_find(const struct segments *segments, enum method method,
                               unsigned *allowed_out)
{
    enum method wanted = method == METHOD_HEAD ? METHOD_GET : method;
    const struct route *found = NULL;
    unsigned allowed = 0;
    for (size_t i = 0; i < admin_route_count; i++) {
        const struct route *route = &admin_routes[i];
        if (!matches(route, segments)) {
            continue;
        }
        allowed |= 1U << route->method;
        allowed |= route->method == METHOD_GET ? 1U << METHOD_HEAD : 0;
        found = route->method == wanted ? route : found;
    }
    *allowed_out = allowed;
    return found;
}

struct span route_variable(const struct route *route, const struct segments *segments,
                           struct span name)
{
    struct span rest = span_cstr(route->path);
    struct span part;
    for (size_t at = 0; segment_next(&rest, &part); at++) {
        if (span_eq(part, name)) {
            return segments->items[at];
        }
    }
    return (struct span){0};
}
