/* SPDX-License-Identifier: MIT */
/* The way from an answer that redirects to the next request: RFC 9110, 15.4, and the HTTP-redirect
 * fetch of https://fetch.spec.whatwg.org/, in its order. */
#include "client/chain.h"

#include "client/date.h"
#include "client/freshness.h"
#include "client/view.h"
#include "http/status.h"
#include "uri/escape.h"

static void note_number(struct detour_chain *chain, enum detour_note_kind kind, int64_t number)
{
    chain_note(chain, (struct detour_note){.kind = kind, .number = number});
}

static void note_texts(struct detour_chain *chain, enum detour_note_kind kind,
                       struct detour_text subject, struct detour_text detail)
{
    chain_note(chain, (struct detour_note){.kind = kind, .subject = subject, .detail = detail});
}

static enum detour_reason refuse(struct detour_chain *chain, enum detour_reason reason)
{
    chain_end(chain, DETOUR_REFUSE, reason);
    return reason;
}

/* The verdict is not handed out; whatever stops the way will do. */
static enum detour_reason no_memory(struct detour_chain *chain)
{
    chain->out_of_memory = true;
    return DETOUR_REASON_LIMIT;
}

static enum detour_reason deliver(struct detour_chain *chain, enum detour_reason reason)
{
    chain_end(chain, DETOUR_DELIVER, reason);
    return reason;
}

/* ---- which answers redirect ---- */

bool detour_status_redirects(uint16_t status)
{
    return status_redirects(status);
}

/* For a 3xx that is not one of the five. */
static enum detour_reason other_status(struct detour_chain *chain, uint16_t status)
{
    if (status == 305 || status == 306) {
        note_number(chain, DETOUR_NOTE_STATUS_RETIRED, status);
        return deliver(chain, DETOUR_REASON_NOT_FOLLOWED);
    }
    if (status == 304) {
        return deliver(chain, DETOUR_REASON_NOT_FOLLOWED);
    }
    if (status != 300) {
        note_number(chain, DETOUR_NOTE_STATUS_AS_300, status);
    }
    if (!chain_is_rfc(chain) || !detour_method_is_safe(text_of_span(chain->method))) {
        return deliver(chain, DETOUR_REASON_NOT_FOLLOWED);
    }
    return DETOUR_REASON_NONE;
}

/* ---- Location ---- */

static enum detour_reason find_location(struct detour_chain *chain, struct step *step)
{
    const struct detour_answer *answer = step->answer;
    bool repeated = false;
    for (size_t i = 0; i < answer->field_count; i++) {
        struct span value = span_of_text(answer->fields[i].value);
        switch (known_find(span_of_text(answer->fields[i].name))) {
        case KNOWN_LOCATION:
            if (step->location.ptr != NULL && !span_eq(step->location, value)) {
                return refuse(chain, DETOUR_REASON_LOCATIONS_DIFFER);
            }
            repeated = step->location.ptr != NULL;
            step->location = value.ptr != NULL ? value : SPAN("");
            break;
        case KNOWN_RETRY_AFTER:
            step->retry_after = value;
            break;
        case KNOWN_REFERRER_POLICY:
            referer_policy_take(chain, value);
            break;
        case KNOWN_SET_COOKIE:
            history_cookie_take(chain, value);
            break;
        default:
            break;
        }
    }
    if (repeated) {
        note_number(chain, DETOUR_NOTE_LOCATIONS_REPEATED, 0);
    }
    return DETOUR_REASON_NONE;
}

/* Bytes beyond ASCII are encoded one by one, whatever they mean, as Chromium does: what is not
 * UTF-8 reaches the server as it was sent. */
static struct span ascii_location(struct detour_chain *chain, struct span location)
{
    size_t beyond = 0;
    for (size_t i = 0; i < location.len; i++) {
        beyond += location.ptr[i] >= 0x80;
    }
    size_t cap = location.len + 2 * beyond;
    uint8_t *memory = arena_alloc(chain_arena(chain), cap);
    if (memory == NULL) {
        chain->out_of_memory = true;
        return location;
    }
    struct buffer out = buffer_over(memory, cap);
    for (size_t i = 0; i < location.len; i++) {
        if (location.ptr[i] >= 0x80) {
            escape_byte(&out, location.ptr[i]);
        } else {
            buffer_byte(&out, location.ptr[i]);
        }
    }
    return buffer_span(&out);
}

