/* SPDX-License-Identifier: MIT */
/* Chains: their life, what comes in, and the verdict that goes out. */
#include "client/chain.h"

#include "client/freshness.h"
#include "client/view.h"
#include "http/field.h"
#include "http/status.h"

#include <stdlib.h>

enum { redirects_default = 20, schemes_all = DETOUR_SCHEME_HTTP | DETOUR_SCHEME_HTTPS };

/* ---- life ---- */

static const struct detour_options options_default = {
    .size = sizeof(struct detour_options),
    .mode = DETOUR_MODE_BROWSER,
    .redirects_max = redirects_default,
    .schemes = schemes_all,
    .allow_downgrade = true,
    .follow_unsafe = true,
};

void detour_options_init(struct detour_options *options, size_t size)
{
    memcpy(options, &options_default, smaller(size, sizeof(options_default)));
    memcpy(options, &size, smaller(size, sizeof(size)));
}

static bool options_are_sound(const struct detour_options *options)
{
    return (options->mode == DETOUR_MODE_BROWSER || options->mode == DETOUR_MODE_RFC) &&
           options->redirects_max <= DETOUR_REDIRECTS_MAX && options->schemes != 0 &&
           (options->schemes & ~(unsigned)schemes_all) == 0;
}

enum detour_error detour_chain_new(const struct detour_options *options, struct detour_chain **out)
{
    struct detour_options full = options_default;
    if (out == NULL || (options != NULL && !SIZE_IS_KNOWN(options, shared_cache))) {
        return DETOUR_ERROR_USAGE;
    }
    if (options != NULL) {
        memcpy(&full, options, smaller(options->size, sizeof(full)));
    }
    if (!options_are_sound(&full)) {
        return DETOUR_ERROR_USAGE;
    }
    struct detour_chain *chain = calloc(1, sizeof(*chain));
    if (chain == NULL) {
        return DETOUR_ERROR_MEMORY;
    }
    chain->options = full;
    *out = chain;
    return DETOUR_OK;
}

static void fini(struct detour_chain *chain)
{
    arena_fini(&chain->kept);
    arena_fini(&chain->turns[0]);
    arena_fini(&chain->turns[1]);
}

void detour_chain_free(struct detour_chain **chain)
{
    if (*chain != NULL) {
        fini(*chain);
        free(*chain);
        *chain = NULL;
    }
}

static void forget(struct detour_chain *chain)
{
    struct detour_chain fresh = {.options = chain->options};
    arena_reset(&chain->kept);
    arena_reset(&chain->turns[0]);
    arena_reset(&chain->turns[1]);
    fresh.kept = chain->kept;
    fresh.turns[0] = chain->turns[0];
    fresh.turns[1] = chain->turns[1];
    *chain = fresh;
}

/* ---- verdicts ---- */

void chain_note(struct detour_chain *chain, struct detour_note note)
{
    struct detour_note *notes =
        arena_grow(chain_arena(chain), chain->notes, chain->verdict.note_count,
                   &chain->note_capacity, sizeof(*notes));
    if (notes == NULL) {
        chain->out_of_memory = true;
        return;
    }
    chain->notes = notes;
    notes[chain->verdict.note_count++] = note;
}

void chain_end(struct detour_chain *chain, enum detour_action action, enum detour_reason reason)
{
    chain->verdict.action = action;
    chain->verdict.reason = reason;
    chain->awaiting = false;
}

void chain_move(struct detour_chain *chain, const struct url *url, const struct detour_url *view)
{
    chain->view = view;
    chain->url = (struct url){
        .scheme = span_of_text(view->scheme),
        .host = span_of_text(view->host),
        .port = url->port,
        .path = span_of_text(view->path),
        .query = span_of_text(view->query),
        .fragment = span_of_text(view->fragment),
    };
}

void chain_send(struct detour_chain *chain, enum detour_action action)
{
    carry_collect(chain);
    chain->request.size = sizeof(chain->request);
    chain->request.method = text_of_span(chain->method);
    chain->request.url = chain->view->target;
    chain->request.body = chain->body;
    chain->next.request = &chain->request;
    chain->next.url = chain->view;
    chain->next.number = (uint32_t)chain->hop_count;
    chain->next.credentials = chain->credentials;
    history_add(chain, chain->view);
    chain->verdict.action = action;
    chain->verdict.next = &chain->next;
    chain->interims = 0;
    chain->awaiting = true;
}

static enum detour_error hand_out(struct detour_chain *chain, const struct detour_verdict **out)
{
    if (chain->out_of_memory) {
        chain->awaiting = false;
        return DETOUR_ERROR_MEMORY;
    }
    chain->verdict.notes = chain->notes;
    *out = &chain->verdict;
    return DETOUR_OK;
}

