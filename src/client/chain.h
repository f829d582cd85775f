/* SPDX-License-Identifier: MIT */
/* What the files of the policy share. Memory: `kept` lasts from one begin to the next; the two
 * turns take the verdicts in turn, since the next URL is resolved against the one before. */
#pragma once

#include <detour/detour.h>

#include "base/arena.h"
#include "client/known.h"
#include "client/text.h"
#include "uri/url.h"

enum { cookies_max = 64 };

/* A field of the first request, and what became of it. */
struct carried {
    struct detour_field field;
    enum known known;
    bool dropped;
    bool of_connection; /* Connection names it */
};

struct hop {
    struct detour_hop hop;
    size_t target_len; /* of hop.url, without the fragment */
    uint64_t key;      /* of method, target URI and cookies */
};

/* A cookie that was set on the way, as two hashes. */
struct cookie {
    uint64_t name; /* with domain and path */
    uint64_t value;
};

/* https://w3c.github.io/webappsec-referrer-policy/ */
enum referrer_policy {
    REFERRER_STRICT_ORIGIN_WHEN_CROSS_ORIGIN, /* the default */
    REFERRER_NONE,
    REFERRER_NONE_WHEN_DOWNGRADE,
    REFERRER_SAME_ORIGIN,
    REFERRER_ORIGIN,
    REFERRER_STRICT_ORIGIN,
    REFERRER_ORIGIN_WHEN_CROSS_ORIGIN,
    REFERRER_UNSAFE_URL,
};

struct detour_chain {
    struct detour_options options;
    struct arena kept;
    struct arena turns[2];
    unsigned turn;
    bool awaiting;      /* an answer */
    bool out_of_memory; /* told at the end of a call */

    /* The request under way. */
    struct span method;
    struct url url; /* points into view */
    const struct detour_url *view;
    enum detour_body body;
    bool body_begun;
    bool credentials;
    uint32_t redirects;
    uint32_t interims; /* of 1xx, for this request */
    bool repeated;     /* after 417 */

    struct carried *fields; /* with room for one more: a Referer */
    size_t field_count;
    struct carried *referer;   /* NULL: none */
    struct span referrer_text; /* as it may stand in Referer */
    struct url referrer;       /* scheme empty: neither http nor https */
    enum referrer_policy policy;

    struct hop *hops;
    size_t hop_count;
    size_t hop_capacity;
    struct cookie cookies[cookies_max];
    size_t cookie_count;
    uint64_t cookie_state;

    /* The verdict being made. */
    struct detour_note *notes;
    size_t note_capacity;
    struct detour_verdict verdict;
    struct detour_next next;
    struct detour_request request;
    struct detour_freshness freshness;
};

/* What a redirect comes to. */
struct step {
    const struct detour_answer *answer;
    struct span location;
    struct span retry_after;
    struct url target; /* resolved, without userinfo */
    const struct detour_url *view;
    struct span method;
    bool other_origin;
    bool body_dropped;
    bool content_dropped; /* the fields that describe it, too */
};

/* ---- chain.c ---- */

static inline struct arena *chain_arena(struct detour_chain *chain)
{
    return &chain->turns[chain->turn];
}

static inline bool chain_is_rfc(const struct detour_chain *chain)
{
    return chain->options.mode == DETOUR_MODE_RFC;
}

void chain_note(struct detour_chain *chain, struct detour_note note);
void chain_end(struct detour_chain *chain, enum detour_action action, enum detour_reason reason);
/* Makes the URL the one of the request under way. */
void chain_move(struct detour_chain *chain, const struct url *url, const struct detour_url *view);
/* Fills the verdict's next, and counts it among the hops. */
void chain_send(struct detour_chain *chain, enum detour_action action);

/* ---- follow.c ---- */

/* The whole way from an answer to the verdict, for a status that redirects. */
void follow_answer(struct detour_chain *chain, const struct detour_answer *answer);

/* Whether the reference says http or https, or "//", and no host behind it. */
bool reference_lacks_host(struct span reference);

/* ---- carry.c ---- */

/* Copies the fields. Gives why they cannot be sent. */
enum detour_reason carry_begin(struct detour_chain *chain, const struct detour_request *request);
/* Takes away what the first request must not have. */
void carry_first(struct detour_chain *chain);
void carry_follow(struct detour_chain *chain, const struct step *step);
void carry_without_expect(struct detour_chain *chain);
bool carry_has_expect(const struct detour_chain *chain);
/* The fields that are left, as the next request has them. */
void carry_collect(struct detour_chain *chain);
/* Drops it, with a note. */
void carry_drop(struct detour_chain *chain, struct carried *carried, enum detour_because because);

/* ---- referer.c ---- */

void referer_first(struct detour_chain *chain);
void referer_follow(struct detour_chain *chain, const struct step *step);
void referer_policy_take(struct detour_chain *chain, struct span value);
void origin_follow(struct detour_chain *chain, const struct step *step);

/* ---- history.c ---- */

void history_add(struct detour_chain *chain, const struct detour_url *view);
/* The number of the request that was the same; SIZE_MAX: none. */
size_t history_find(const struct detour_chain *chain, struct span method, struct span target);
/* A field Cookie is no longer sent. */
void history_cookie_lost(struct detour_chain *chain);
void history_cookie_take(struct detour_chain *chain, struct span set_cookie);
