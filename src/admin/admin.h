/* SPDX-License-Identifier: MIT */
/* The admin API: HTTP requests to calls, and what came of them to responses. It knows
 * resources, methods, JSON, preconditions and who may do what; it knows nothing of how a
 * detour is switched, and does no I/O: control carries the calls out (struct admin_backend)
 * and says when they are done.
 *
 *   serve ─request─▶ admin_handle ─struct admin_call─▶ control: now, or later
 *   serve ◀─response─ admin_answer ◀─struct admin_result─┘
 *
 * Resources:
 *   GET    /v1/detours                         all of them, with what they do now
 *   DELETE /v1/detours                         `off --all`
 *   GET    /v1/detours/{site}/{name}           one; ETag
 *   PUT    /v1/detours/{site}/{name}           `on`: the detour as in the file, as JSON
 *   DELETE /v1/detours/{site}/{name}           `off`
 *   POST   /v1/detours/{site}/{name}/extend    {"for": "30m"} or {"until": TIME}
 *   POST   /v1/detours/{site}/{name}/link      {"for": "2h"} or {}: a URL that passes by it
 *   GET    /v1/changes, /v1/changes/{number}   the history, newest first: ?below=N&limit=N
 *   POST   /v1/changes/{number}/revert
 *   GET    /v1/sites, /v1/pools, /v1/status
 *   POST   /v1/pools/{pool}/existence          {"path": "/x"}: which server is known to have it
 *   GET    /v1/pools/{pool}/servers/{server}   one; ETag
 *   PUT    /v1/pools/{pool}/servers/{server}   the server as in the file, as JSON
 *   PATCH  /v1/pools/{pool}/servers/{server}   {"state": "drain"}, {"share": "20%"}: what changes
 *   DELETE /v1/pools/{pool}/servers/{server}   takes it out of the pool
 *   GET    /v1/export                          the whole as a file (text/yaml)
 *   POST   /v1/diff, /v1/reload                diff: content is a configuration (text/yaml)
 *   GET    /v1/tokens                          the names of those that may ask over TCP
 *   PUT    /v1/tokens/{name}                   {"scope": "read"} or "write"; the answer is
 *                                              the only one that ever tells the token
 *   DELETE /v1/tokens/{name}
 *   GET    /v1/openapi.json                    all of this for machines
 *   GET    /healthz, /readyz                   without a token
 * GET also means HEAD. Writes take ?dry_run=true, which says what would change and
 * changes nothing, ?owner= and ?why= for the history, and If-Match / If-None-Match: * against lost
 * updates (RFC 9110, 13); PUT must carry one of them. Errors are problem documents
 * (RFC 9457). doc/internals/admin.md tells the details and the shapes of the answers. */
#pragma once

#include "http/response.h"

#include <jansson.h>

enum admin_operation {
    ADMIN_LIST_DETOURS,
    ADMIN_GET_DETOUR,
    ADMIN_PUT_DETOUR,
    ADMIN_DELETE_DETOUR,
    ADMIN_DELETE_ALL,
    ADMIN_EXTEND_DETOUR,
    ADMIN_LINK_DETOUR,
    ADMIN_LIST_CHANGES,
    ADMIN_GET_CHANGE,
    ADMIN_REVERT_CHANGE,
    ADMIN_LIST_SITES,
    ADMIN_LIST_POOLS,
    ADMIN_GET_EXISTENCE,
    ADMIN_STATUS,
    ADMIN_EXPORT,
    ADMIN_DIFF,
    ADMIN_RELOAD,
    ADMIN_READY,
    ADMIN_LIST_TOKENS,
    ADMIN_PUT_TOKEN,
    ADMIN_DELETE_TOKEN,
    ADMIN_GET_SERVER,
    ADMIN_PUT_SERVER,
    ADMIN_PATCH_SERVER,
    ADMIN_DELETE_SERVER,
    ADMIN_OPERATIONS
};

/* Who asks. Over a unix socket the kernel's word; over TCP a token's name. */
struct admin_actor {
    bool local;
    uint32_t uid;      /* local */
    struct span token; /* not local */
    bool may_write;
};