/* An empty verdict; what the last one said is taken back. */
static void start_verdict(struct detour_chain *chain)
{
    chain->notes = NULL;
    chain->note_capacity = 0;
    chain->verdict = (struct detour_verdict){0};
    chain->next = (struct detour_next){0};
}

/* ---- the first request ---- */

static bool method_is_sound(struct span method)
{
    return token_valid(method) && !span_eq(method, SPAN("CONNECT"));
}

static bool scheme_is_allowed(const struct detour_chain *chain, const struct url *url)
{
    unsigned bit = span_eq(url->scheme, SPAN("https")) ? DETOUR_SCHEME_HTTPS : DETOUR_SCHEME_HTTP;
    return view_is_http(url) && (chain->options.schemes & bit) != 0;
}

static enum detour_reason url_begin(struct detour_chain *chain, struct span text, struct url *out)
{
    enum err err = url_parse(text, NULL, chain_arena(chain), out);
    if (err == ERR_MEMORY) {
        chain->out_of_memory = true;
    } else if (err != ERR_NONE) {
        return reference_lacks_host(text) ? DETOUR_REASON_NO_HOST : DETOUR_REASON_URL_INVALID;
    } else if (!scheme_is_allowed(chain, out)) {
        return DETOUR_REASON_SCHEME;
    } else if (chain_is_rfc(chain) && reference_lacks_host(text)) {
        return DETOUR_REASON_NO_HOST;
    }
    return DETOUR_REASON_NONE;
}

static void take_userinfo_out(struct detour_chain *chain, struct url *url)
{
    if (url->username.len > 0 || url->password.len > 0) {
        url->username = span_of(NULL, 0);
        url->password = span_of(NULL, 0);
        chain_note(chain, (struct detour_note){.kind = DETOUR_NOTE_USERINFO_DROPPED,
                                               .subject = text_of_span(url->host)});
    }
}

static enum detour_reason begin(struct detour_chain *chain, const struct detour_request *request)
{
    struct span method = span_of_text(request->method);
    struct span text = span_of_text(request->url);
    struct url url = {0};
    if (method.len > DETOUR_METHOD_BYTES_MAX || text.len > DETOUR_URL_BYTES_MAX) {
        return DETOUR_REASON_LIMIT;
    }
    if (!method_is_sound(method)) {
        return DETOUR_REASON_METHOD_INVALID;
    }
    enum detour_reason reason = url_begin(chain, text, &url);
    if (reason == DETOUR_REASON_NONE && !chain->out_of_memory) {
        reason = carry_begin(chain, request);
    }
    if (reason != DETOUR_REASON_NONE || chain->out_of_memory) {
        return reason;
    }
    take_userinfo_out(chain, &url);
    const struct detour_url *view = view_new(&url, chain_arena(chain));
    chain->method = arena_copy(&chain->kept, method);
    chain->out_of_memory = view == NULL || chain->method.ptr == NULL;
    if (view != NULL && view->href.len > DETOUR_URL_BYTES_MAX) {
        return DETOUR_REASON_LIMIT;
    }
    if (!chain->out_of_memory) {
        chain_move(chain, &url, view);
        chain->body = request->body;
        chain->credentials = true;
        carry_first(chain);
        chain_send(chain, DETOUR_BEGIN);
    }
    return DETOUR_REASON_NONE;
}

enum detour_error detour_chain_begin(struct detour_chain *chain,
                                     const struct detour_request *request,
                                     const struct detour_verdict **out)
{
    struct detour_request full = {0};
    if (chain == NULL || request == NULL || out == NULL || !SIZE_IS_KNOWN(request, body) ||
        (request->fields == NULL && request->field_count > 0)) {
        return DETOUR_ERROR_USAGE;
    }
    memcpy(&full, request, smaller(request->size, sizeof(full)));
    forget(chain);
    enum detour_reason reason = begin(chain, &full);
    if (reason != DETOUR_REASON_NONE) {
        chain_end(chain, DETOUR_REFUSE, reason);
    }
    return hand_out(chain, out);
}

/* ---- answers ---- */

static bool answer_is_sound(const struct detour_answer *answer)
{
    return SIZE_IS_KNOWN(answer, requested_s) &&
           (answer->fields != NULL || answer->field_count == 0) && answer->received_s >= 0 &&
           answer->received_s <= TIME_MAX_S && answer->requested_s >= 0 &&
           answer->requested_s <= TIME_MAX_S;
}

/* CR, LF and NUL could end a field, and so hide another (RFC 9110, 5.5). Other control characters
 * harm nobody here. */
