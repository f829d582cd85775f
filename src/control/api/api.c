/* SPDX-License-Identifier: MIT */
/* The calls of the admin API, one function each, and those that wait. */
#include "control/api/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "serve/serve.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static_assert((int)admin_text_bytes_max == (int)config_bytes_max,
              "what can be a file can be compared with it");

/* Of contents on their way: one of the largest, and its head. */
enum { contents_bytes_max = admin_text_bytes_max + (128 << 10) };

static const struct serve_limits limits = {
    .header_timeout_ms = 10000,
    .idle_timeout_ms = 75000,
    .write_timeout_ms = 30000,
    .linger_bytes = 1 << 20,
    .linger_idle_ms = 2000,
    .linger_time_ms = 2000,
    .connections_max = 64,
};

const struct model *turn_model(const struct turn *t)
{
    return t->api->core.current(t->api->core.context)->model;
}

void turn_give(struct turn *t, uint16_t status, json_t *body)
{
    if (body == NULL) {
        admin_refuse(t->result, 500, "out of memory");
        return;
    }
    t->result->status = status;
    t->result->body = body;
}

void turn_refuse_problems(struct turn *t, const struct problems *problems)
{
    admin_refuse(t->result, 422, "%zu error%s", problems->error_count,
                 problems->error_count == 1 ? "" : "s");
    t->result->problems = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *one = &problems->items[i];
        if (one->severity == SEVERITY_ERROR) {
            json_array_append_new(
                t->result->problems,
                one->place.line == 0 ? json_string(one->text)
                                     : json_sprintf("%s:%u:%u: %s", problems->file, one->place.line,
                                                    one->place.column, one->text));
        }
    }
}

void turn_wait(struct turn *t, uint64_t generation)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    if (waiting == NULL) {
        return; /* it is answered at once: done it is */
    }
    waiting->pending = t->pending;
    waiting->result = *t->result;
    waiting->generation = generation;
    waiting->reading = generation == 0 ? t->api->core.next_reading(t->api->core.context) : 0;
    waiting->next = t->api->waiting;
    t->api->waiting = waiting;
    t->later = true;
}

/* A dry run reads the file as it is now, and says what is wrong with it. */
static void reload(struct turn *t)
{
    if (t->call->dry_run) {
        api_try_reload(t);
        return;
    }
    turn_give(t, 200, json_object());
    turn_wait(t, 0);
    t->api->core.reload(t->api->core.context);
}

static void ready(struct turn *t)
{
    turn_give(t, 200, json_pack("{s:b}", "ready", 1));
}

static bool has_store(struct turn *t)
{
    if (t->api->live == NULL) {
        admin_refuse(t->result, 409,
                     "nothing can be changed at run time without a store: add `state: FOLDER` to "
                     "the configuration, and start anew");
    }
    return t->api->live != NULL;
}

static void carry_out(struct turn *t)
{
    static void (*const reads[ADMIN_OPERATIONS])(struct turn *) = {
        [ADMIN_LIST_DETOURS] = api_list_detours,
        [ADMIN_GET_DETOUR] = api_get_detour,
        [ADMIN_LIST_CHANGES] = api_list_changes,
        [ADMIN_GET_CHANGE] = api_get_change,
        [ADMIN_LIST_POOLS] = api_list_pools,
        [ADMIN_GET_EXISTENCE] = api_get_existence,
        [ADMIN_GET_SERVER] = api_get_server,
        [ADMIN_STATUS] = api_get_status,
        [ADMIN_READY] = ready,
        [ADMIN_RELOAD] = reload,
        [ADMIN_EXPORT] = api_export,
        [ADMIN_DIFF] = api_diff,
        [ADMIN_LIST_SITES] = api_list_sites,
        [ADMIN_LIST_TOKENS] = api_list_tokens,
        [ADMIN_LINK_DETOUR] = api_link_detour};
    static void (*const writes[ADMIN_OPERATIONS])(struct turn *) = {
        [ADMIN_PUT_DETOUR] = api_put_detour,       [ADMIN_DELETE_DETOUR] = api_delete_detour,
        [ADMIN_DELETE_ALL] = api_delete_all,       [ADMIN_EXTEND_DETOUR] = api_extend_detour,
        [ADMIN_REVERT_CHANGE] = api_revert_change, [ADMIN_PUT_TOKEN] = api_put_token,
        [ADMIN_DELETE_TOKEN] = api_delete_token,   [ADMIN_PUT_SERVER] = api_put_server,
        [ADMIN_PATCH_SERVER] = api_patch_server,   [ADMIN_DELETE_SERVER] = api_delete_server,
    };
    enum admin_operation operation = t->call->operation;
    if (reads[operation] != NULL) {
        reads[operation](t);
    } else if (writes[operation] != NULL && has_store(t)) {
        writes[operation](t);
    }
}