static size_t http_scheme_length(struct span text)
{
    static const struct span schemes[] = {{(const uint8_t *)"http:", 5},
                                          {(const uint8_t *)"https:", 6}};
    for (size_t i = 0; i < 2; i++) {
        if (text.len >= schemes[i].len &&
            span_eq_ci(span_slice(text, 0, schemes[i].len), schemes[i])) {
            return schemes[i].len;
        }
    }
    return 0;
}

/* RFC 9110, 4.2.1 and 4.2.2. A backslash counts as a slash, as it does when the reference is read;
 * tabs and the like do not come into it. */
bool reference_lacks_host(struct span reference)
{
    size_t at = 0;
    while (at < reference.len && reference.ptr[at] <= ' ') {
        at++;
    }
    struct span text = span_from(reference, at);
    size_t scheme = http_scheme_length(text);
    text = span_from(text, scheme);
    size_t slashes = 0;
    while (slashes < text.len && slashes < 2 &&
           (text.ptr[slashes] == '/' || text.ptr[slashes] == '\\')) {
        slashes++;
    }
    if (slashes < 2) {
        return scheme > 0;
    }
    return text.len == 2 || memchr("/\\?#:", text.ptr[2], 5) != NULL;
}

static enum detour_reason resolve(struct detour_chain *chain, struct step *step)
{
    struct span text = step->location;
    if (text.len > DETOUR_URL_BYTES_MAX) {
        return refuse(chain, DETOUR_REASON_LIMIT);
    }
    if (text.len == 0) {
        note_number(chain, DETOUR_NOTE_LOCATION_EMPTY, 0);
    } else if (escape_run(text, 0, ESCAPE_LOCATION) < text.len) {
        note_texts(chain, DETOUR_NOTE_LOCATION_MENDED, text_of_span(text), (struct detour_text){0});
        text = ascii_location(chain, text);
    }
    bool lacks_host = reference_lacks_host(text);
    enum err err = url_parse(text, &chain->url, chain_arena(chain), &step->target);
    if (err == ERR_MEMORY) {
        return no_memory(chain);
    }
    if (err != ERR_NONE) {
        return refuse(chain, lacks_host ? DETOUR_REASON_NO_HOST : DETOUR_REASON_URL_INVALID);
    }
    chain->verdict.resolved = view_new(&step->target, chain_arena(chain));
    if (chain->verdict.resolved == NULL) {
        return no_memory(chain);
    }
    if (chain->verdict.resolved->href.len > DETOUR_URL_BYTES_MAX) {
        return refuse(chain, DETOUR_REASON_LIMIT);
    }
    return lacks_host && chain_is_rfc(chain) ? refuse(chain, DETOUR_REASON_NO_HOST)
                                             : DETOUR_REASON_NONE;
}

/* ---- where to ---- */

static bool has_userinfo(const struct url *url)
{
    return url->username.len > 0 || url->password.len > 0;
}

/* What may be followed at all. */
static enum detour_reason check_target(struct detour_chain *chain, const struct url *target)
{
    bool secure = span_eq(target->scheme, SPAN("https"));
    unsigned bit = secure ? DETOUR_SCHEME_HTTPS : DETOUR_SCHEME_HTTP;
    if (!view_is_http(target) || (chain->options.schemes & bit) == 0) {
        return refuse(chain, DETOUR_REASON_SCHEME);
    }
    if (!secure && span_eq(chain->url.scheme, SPAN("https")) && !chain->options.allow_downgrade) {
        return refuse(chain, DETOUR_REASON_DOWNGRADE);
    }
    if (has_userinfo(target) && chain_is_rfc(chain)) {
        return refuse(chain, DETOUR_REASON_USERINFO);
    }
    if (chain->redirects == chain->options.redirects_max) {
        return refuse(chain, DETOUR_REASON_TOO_MANY);
    }
    return DETOUR_REASON_NONE;
}

