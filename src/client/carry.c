/* SPDX-License-Identifier: MIT */
/* The fields of the first request, from one request to the next: what may go along, what not, and
 * why (RFC 9110, 15.4). What is dropped stays dropped, but for Referer. */
#include "client/chain.h"

#include "http/field.h"

static bool is_credential(const struct carried *carried)
{
    return carried->known == KNOWN_AUTHORIZATION || carried->known == KNOWN_COOKIE ||
           (carried->field.flags & DETOUR_FIELD_SENSITIVE) != 0;
}

/* ---- the first request ---- */

static enum detour_reason field_check(const struct detour_field *field, size_t *bytes)
{
    size_t line = field->name.len + field->value.len;
    *bytes += line;
    if (line > DETOUR_FIELD_BYTES_MAX || *bytes > DETOUR_FIELDS_BYTES_MAX) {
        return DETOUR_REASON_LIMIT;
    }
    bool sound =
        token_valid(span_of_text(field->name)) && field_value_valid(span_of_text(field->value));
    return sound ? DETOUR_REASON_NONE : DETOUR_REASON_FIELD_INVALID;
}

static enum detour_reason fields_check(const struct detour_request *request)
{
    size_t bytes = 0;
    if (request->field_count > DETOUR_FIELDS_MAX) {
        return DETOUR_REASON_LIMIT;
    }
    for (size_t i = 0; i < request->field_count; i++) {
        enum detour_reason reason = field_check(&request->fields[i], &bytes);
        if (reason != DETOUR_REASON_NONE) {
            return reason;
        }
    }
    return DETOUR_REASON_NONE;
}

static void copy_field(struct detour_chain *chain, const struct detour_field *field,
                       struct carried *out)
{
    struct span name = arena_copy(&chain->kept, span_of_text(field->name));
    struct span value = arena_copy(&chain->kept, span_of_text(field->value));
    chain->out_of_memory = chain->out_of_memory || name.ptr == NULL || value.ptr == NULL;
    *out = (struct carried){
        .field = {.name = text_of_span(name), .value = text_of_span(value), .flags = field->flags},
        .known = known_find(name),
    };
    if (out->known == KNOWN_REFERER && chain->referer == NULL) {
        chain->referer = out;
    }
}

/* RFC 9110, 7.6.1 */
static void mark_named(struct detour_chain *chain, struct span connection)
{
    struct span name;
    while (field_list_next(&connection, &name)) {
        for (size_t i = 0; i < chain->field_count; i++) {
            struct carried *carried = &chain->fields[i];
            if (span_eq_ci(span_of_text(carried->field.name), name)) {
                carried->of_connection = true;
            }
        }
    }
}

enum detour_reason carry_begin(struct detour_chain *chain, const struct detour_request *request)
{
    enum detour_reason reason = fields_check(request);
    if (reason != DETOUR_REASON_NONE) {
        return reason;
    }
    chain->fields = arena_array(&chain->kept, request->field_count + 1, sizeof(*chain->fields));
    if (chain->fields == NULL) {
        chain->out_of_memory = true;
        return DETOUR_REASON_NONE;
    }
    for (size_t i = 0; i < request->field_count; i++) {
        copy_field(chain, &request->fields[i], &chain->fields[i]);
    }
    chain->field_count = request->field_count;
    for (size_t i = 0; i < chain->field_count && !chain->out_of_memory; i++) {
        if (chain->fields[i].known == KNOWN_CONNECTION) {
            mark_named(chain, span_of_text(chain->fields[i].field.value));
        }
    }
    return DETOUR_REASON_NONE;
}

void carry_drop(struct detour_chain *chain, struct carried *carried, enum detour_because because)
{
    carried->dropped = true;
    chain_note(chain, (struct detour_note){.kind = DETOUR_NOTE_FIELD_DROPPED,
                                           .because = because,
                                           .subject = carried->field.name});
}

static bool asks_to_continue(const struct carried *carried)
{
    return carried->known == KNOWN_EXPECT && !carried->dropped &&
           span_eq_ci(span_of_text(carried->field.value), SPAN("100-continue"));
}

/* RFC 9110, 10.1.1: not without content. */
static void drop_needless_expect(struct detour_chain *chain)
{
    for (size_t i = 0; i < chain->field_count; i++) {
        if (chain->body == DETOUR_BODY_NONE && asks_to_continue(&chain->fields[i])) {
            carry_drop(chain, &chain->fields[i], DETOUR_BECAUSE_EXPECT);
        }
    }
}