/* A call that passed all that can be said without knowing the state. Spans and JSON live
 * until admin_call's return. */
struct admin_call {
    enum admin_operation operation;
    struct admin_actor actor;
    struct span site; /* of detours/{site}/{name} */
    struct span name; /* … and of tokens/{name} */
    struct span pool; /* of pools/{pool}/servers/{server} */
    struct span server;
    uint64_t number;   /* of changes/{number} */
    uint64_t below;    /* ?below=; 0: from the newest */
    uint32_t limit;    /* ?limit= */
    bool dry_run;      /* ?dry_run=true */
    bool has_if_match; /* If-Match with one strong tag */
    uint64_t if_match; /* … its number; 0: none of ours, so that nothing matches it */
    bool if_exists;    /* If-Match: * */
    bool if_none;      /* If-None-Match: * */
    json_t *content;   /* PUT, PATCH and extend; an object. PUT: "name" is in it, as in the path,
                        * and "site" of a detour */
    struct span text;  /* diff: the configuration */
    struct span owner; /* who asks, as claimed: ?owner=, else "owner" of a PUT; UTF-8 */
    struct span why;   /* ?why=, else "reason" of a PUT */
};

/* What came of it. */
struct admin_result {
    uint16_t status;        /* 200, 201, 404, 409, 412, 422, 500, 503, 507; 0: becomes 501 */
    json_t *body;           /* owned; NULL: none. With a status from 400 on: not used */
    char *text;             /* export: text/yaml instead of a body; owned, of malloc */
    uint64_t etag;          /* 0: none. A GET whose If-None-Match has it becomes 304 */
    uint32_t retry_after_s; /* 0: none */
    char detail[512];       /* from 400 on: what is wrong, and the mend */
    json_t *problems;       /* from 400 on: owned; an array of strings, all errors one by one */
};

/* A call whose answer comes later: the bracket of admin_handle and admin_answer. */
struct admin_pending;

/* Carried out at once: fills *result and returns true. Later: keeps pending, returns false,
 * and calls admin_answer with it once, however it ends. */
typedef bool (*admin_call_fn)(void *context, const struct admin_call *call,
                              struct admin_pending *pending, struct admin_result *result);
/* Whose token this is; false: nobody's. *name_out lives until the request is answered. */
typedef bool (*admin_token_fn)(void *context, struct span token, struct span *name_out,
                               bool *may_write_out);

struct admin_backend {
    void *context;
    admin_call_fn call;
    admin_token_fn token;
};

/* One API, for one server or more; all of them on one thread. backend is copied. NULL: no
 * memory. Pending calls may outlive it. */
struct admin;
struct admin *admin_new(const struct admin_backend *backend);
void admin_free(struct admin **admin);

/* A serve_handler_fn of a server that wants content; context is the struct admin.
 *
 * Who may use a unix socket is its file's matter, and Host is "localhost", "detour" or none
 * there. Over TCP Host is the listener's own address (any literal address where it listens on
 * all of them), a loopback address or "localhost", each with the listener's port, and a token
 * is asked for.
 *
 * Refuses by itself: 400, 401 (with WWW-Authenticate: Bearer), 403 (a wrong Host, another
 * Origin, a token that may only read), 404, 405 (with Allow), 411, 413, 415, 428, 429 after
 * ten wrong tokens a minute from one address. Serves openapi.json and healthz by itself. */
struct serve_request;
void admin_handle(void *context, const struct serve_request *asked, struct response *response);

/* A serve_admit_fn for it: whoever may send a configuration may send one of this size; all
 * else is content of serve_content_bytes_max at most. */
enum { admin_text_bytes_max = 64 << 20 };
size_t admin_admit(void *context, const struct serve_request *asked);

/* The answer to a call that was put off; ends *pending. Takes over what result owns. It may
 * come before admin_call_fn has returned false. */
void admin_answer(struct admin_pending **pending, struct admin_result *result);

/* For those who fill results. Frees what is there, sets status and detail. */
void admin_refuse(struct admin_result *result, uint16_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Frees what it owns. */
void admin_result_fini(struct admin_result *result);