/* A null fragment inherits the old one (RFC 9110, 10.2.2); an empty one is not null. */
static void inherit_fragment(struct detour_chain *chain, struct step *step)
{
    if (step->target.fragment.ptr == NULL && chain->url.fragment.ptr != NULL) {
        step->target.fragment = chain->url.fragment;
        enum detour_note_kind kind =
            step->other_origin ? DETOUR_NOTE_FRAGMENT_CROSSED : DETOUR_NOTE_FRAGMENT_INHERITED;
        chain_note(chain, (struct detour_note){.kind = kind,
                                               .subject = text_of_span(chain->url.fragment)});
    }
}

static void note_origin(struct detour_chain *chain, const struct step *step)
{
    struct detour_text old = chain->view->origin;
    struct detour_text new = step->view->origin;
    note_texts(chain, DETOUR_NOTE_ORIGIN_CHANGED, old, new);
    bool was_secure = span_eq(chain->url.scheme, SPAN("https"));
    bool is_secure = span_eq(step->target.scheme, SPAN("https"));
    if (was_secure != is_secure) {
        note_texts(chain, is_secure ? DETOUR_NOTE_UPGRADE : DETOUR_NOTE_DOWNGRADE, old, new);
    }
}

/* The next URL: without userinfo, with a fragment, written out. */
static enum detour_reason make_target(struct detour_chain *chain, struct step *step)
{
    if (has_userinfo(&step->target)) {
        step->target.username = span_of(NULL, 0);
        step->target.password = span_of(NULL, 0);
        chain_note(chain, (struct detour_note){.kind = DETOUR_NOTE_USERINFO_DROPPED,
                                               .subject = text_of_span(step->target.host)});
        step->view = NULL;
    } else {
        step->view = chain->verdict.resolved;
    }
    step->other_origin = !view_same_origin(&chain->url, &step->target);
    struct span fragment = step->target.fragment;
    inherit_fragment(chain, step);
    if (step->view == NULL || step->target.fragment.ptr != fragment.ptr) {
        step->view = view_new(&step->target, chain_arena(chain));
    }
    if (step->view == NULL) {
        return no_memory(chain);
    }
    if (step->view->href.len > DETOUR_URL_BYTES_MAX) {
        return refuse(chain, DETOUR_REASON_LIMIT);
    }
    if (step->other_origin) {
        note_origin(chain, step);
    }
    return DETOUR_REASON_NONE;
}

/* ---- method and body ---- */

static void choose_method(const struct detour_chain *chain, struct step *step)
{
    uint16_t status = step->answer->status;
    bool post = span_eq(chain->method, SPAN("POST"));
    bool head = span_eq(chain->method, SPAN("HEAD"));
    bool get = span_eq(chain->method, SPAN("GET"));
    bool as_browsers_do = (status == 301 || status == 302) && post && !chain_is_rfc(chain);
    bool to_get = as_browsers_do || (status == 303 && !get && !head);
    step->method = to_get ? SPAN("GET") : chain->method;
    /* What is asked for by 303 is another resource, even when the method stays (15.4.4). */
    step->content_dropped = to_get || status == 303;
    step->body_dropped = step->content_dropped && chain->body != DETOUR_BODY_NONE;
}

/* Fetch refuses also where the body would not have been needed any more: whoever sent it did not
 * expect that, and on anything but 303 nobody told. */
static bool body_is_spent(const struct detour_chain *chain, const struct step *step)
{
    return chain->body == DETOUR_BODY_ONCE && chain->body_begun && step->answer->status != 303;
}

