/* SPDX-License-Identifier: MIT */
/* Referer and Origin. Whoever started the chain set them; each redirect may make less of them
 * (RFC 9110, 10.1.3; https://w3c.github.io/webappsec-referrer-policy/; Fetch). */
#include "client/chain.h"

#include "client/view.h"
#include "http/field.h"

/* ---- where the chain was begun from ---- */

/* Takes the URL for what Referer is made of: neither userinfo nor fragment. False: no memory. */
static bool adopt(struct detour_chain *chain, struct url *url)
{
    url->username = span_of(NULL, 0);
    url->password = span_of(NULL, 0);
    url->fragment = span_of(NULL, 0);
    const struct detour_url *view = view_new(url, &chain->kept);
    if (view == NULL) {
        chain->out_of_memory = true;
        return false;
    }
    chain->referrer_text = span_of_text(view->href);
    chain->referrer = (struct url){
        .scheme = span_of_text(view->scheme), .host = span_of_text(view->host), .port = url->port};
    return true;
}

static bool is_downgrade(const struct url *referrer, const struct url *target)
{
    return span_eq(referrer->scheme, SPAN("https")) && span_eq(target->scheme, SPAN("http"));
}

static void set_value(struct detour_chain *chain, struct carried *carried, struct span value,
                      enum detour_because because)
{
    if (!carried->dropped && span_eq(span_of_text(carried->field.value), value)) {
        return;
    }
    carried->dropped = false;
    carried->field.value = text_of_span(value);
    chain_note(chain, (struct detour_note){.kind = DETOUR_NOTE_FIELD_SET,
                                           .because = because,
                                           .subject = carried->field.name,
                                           .detail = carried->field.value});
}

/* about:blank and the like stay as they are: they tell nothing. */
void referer_first(struct detour_chain *chain)
{
    struct carried *referer = chain->referer;
    struct url url;
    if (referer == NULL) {
        return;
    }
    enum err err =
        url_parse(span_of_text(referer->field.value), &chain->url, chain_arena(chain), &url);
    if (err == ERR_MEMORY) {
        chain->out_of_memory = true;
    } else if (err != ERR_NONE) {
        carry_drop(chain, referer, DETOUR_BECAUSE_PRIVATE);
    } else if (view_is_http(&url) && adopt(chain, &url)) {
        if (is_downgrade(&chain->referrer, &chain->url)) {
            carry_drop(chain, referer, DETOUR_BECAUSE_SECURE);
        } else {
            set_value(chain, referer, chain->referrer_text, DETOUR_BECAUSE_PRIVATE);
        }
    }
}

/* ---- Referrer-Policy ---- */

static const struct {
    struct span name;
    enum referrer_policy policy;
} policies[] = {
    {{(const uint8_t *)"no-referrer", 11}, REFERRER_NONE},
    {{(const uint8_t *)"no-referrer-when-downgrade", 26}, REFERRER_NONE_WHEN_DOWNGRADE},
    {{(const uint8_t *)"same-origin", 11}, REFERRER_SAME_ORIGIN},
    {{(const uint8_t *)"origin", 6}, REFERRER_ORIGIN},
    {{(const uint8_t *)"strict-origin", 13}, REFERRER_STRICT_ORIGIN},
    {{(const uint8_t *)"origin-when-cross-origin", 24}, REFERRER_ORIGIN_WHEN_CROSS_ORIGIN},
    {{(const uint8_t *)"strict-origin-when-cross-origin", 31},
     REFERRER_STRICT_ORIGIN_WHEN_CROSS_ORIGIN},
    {{(const uint8_t *)"unsafe-url", 10}, REFERRER_UNSAFE_URL},
};

/* The last one that is known counts. */
void referer_policy_take(struct detour_chain *chain, struct span value)
{
    struct span member;
    while (field_list_next(&value, &member)) {
        for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
            if (span_eq_ci(member, policies[i].name)) {
                chain->policy = policies[i].policy;
            }
        }
    }
}

