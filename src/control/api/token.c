/* SPDX-License-Identifier: MIT */
/* The calls about tokens of the API. */
#include "control/api/internal.h"

#include "control/api/view.h"

#include <string.h>

static const char *const scopes[] = {[STORE_SCOPE_READ] = "read", [STORE_SCOPE_WRITE] = "write"};

static json_t *view_token(const struct store_token *token)
{
    return json_pack("{s:o, s:s, s:o}", "name", view_text(token->name), "scope",
                     scopes[token->scope], "created", view_time(token->created_ns));
}

/* False: refused. */
static bool read_tokens(struct turn *t, struct store_token **items, size_t *count)
{
    *count = 0;
    if (t->api->store == NULL) {
        return true;
    }
    enum err err = store_tokens(t->api->store, &t->arena, items, count);
    if (err != ERR_NONE) {
        admin_refuse(t->result, 500, "the tokens cannot be read: %s", err_text(err));
    }
    return err == ERR_NONE;
}

void api_list_tokens(struct turn *t)
{
    struct store_token *items;
    size_t count;
    if (!read_tokens(t, &items, &count)) {
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, view_token(&items[i]));
    }
    turn_give(t, 200, json_pack("{s:o}", "tokens", list));
}

/* NULL: there is none of that name, or it was refused already. */
static const struct store_token *find_token(struct turn *t)
{
    struct store_token *items;
    size_t count;
    if (!read_tokens(t, &items, &count)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (span_eq(items[i].name, t->call->name)) {
            return &items[i];
        }
    }
    return NULL;
}

static bool read_scope(const struct turn *t, enum store_scope *out)
{
    const char *text = json_string_value(json_object_get(t->call->content, "scope"));
    for (size_t i = 0; text != NULL && i < sizeof(scopes) / sizeof(*scopes); i++) {
        if (strcmp(text, scopes[i]) == 0) {
            *out = (enum store_scope)i;
            return true;
        }
    }
    return false;
}

static void give_token(struct turn *t, const struct store_token *token, uint16_t status,
                       const char *text)
{
    json_t *body = view_token(token);
    if (text != NULL) {
        json_object_set_new(body, "token", json_string(text));
    }
    if (t->call->dry_run) {
        json_object_set_new(body, "dry_run", json_true());
    }
    turn_give(t, status, body);
}

static void make_token(struct turn *t, const struct store_token *token)
{
    const struct store_value nothing = {0};
    struct store_change by = turn_change_of(t, t->call->name, &nothing);
    char text[store_token_text_bytes];
    enum err err = store_token_add(t->api->store, &by, token->scope, text);
    if (err == ERR_AGAIN) {
        admin_refuse(t->result, 409, "there is a token %.*s already: remove it first",
                     SPAN_ARG(t->call->name));
    } else if (err == ERR_LIMIT) {
        admin_refuse(t->result, 409, "there are %d tokens, and no more can be made",
                     store_tokens_max);
    } else if (err != ERR_NONE) {
        turn_refuse_store(t, err);
    } else {
        give_token(t, token, 201, text);
    }
    explicit_bzero(text, sizeof(text));
}

void api_put_token(struct turn *t)
{
    struct store_token token = {.name = t->call->name, .created_ns = t->now_ns};
    if (!read_scope(t, &token.scope)) {
        admin_refuse(t->result, 422, "the scope of a token is read or write");
    } else if (!t->call->dry_run) {
        make_token(t, &token);
    } else if (find_token(t) != NULL) {
        admin_refuse(t->result, 409, "there is a token %.*s already", SPAN_ARG(t->call->name));
    } else if (t->result->status == 0) {
        give_token(t, &token, 201, NULL);
    }
}

void api_delete_token(struct turn *t)
{
    const struct store_value nothing = {0};
    struct store_change by = turn_change_of(t, t->call->name, &nothing);
    const struct store_token *token = find_token(t);
    if (token == NULL) {
        if (t->result->status == 0) {
            admin_refuse(t->result, 404, "there is no token %.*s", SPAN_ARG(t->call->name));
        }
        return;
    }
    enum err err = t->call->dry_run ? ERR_NONE : store_token_remove(t->api->store, &by);
    if (err != ERR_NONE) {
        turn_refuse_store(t, err);
    } else {
        give_token(t, token, 200, NULL);
    }
}