static enum detour_reason check_method(struct detour_chain *chain, struct step *step)
{
    if (body_is_spent(chain, step)) {
        return refuse(chain, DETOUR_REASON_BODY_SPENT);
    }
    choose_method(chain, step);
    struct detour_text method = text_of_span(step->method);
    if (!detour_method_is_safe(method)) {
        if (!chain->options.follow_unsafe) {
            return deliver(chain, DETOUR_REASON_UNSAFE);
        }
        note_texts(chain, DETOUR_NOTE_UNSAFE_RESENT, method, (struct detour_text){0});
    }
    if (!span_eq(step->method, chain->method)) {
        note_texts(chain, DETOUR_NOTE_METHOD_CHANGED, text_of_span(chain->method), method);
    }
    if (step->body_dropped) {
        note_number(chain, DETOUR_NOTE_BODY_DROPPED, 0);
    } else if (chain->body != DETOUR_BODY_NONE) {
        note_number(chain, DETOUR_NOTE_BODY_RESENT, 0);
    }
    return DETOUR_REASON_NONE;
}

static enum detour_reason check_loop(struct detour_chain *chain, const struct step *step)
{
    size_t same = history_find(chain, step->method, span_of_text(step->view->target));
    if (same == SIZE_MAX) {
        return DETOUR_REASON_NONE;
    }
    chain_note(chain, (struct detour_note){.kind = DETOUR_NOTE_LOOP,
                                           .subject = text_of_span(step->method),
                                           .detail = step->view->target,
                                           .number = (int64_t)same});
    return chain_is_rfc(chain) ? refuse(chain, DETOUR_REASON_LOOP) : DETOUR_REASON_NONE;
}

/* ---- the next request ---- */

/* RFC 9110, 10.2.3: the least time to wait before the redirect is followed. */
static void take_retry_after(struct detour_chain *chain, const struct step *step)
{
    int64_t received_s = step->answer->received_s;
    int64_t seconds = 0;
    if (!seconds_read(step->retry_after, &seconds)) {
        int64_t date_s;
        if (received_s == 0 || !date_parse(step->retry_after, received_s, &date_s)) {
            return;
        }
        seconds = date_s > received_s ? date_s - received_s : 0;
        seconds = seconds < SECONDS_MAX ? seconds : SECONDS_MAX;
    }
    note_number(chain, DETOUR_NOTE_RETRY_AFTER, seconds);
    chain->next.wait_s = chain_is_rfc(chain) ? seconds : 0;
}

static void go(struct detour_chain *chain, struct step *step)
{
    uint16_t status = step->answer->status;
    bool permanent = status == 301 || status == 308;
    note_number(chain, permanent ? DETOUR_NOTE_PERMANENT : DETOUR_NOTE_TEMPORARY, status);
    take_retry_after(chain, step);
    referer_follow(chain, step);
    origin_follow(chain, step);
    if (step->other_origin && !chain->options.location_trusted) {
        chain->credentials = false;
    }
    if (step->body_dropped) {
        chain->body = DETOUR_BODY_NONE;
    }
    carry_follow(chain, step);
    chain->method = step->method;
    chain_move(chain, &step->target, step->view);
    chain->redirects++;
    chain->next.permanent = permanent;
    chain_send(chain, DETOUR_FOLLOW);
}

void follow_answer(struct detour_chain *chain, const struct detour_answer *answer)
{
    struct step step = {.answer = answer};
    if (!status_redirects(answer->status) &&
        other_status(chain, answer->status) != DETOUR_REASON_NONE) {
        return;
    }
    enum detour_reason reason = find_location(chain, &step);
    if (step.location.ptr != NULL) {
        step.location = arena_copy(chain_arena(chain), step.location);
        chain->out_of_memory = chain->out_of_memory || step.location.ptr == NULL;
        chain->verdict.location = text_of_span(step.location);
    }
    if (reason != DETOUR_REASON_NONE || chain->out_of_memory) {
        return;
    }
    if (step.location.ptr == NULL) {
        note_number(chain, DETOUR_NOTE_LOCATION_MISSING, 0);
        deliver(chain, DETOUR_REASON_NO_LOCATION);
        return;
    }
    if (resolve(chain, &step) == DETOUR_REASON_NONE && !chain->out_of_memory &&
        check_target(chain, &step.target) == DETOUR_REASON_NONE &&
        make_target(chain, &step) == DETOUR_REASON_NONE &&
        check_method(chain, &step) == DETOUR_REASON_NONE &&
        check_loop(chain, &step) == DETOUR_REASON_NONE) {
        go(chain, &step);
    }
}