enum amount { NOTHING, ORIGIN_ALONE, EVERYTHING };

static enum amount amount_by_policy(enum referrer_policy policy, bool same_origin, bool downgrade)
{
    switch (policy) {
    case REFERRER_NONE:
        return NOTHING;
    case REFERRER_NONE_WHEN_DOWNGRADE:
        return downgrade ? NOTHING : EVERYTHING;
    case REFERRER_SAME_ORIGIN:
        return same_origin ? EVERYTHING : NOTHING;
    case REFERRER_ORIGIN:
        return ORIGIN_ALONE;
    case REFERRER_STRICT_ORIGIN:
        return downgrade ? NOTHING : ORIGIN_ALONE;
    case REFERRER_ORIGIN_WHEN_CROSS_ORIGIN:
        return same_origin ? EVERYTHING : ORIGIN_ALONE;
    case REFERRER_UNSAFE_URL:
        return EVERYTHING;
    case REFERRER_STRICT_ORIGIN_WHEN_CROSS_ORIGIN:
        break;
    }
    return downgrade ? NOTHING : same_origin ? EVERYTHING : ORIGIN_ALONE;
}

/* "https://example.com/" */
static struct span origin_text(struct detour_chain *chain)
{
    struct url url = chain->referrer;
    url.path = SPAN("/");
    const struct detour_url *view = view_new(&url, &chain->kept);
    if (view == NULL) {
        chain->out_of_memory = true;
        return SPAN("");
    }
    return span_of_text(view->href);
}

/* RFC 9110 forbids what "unsafe-url" and "origin" would allow: from https to http nothing goes. */
static void refer(struct detour_chain *chain, const struct step *step)
{
    bool downgrade = is_downgrade(&chain->referrer, &step->target);
    bool same_origin = view_same_origin(&chain->referrer, &step->target);
    enum amount amount =
        chain_is_rfc(chain) ? EVERYTHING : amount_by_policy(chain->policy, same_origin, downgrade);
    enum detour_because because = DETOUR_BECAUSE_POLICY;
    if (downgrade) {
        amount = NOTHING;
        because = DETOUR_BECAUSE_SECURE;
    } else if (amount == EVERYTHING) {
        because = chain->options.auto_referer ? DETOUR_BECAUSE_REFERER : DETOUR_BECAUSE_PRIVATE;
    }
    if (amount != NOTHING) {
        struct span value = amount == EVERYTHING ? chain->referrer_text : origin_text(chain);
        set_value(chain, chain->referer, value, because);
    } else if (!chain->referer->dropped) {
        carry_drop(chain, chain->referer, because);
    }
}

/* The URL that redirects takes the place of whatever there was. */
static void refer_to_current(struct detour_chain *chain)
{
    struct url url = chain->url;
    if (!adopt(chain, &url) || chain->referer != NULL) {
        return;
    }
    struct carried *added = &chain->fields[chain->field_count++];
    *added = (struct carried){
        .field = {.name = detour_text_of("Referer")}, .known = KNOWN_REFERER, .dropped = true};
    chain->referer = added;
}

void referer_follow(struct detour_chain *chain, const struct step *step)
{
    if (chain->options.auto_referer) {
        refer_to_current(chain);
    }
    if (chain->referer != NULL && chain->referrer.scheme.len > 0 && !chain->out_of_memory) {
        refer(chain, step);
    }
}

/* ---- Origin ---- */

/* Fetch: who sent the request on, from an origin that is not its own to yet another, is not known
 * to be honest about where it came from. */
void origin_follow(struct detour_chain *chain, const struct step *step)
{
    struct span here = span_of_text(chain->view->origin);
    for (size_t i = 0; step->other_origin && i < chain->field_count; i++) {
        struct carried *carried = &chain->fields[i];
        if (carried->known == KNOWN_ORIGIN && !carried->dropped &&
            !span_eq_ci(span_of_text(carried->field.value), here)) {
            set_value(chain, carried, SPAN("null"), DETOUR_BECAUSE_TAINTED);
        }
    }
}