static bool on_call(void *context, const struct admin_call *call, struct admin_pending *pending,
                    struct admin_result *result)
{
    struct api *api = context;
    struct turn t = {
        .api = api, .call = call, .pending = pending, .result = result, .now_ns = clock_wall_ns()};
    if (api->core.current(api->core.context) == NULL) {
        admin_refuse(result, 503, "nothing is served yet");
        return true;
    }
    arena_init(&t.arena, 0);
    carry_out(&t);
    if (!t.later && result->status >= 400) {
        api->core.refused(api->core.context, call, result);
    }
    arena_fini(&t.arena);
    return !t.later;
}

static bool on_token(void *context, struct span token, struct span *name_out, bool *may_write_out)
{
    struct api *api = context;
    struct store_token found;
    arena_fini(&api->token_arena);
    if (api->store == NULL ||
        store_token_check(api->store, token, &api->token_arena, &found) != ERR_NONE) {
        return false;
    }
    *name_out = found.name;
    *may_write_out = found.scope == STORE_SCOPE_WRITE;
    return true;
}

/* ---- those that wait ---- */

/* Takes out the first that is due; NULL: none is. */
static struct waiting *take_due(struct api *api, uint64_t generation)
{
    for (struct waiting **at = &api->waiting; *at != NULL; at = &(*at)->next) {
        struct waiting *waiting = *at;
        if (waiting->refused || (waiting->generation != 0 && waiting->generation <= generation)) {
            *at = waiting->next;
            return waiting;
        }
    }
    return NULL;
}

void api_acknowledged(struct api *api, uint64_t generation)
{
    struct waiting *waiting;
    while ((waiting = take_due(api, generation)) != NULL) {
        admin_answer(&waiting->pending, &waiting->result);
        free(waiting);
    }
}

/* What went wrong is said at once; a good reload is answered when the workers have it. */
void api_reloaded(struct api *api, uint64_t reading, const struct problems *problems,
                  const char *reason, uint64_t generation)
{
    for (struct waiting *waiting = api->waiting; waiting != NULL; waiting = waiting->next) {
        struct turn t = {.result = &waiting->result};
        if (waiting->generation != 0 || waiting->reading > reading) {
            continue;
        }
        waiting->generation = generation;
        waiting->refused = problems != NULL || reason != NULL;
        if (problems != NULL) {
            turn_refuse_problems(&t, problems);
        } else if (reason != NULL) {
            admin_refuse(t.result, 422, "%s", reason);
        } else {
            json_object_set_new(t.result->body, "generation", json_integer((json_int_t)generation));
        }
    }
    api_acknowledged(api, 0); /* those that were refused */
}

/* ---- life ---- */

enum err api_new(struct ev_loop *loop, const struct api_core *core, struct api **out)
{
    struct api *api = calloc(1, sizeof(*api));
    if (api == NULL) {
        return ERR_MEMORY;
    }
    api->core = *core;
    arena_init(&api->token_arena, 0);
    const struct admin_backend backend = {.context = api, .call = on_call, .token = on_token};
    api->admin = admin_new(&backend);
    enum err err = api->admin == NULL
                       ? ERR_MEMORY
                       : server_new(loop, &limits, admin_handle, api->admin, NULL, &api->server);
    if (err != ERR_NONE) {
        api_free(&api);
        return err;
    }
    server_want_content(api->server, serve_content_bytes_max);
    server_admit_content(api->server, admin_admit, contents_bytes_max);
    *out = api;
    return ERR_NONE;
}

void api_free(struct api **api_at)
{
    struct api *api = *api_at;
    if (api == NULL) {
        return;
    }
    *api_at = NULL;
    server_free(&api->server);
    while (api->waiting != NULL) {
        struct waiting *waiting = api->waiting;
        api->waiting = waiting->next;
        admin_answer(&waiting->pending, &waiting->result); /* to nobody */
        free(waiting);
    }
    admin_free(&api->admin);
    arena_fini(&api->token_arena);
    free(api);
}

void api_set_store(struct api *api, struct store *store, struct live *live)
{
    api->store = store;
    api->live = live;
}

enum err api_listen(struct api *api, const struct listener *listener, int fd)
{
    bool same =
        listener != NULL && api->listening && strcmp(listener->text, api->listener.text) == 0;
    if (api->listening && !same) {
        server_unlisten(api->server, &api->listener);
        api->listening = false;
    }
    if (listener == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return ERR_NONE;
    }
    enum err err = server_listen(api->server, listener, fd);
    if (err == ERR_NONE) {
        api->listening = true;
        api->listener = *listener;
    }
    return err;
}