void carry_first(struct detour_chain *chain)
{
    for (size_t i = 0; i < chain->field_count; i++) {
        struct carried *carried = &chain->fields[i];
        if (carried->known == KNOWN_HOST) {
            carry_drop(chain, carried, DETOUR_BECAUSE_TARGET);
        } else if (carried->known == KNOWN_REFERER && carried != chain->referer) {
            carry_drop(chain, carried, DETOUR_BECAUSE_PRIVATE); /* only one is looked after */
        }
    }
    drop_needless_expect(chain);
    referer_first(chain);
}

/* ---- Expect ---- */

bool carry_has_expect(const struct detour_chain *chain)
{
    for (size_t i = 0; i < chain->field_count; i++) {
        if (chain->fields[i].known == KNOWN_EXPECT && !chain->fields[i].dropped) {
            return true;
        }
    }
    return false;
}

void carry_without_expect(struct detour_chain *chain)
{
    for (size_t i = 0; i < chain->field_count; i++) {
        if (chain->fields[i].known == KNOWN_EXPECT && !chain->fields[i].dropped) {
            carry_drop(chain, &chain->fields[i], DETOUR_BECAUSE_EXPECT);
        }
    }
}

/* ---- the next request ---- */

static void note_credential(struct detour_chain *chain, const struct carried *carried,
                            enum detour_note_kind kind, const struct step *step)
{
    bool dropped = kind == DETOUR_NOTE_CREDENTIALS_DROPPED;
    chain_note(chain, (struct detour_note){
                          .kind = kind,
                          .because = dropped ? DETOUR_BECAUSE_ORIGIN : DETOUR_BECAUSE_NONE,
                          .subject = carried->field.name,
                          .detail = step->view->origin,
                      });
}

/* Whether it has been dealt with. */
static bool carry_credential(struct detour_chain *chain, struct carried *carried,
                             const struct step *step)
{
    if (!step->other_origin || !is_credential(carried)) {
        return false;
    }
    if (chain->options.location_trusted) {
        note_credential(chain, carried, DETOUR_NOTE_CREDENTIALS_SENT, step);
        return false;
    }
    carried->dropped = true;
    if (carried == chain->referer) {
        chain->referer = NULL;
    }
    if (carried->known == KNOWN_COOKIE) {
        history_cookie_lost(chain);
    }
    note_credential(chain, carried, DETOUR_NOTE_CREDENTIALS_DROPPED, step);
    return true;
}

/* DETOUR_BECAUSE_NONE: it may stay. Conditions on a method that is not safe stay too: without
 * them it would do unconditionally what was to be done only if. */
static enum detour_because why_not(const struct detour_chain *chain, const struct carried *carried,
                                   const struct step *step)
{
    if (carried->of_connection) {
        return DETOUR_BECAUSE_HOP;
    }
    switch (carried->known) {
    case KNOWN_CONNECTION:
    case KNOWN_HOP:
        return DETOUR_BECAUSE_HOP;
    case KNOWN_PROXY:
        return DETOUR_BECAUSE_PROXY;
    case KNOWN_CONTENT:
    case KNOWN_CONTENT_LOCATION:
        return step->content_dropped ? DETOUR_BECAUSE_CONTENT : DETOUR_BECAUSE_NONE;
    case KNOWN_VALIDATOR:
        return chain_is_rfc(chain) && detour_method_is_safe(text_of_span(step->method))
                   ? DETOUR_BECAUSE_TARGET
                   : DETOUR_BECAUSE_NONE;
    default:
        return DETOUR_BECAUSE_NONE;
    }
}

void carry_follow(struct detour_chain *chain, const struct step *step)
{
    for (size_t i = 0; i < chain->field_count; i++) {
        struct carried *carried = &chain->fields[i];
        if (carried->dropped || carry_credential(chain, carried, step)) {
            continue;
        }
        enum detour_because because = why_not(chain, carried, step);
        if (because != DETOUR_BECAUSE_NONE) {
            carry_drop(chain, carried, because);
        } else if (carried->known == KNOWN_SECRET && step->other_origin &&
                   !is_credential(carried)) {
            note_credential(chain, carried, DETOUR_NOTE_SECRET_SENT, step);
        }
    }
    drop_needless_expect(chain);
}

void carry_collect(struct detour_chain *chain)
{
    struct detour_field *fields =
        arena_array(chain_arena(chain), chain->field_count + 1, sizeof(*fields));
    size_t count = 0;
    if (fields == NULL) {
        chain->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < chain->field_count; i++) {
        if (!chain->fields[i].dropped) {
            fields[count++] = chain->fields[i].field;
        }
    }
    chain->request.fields = fields;
    chain->request.field_count = count;
}
