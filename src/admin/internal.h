/* SPDX-License-Identifier: MIT */
/* What the files of admin/ share. A request goes through them in this order: gate (may it be
 * heard at all, and who asks), routes (what is asked for), ask (the call), answer. Each may
 * end it with a refusal: false, and a result of 400 or above. */
#pragma once

#include "admin/admin.h"

#include "serve/serve.h"

/* ---- routes.c ---- */

/* What is served without the backend. */
enum { ROUTE_OPENAPI = ADMIN_OPERATIONS, ROUTE_HEALTH };

enum route_access { ACCESS_OPEN, ACCESS_READ, ACCESS_WRITE };

enum route_content { CONTENT_NONE, CONTENT_JSON, CONTENT_YAML };

/* Parameters of the query. */
enum {
    PARAMETER_BELOW = 1 << 0,
    PARAMETER_LIMIT = 1 << 1,
    PARAMETER_DRY_RUN = 1 << 2,
    PARAMETER_OWNER = 1 << 3,
    PARAMETER_WHY = 1 << 4,
    PARAMETERS_PAGE = PARAMETER_BELOW | PARAMETER_LIMIT,
    PARAMETERS_WRITE = PARAMETER_DRY_RUN | PARAMETER_OWNER | PARAMETER_WHY,
};

enum { parameter_count = 5, limit_default = 100, limit_max = 1000 };

/* What a resource has: nothing, an ETag that the answer gives, one that who writes may
 * name, one that who writes must name. */
enum route_tag { TAG_NONE, TAG_GIVEN, TAG_ALLOWED, TAG_NEEDED };

/* One operation: the router and the OpenAPI document are both made of this. */
struct route {
    const char *path; /* with {site}, {name} or {number} as whole segments */
    enum method method;
    int operation; /* of enum admin_operation, or one of the above */
    const char *id;
    const char *summary;
    enum route_access access;
    unsigned parameters;
    enum route_tag tag;
    enum route_content content;
    const char *content_schema; /* of CONTENT_JSON */
    const char *answer_schema;  /* NULL: text/yaml */
    bool creates;               /* may answer 201 */
};

extern const struct route admin_routes[];
extern const size_t admin_route_count;

struct parameter {
    unsigned bit;
    const char *name;
    const char *description;
    const char *schema; /* JSON */
};

extern const struct parameter admin_parameters[parameter_count];

/* A path cut at its slashes, each segment decoded. */
enum { segments_max = 8 };

struct segments {
    size_t count; /* segments_max + 1: more than any route has */
    struct span items[segments_max];
    uint8_t bytes[request_target_bytes_max];
};

/* False: no path that anybody needs: dot segments, slashes and backslashes in disguise,
 * control characters, escapes that are none, what is no UTF-8. */
bool segments_read(struct span path, struct segments *out);
/* NULL: none. *allowed_out has a bit for each method that the path knows (1 << METHOD_…). */
const struct route *route_find(const struct segments *segments, enum method method,
                               unsigned *allowed_out);
/* The segment that stands in the place of a variable, such as "{site}"; ptr NULL: none. */
struct span route_variable(const struct route *route, const struct segments *segments,
                           struct span name);
/* Takes the next segment off a template or path that begins with '/'. False: no more. */
bool segment_next(struct span *rest, struct span *out);

/* ---- text.c ---- */

/* Decodes %XX, and '+' as a space where it is said; out may hold at least text.len bytes.
 * False: an escape that is none. */
bool text_decode(struct span text, bool plus, uint8_t *out, size_t *len_out);
/* Whether it is UTF-8 without control characters. */
bool text_is_plain(struct span text);
/* A JSON string; what is no UTF-8 becomes '?'. NULL: no memory. */
json_t *text_to_json(struct span text);
/* The value of a field that may stand there once; ptr NULL: it is not there. False: it is
 * there more than once. */
bool text_field(const struct request *request, struct span name, struct span *out);

/* ---- failures.c: who guessed tokens ---- */

enum { failures_max = 10, failure_addresses_max = 256 };
#define FAILURE_WINDOW_NS (60 * INT64_C(1000000000))

/* The last failures of one address, or of one /64 of IPv6. */
struct failure_address {
    uint8_t address[16];
    uint8_t next;                   /* the oldest of */
    int64_t times_ns[failures_max]; /* 0: none */
};

/* Zeroed memory is an empty table. When it is full, the address that failed longest ago is
 * forgotten. A clock that was set back forgives what lies in the future. */
struct failures {
    struct failure_address items[failure_addresses_max];
};

/* Seconds until this address may try again; 0: now. */
uint32_t failures_wait_s(const struct failures *failures, const uint8_t address[16],
                         int64_t now_ns);
void failures_note(struct failures *failures, const uint8_t address[16], int64_t now_ns);

/* ---- answer.c ---- */

/* What becomes a response. */
struct reply {
    struct admin_result result;
    const char *challenge;   /* of 401 and 403: WWW-Authenticate */
    unsigned allowed;        /* of 405: methods */
    bool is_read;            /* GET: 304 is possible, and … */
    bool none_any;           /* … If-None-Match: * */
    uint64_t none_match[16]; /* … or these, ended by 0 */
};

/* The bytes that a response points to. */
struct rendered {
    char *body;
    char etag[24];
    char allow[64];
    char retry_after[16];
};

void rendered_fini(struct rendered *rendered);
/* Takes over what reply->result owns. Ends what rendered held before. */
void reply_render(struct reply *reply, struct rendered *rendered, struct response *response);
/* What all answers carry. */
void reply_add_fields(struct response *response);

/* The kinds of problems, for the OpenAPI document. */
struct problem_kind {
    uint16_t status;
    const char *name; /* of its type; also of the response in the OpenAPI document */
    const char *title;
};

enum { problem_kind_count = 16 };
extern const struct problem_kind admin_problem_kinds[problem_kind_count];

/* ---- gate.c ---- */

bool gate_host(const struct serve_request *asked, struct reply *reply);
bool gate_origin(const struct serve_request *asked, struct reply *reply);
bool gate_actor(const struct admin_backend *backend, struct failures *failures,
                const struct serve_request *asked, struct admin_actor *actor, struct reply *reply);
bool gate_access(const struct admin_actor *actor, const struct route *route, struct reply *reply);

/* ---- ask.c ---- */

enum { owner_bytes_max = 256, why_bytes_max = 4096, content_depth_max = 32 };

/* A call, and what its spans point to. */
struct asking {
    struct admin_call call;
    json_t *content; /* owned */
    uint8_t owner[owner_bytes_max];
    uint8_t why[why_bytes_max];
};

void asking_init(struct asking *asking);
/* The actor is filled already. False: refused; what there is of it stands until asking_fini. */
bool asking_read(struct asking *asking, const struct serve_request *asked,
                 const struct route *route, const struct segments *segments, struct reply *reply);
void asking_fini(struct asking *asking);

/* ---- openapi.c ---- */

/* JSON text, of malloc; NULL: no memory. */
char *openapi_new(void);
/* The schemas of contents and answers, made at build time by schemas.py. */
extern const char admin_schemas[];
