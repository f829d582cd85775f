/* SPDX-License-Identifier: MIT */
/* A request's way through the API, and the answers that come later. */
#include "admin/internal.h"

#include <assert.h>
#include <stdlib.h>

struct admin {
    struct admin_backend backend;
    char *document; /* OpenAPI */
    struct failures failures;
    struct rendered rendered; /* of the last answer, which the server may still be reading */
};

/* What is left of a request whose answer comes later. */
struct admin_pending {
    bool calling;              /* the call has not returned yet */
    bool answered;             /* … but the answer is there, in reply */
    struct serve_later *later; /* NULL: it was answered without one */
    struct reply reply;
};

struct admin *admin_new(const struct admin_backend *backend)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        return NULL;
    }
    admin->backend = *backend;
    admin->document = openapi_new();
    if (admin->document == NULL) {
        free(admin);
        return NULL;
    }
    return admin;
}

void admin_free(struct admin **admin)
{
    if (*admin == NULL) {
        return;
    }
    rendered_fini(&(*admin)->rendered);
    free((*admin)->document);
    free(*admin);
    *admin = NULL;
}

/* ---- what needs no backend ---- */

/* The server has read no whole head. */
static void refuse_head(uint16_t status, struct reply *reply)
{
    admin_refuse(&reply->result, status, "%s",
                 status == 411   ? "say how long the content is: Content-Length"
                 : status == 413 ? "the content is too large"
                 : status == 503 ? "there is no room beside other large contents; try again"
                 : status == 408 ? "the request did not come in time"
                                 : "this is no request that can be understood");
}

static void answer_plainly(struct response *response, struct span json)
{
    response->status = 200;
    response->content_type = SPAN("application/json");
    response->body = json;
    reply_add_fields(response);
}

/* ---- now or later ---- */

/* True: reply has the result. */
static bool call_backend(const struct admin *admin, const struct serve_request *asked,
                         const struct admin_call *call, struct reply *reply)
{
    struct admin_pending *pending = calloc(1, sizeof(*pending));
    if (pending == NULL) {
        admin_refuse(&reply->result, 503, "out of memory");
        return true;
    }
    pending->reply = *reply;
    pending->calling = true;
    bool done = admin->backend.call(admin->backend.context, call, pending, &reply->result);
    assert(!done || !pending->answered);
    if (done || pending->answered) {
        reply->result = done ? reply->result : pending->reply.result;
        free(pending);
        return true;
    }
    pending->calling = false;
    pending->later = server_defer(asked);
    if (pending->later == NULL) {
        admin_refuse(&reply->result, 503, "out of memory; it is under way all the same");
        return true;
    }
    return false;
}

void admin_answer(struct admin_pending **pending_at, struct admin_result *result)
{
    struct admin_pending *pending = *pending_at;
    *pending_at = NULL;
    if (pending->calling) {
        pending->reply.result = *result;
        pending->answered = true;
        *result = (struct admin_result){0};
        return;
    }
    if (pending->later == NULL) {
        admin_result_fini(result);
    } else {
        struct response response = {0};
        struct rendered rendered = {0};
        pending->reply.result = *result;
        reply_render(&pending->reply, &rendered, &response);
        server_answer(&pending->later, &response);
        rendered_fini(&rendered);
    }
    *result = (struct admin_result){0};
    free(pending);
}

/* ---- the way ---- */

/* NULL: refused. */
static const struct route *choose(struct admin *admin, const struct serve_request *asked,
                                  struct segments *segments, struct admin_actor *actor,
                                  struct reply *reply)
{
    if (!gate_host(asked, reply) || !gate_origin(asked, reply)) {
        return NULL;
    }
    if (!segments_read(asked->request->path, segments)) {
        admin_refuse(&reply->result, 400, "this is no path of a resource");
        return NULL;
    }
    const struct route *route = route_find(segments, asked->request->method, &reply->allowed);
    bool open = route != NULL && route->access == ACCESS_OPEN;
    if (!open && !gate_actor(&admin->backend, &admin->failures, asked, actor, reply)) {
        return NULL;
    }
    if (route == NULL) {
        bool known = reply->allowed != 0;
        admin_refuse(&reply->result, known ? 405 : 404, "%s",
                     known ? "see Allow" : "see /v1/openapi.json for what there is");
        return NULL;
    }
    return gate_access(actor, route, reply) ? route : NULL;
}

size_t admin_admit(void *context, const struct serve_request *asked)
{
    struct reply reply = {0};
    struct segments segments;
    struct admin_actor actor;
    const struct route *route = choose(context, asked, &segments, &actor, &reply);
    admin_result_fini(&reply.result);
    return route != NULL && route->content == CONTENT_YAML ? admin_text_bytes_max : 0;
}

/* False: the answer comes later, or is there already; else reply has it. */
static bool carry_out(const struct admin *admin, const struct serve_request *asked,
                      const struct route *route, const struct admin_call *call, struct reply *reply,
                      struct response *response)
{
    switch (route->operation) {
    case ROUTE_OPENAPI:
        answer_plainly(response, span_cstr(admin->document));
        return false;
    case ROUTE_HEALTH:
        answer_plainly(response, SPAN("{\"status\":\"ok\"}\n"));
        return false;
    default:
        return call_backend(admin, asked, call, reply);
    }
}

void admin_handle(void *context, const struct serve_request *asked, struct response *response)
{
    struct admin *admin = context;
    struct reply reply = {0};
    struct segments segments;
    struct asking asking;
    asking_init(&asking);
    const struct route *route = NULL;
    if (asked->bad_status != 0) {
        refuse_head(asked->bad_status, &reply);
    } else {
        route = choose(admin, asked, &segments, &asking.call.actor, &reply);
    }
    if (route == NULL || !asking_read(&asking, asked, route, &segments, &reply) ||
        carry_out(admin, asked, route, &asking.call, &reply, response)) {
        reply_render(&reply, &admin->rendered, response);
    }
    asking_fini(&asking);
}