static bool value_is_safe(struct span value)
{
    return field_value_valid(value) ||
           (span_find(value, 0, '\r') == value.len && span_find(value, 0, '\n') == value.len &&
            span_find(value, 0, '\0') == value.len);
}

static enum detour_reason fields_check(const struct detour_answer *answer)
{
    size_t bytes = 0;
    if (answer->field_count > DETOUR_FIELDS_MAX) {
        return DETOUR_REASON_LIMIT;
    }
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct detour_field *field = &answer->fields[i];
        size_t line = field->name.len + field->value.len;
        bytes += line;
        if (line > DETOUR_FIELD_BYTES_MAX || bytes > DETOUR_FIELDS_BYTES_MAX) {
            return DETOUR_REASON_LIMIT;
        }
        if (!value_is_safe(span_of_text(field->value))) {
            return DETOUR_REASON_FIELD_INVALID;
        }
    }
    return DETOUR_REASON_NONE;
}

/* 101 is the last thing that HTTP says on its connection. */
static bool is_interim(uint16_t status)
{
    return status >= 100 && status < 200 && status != 101;
}

/* RFC 9110, 10.1.1: what it did not want to hear about, it gets without. The content must not
 * have gone, or must be there still. */
static bool is_repeatable(const struct detour_chain *chain, uint16_t status)
{
    bool body_is_there = chain->body != DETOUR_BODY_ONCE || !chain->body_begun;
    return status == 417 && !chain->repeated && carry_has_expect(chain) && body_is_there;
}

static void judge_freshness(struct detour_chain *chain, const struct detour_answer *answer)
{
    bool guess;
    freshness_judge(&chain->request, answer, chain->options.shared_cache, &chain->freshness,
                    &guess);
    chain->verdict.freshness = &chain->freshness;
    if (answer->from_store) {
        chain_note(chain, (struct detour_note){.kind = DETOUR_NOTE_FROM_STORE,
                                               .number = chain->freshness.age_s});
    }
    if (chain->freshness.cache == DETOUR_CACHE_FRESH) {
        chain_note(chain, (struct detour_note){.kind = DETOUR_NOTE_CACHEABLE,
                                               .number = chain->freshness.fresh_until_s});
    }
    if (guess) {
        chain_note(chain, (struct detour_note){.kind = DETOUR_NOTE_CACHE_GUESS});
    }
}

static void judge(struct detour_chain *chain, const struct detour_answer *answer)
{
    chain->turn ^= 1;
    arena_reset(chain_arena(chain));
    judge_freshness(chain, answer);
    if (answer->status < 100 || answer->status > 599) {
        chain_end(chain, DETOUR_DELIVER, DETOUR_REASON_STATUS_INVALID);
    } else if (answer->status / 100 == 3) {
        follow_answer(chain, answer);
    } else {
        chain_end(chain, DETOUR_DELIVER, DETOUR_REASON_NONE);
    }
}

static void repeat(struct detour_chain *chain)
{
    chain->repeated = true;
    carry_without_expect(chain);
    chain_send(chain, DETOUR_REPEAT);
}

static void interim(struct detour_chain *chain)
{
    if (++chain->interims > DETOUR_INTERIM_MAX) {
        chain_end(chain, DETOUR_REFUSE, DETOUR_REASON_INTERIM);
    } else {
        chain->verdict.action = DETOUR_INTERIM;
    }
}

enum detour_error detour_chain_answer(struct detour_chain *chain,
                                      const struct detour_answer *answer,
                                      const struct detour_verdict **out)
{
    struct detour_answer full = {0};
    if (chain == NULL || answer == NULL || out == NULL || !answer_is_sound(answer) ||
        !chain->awaiting) {
        return DETOUR_ERROR_USAGE;
    }
    memcpy(&full, answer, smaller(answer->size, sizeof(full)));
    start_verdict(chain);
    enum detour_reason reason = fields_check(&full);
    chain->body_begun = chain->body_begun || full.body_begun;
    if (reason == DETOUR_REASON_NONE && is_interim(full.status)) {
        interim(chain);
        return hand_out(chain, out);
    }
    struct hop *hop = &chain->hops[chain->hop_count - 1];
    hop->hop.status = full.status;
    hop->hop.from_store = full.from_store;
    if (reason != DETOUR_REASON_NONE) {
        chain_end(chain, DETOUR_REFUSE, reason);
    } else if (is_repeatable(chain, full.status)) {
        repeat(chain);
    } else {
        judge(chain, &full);
    }
    return hand_out(chain, out);
}

size_t detour_chain_hop_count(const struct detour_chain *chain)
{
    return chain->hop_count;
}

const struct detour_hop *detour_chain_hop(const struct detour_chain *chain, size_t index)
{
    return index < chain->hop_count ? &chain->hops[index].hop : NULL;
}
