/* SPDX-License-Identifier: MIT */
/* The rules. Each looks at the requests that came, in their order, and says one sentence. */
#include "referee/judge.h"

#include <stdarg.h>
#include <stdio.h>

enum { redirects_of_fetch = 20 };

static const char unfollowed[] = "did not follow";

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[verdict_count] = {
        [VERDICT_UNSEEN] = "unseen",
        [VERDICT_STANDARD] = "standard",
        [VERDICT_ALLOWED] = "allowed",
        [VERDICT_WRONG] = "wrong",
    };
    return (unsigned)verdict < verdict_count ? names[verdict] : "unknown";
}

__attribute__((format(printf, 3, 4))) static void find(struct finding *out, enum verdict verdict,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    out->verdict = verdict;
    vsnprintf(out->text, sizeof(out->text), format, args);
    va_end(args);
}

static uint32_t kept(const struct evidence *e)
{
    return e->count < sightings_max ? e->count : sightings_max;
}

/* The first request at that step, which is not the very first; NULL: none. */
static const struct sighting *arrival(const struct evidence *e, uint8_t step)
{
    for (uint32_t i = 1; i < kept(e); i++) {
        if (e->sightings[i].step == step) {
            return &e->sightings[i];
        }
    }
    return NULL;
}

static uint32_t count_at(const struct evidence *e, uint8_t step)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < kept(e); i++) {
        count += e->sightings[i].step == step;
    }
    return count;
}

static bool content_whole(const struct evidence *e, const struct sighting *s)
{
    return s->content_bytes == e->test->content_bytes && !s->content_wrong;
}

/* ---- method and content ---- */

static void method_kept(const struct evidence *e, const struct sighting *s, struct finding *out)
{
    uint16_t status = e->test->legs[0].status;
    bool may_change = (status == 301 || status == 302) && s->method == METHOD_POST;
    const char *name = s->method_name;
    if (status == 303 && s->method != METHOD_GET && s->method != METHOD_HEAD) {
        find(out, VERDICT_WRONG, "%s stayed %s", name, name);
    } else if (s->content_wrong) {
        find(out, VERDICT_WRONG, "%s stayed %s, with other content", name, name);
    } else if (!content_whole(e, s)) {
        find(out, VERDICT_WRONG, "%s stayed %s, with %llu bytes of content instead of %u", name,
             name, (unsigned long long)s->content_bytes, e->test->content_bytes);
    } else if (may_change) {
        find(out, VERDICT_ALLOWED, "%s stayed %s", name, name);
    } else {
        find(out, VERDICT_STANDARD, "%s stayed %s", name, name);
    }
}

static bool should_become_get(const struct evidence *e, const struct sighting *first)
{
    uint16_t status = e->test->legs[0].status;
    if (status == 303) {
        return first->method != METHOD_GET && first->method != METHOD_HEAD;
    }
    return (status == 301 || status == 302) && first->method == METHOD_POST;
}

static void method_changed(const struct evidence *e, const struct sighting *s, struct finding *out)
{
    const struct sighting *first = &e->sightings[0];
    const char *from = first->method_name;
    const char *to = s->method_name;
    if (s->method != METHOD_GET || !should_become_get(e, first)) {
        find(out, VERDICT_WRONG, "%s became %s", from, to);
    } else if (s->content_bytes > 0) {
        find(out, VERDICT_WRONG, "%s became %s, and kept its content", from, to);
    } else if (s->content_fields) {
        find(out, VERDICT_WRONG, "%s became %s, and kept the fields of its content", from, to);
    } else {
        find(out, VERDICT_STANDARD, "%s became %s", from, to);
    }
}

void judge_method(const struct evidence *e, struct finding *out)
{
    const struct sighting *first = &e->sightings[0];
    const struct sighting *next = arrival(e, 1);
    if (strcmp(first->method_name, e->test->method) != 0) {
        find(out, VERDICT_UNSEEN, "began with %s", first->method_name);
    } else if (!e->test->early && !content_whole(e, first)) {
        find(out, VERDICT_UNSEEN, "began with other content");
    } else if (next == NULL) {
        find(out, VERDICT_ALLOWED, unfollowed);
    } else if (next->method == first->method &&
               strcmp(next->method_name, first->method_name) == 0) {
        method_kept(e, next, out);
    } else {
        method_changed(e, next, out);
    }
}

void judge_early(const struct evidence *e, struct finding *out)
{
    bool expecting = e->test->fields[0] != NULL;
    if (expecting && !e->sightings[0].expect) {
        find(out, VERDICT_UNSEEN, "sent no Expect: 100-continue");
    } else if (arrival(e, 1) != NULL || (e->said.any && e->said.status / 100 == 3)) {
        judge_method(e, out);
    } else if (e->said.any) {
        find(out, VERDICT_WRONG, "lost the answer");
    } else {
        find(out, VERDICT_UNSEEN, "did not follow; perhaps the answer was lost");
    }
}

/* ---- what is nobody else's business ---- */

static const char *place_name(const struct sighting *s)
{
    static const char *const names[] = {
        [PLACE_HERE] = "http",    [PLACE_PORT] = "another port",  [PLACE_NAME] = "another host",
        [PLACE_SECURE] = "https", [PLACE_OTHER] = "another host",
    };
    return names[s->place];
}

enum secret { SECRET_AUTHORIZATION, SECRET_PROXY_AUTHORIZATION, SECRET_COOKIE };

static bool has_secret(const struct sighting *s, enum secret secret)
{
    return secret == SECRET_AUTHORIZATION         ? s->authorization
           : secret == SECRET_PROXY_AUTHORIZATION ? s->proxy_authorization
                                                  : s->cookie;
}

/* Cookies know no ports. */
static void judge_elsewhere(const struct sighting *next, enum secret secret, struct finding *out)
{
    bool allowed = secret == SECRET_COOKIE && next->place == PLACE_PORT;
    find(out, allowed ? VERDICT_ALLOWED : VERDICT_WRONG, "sent to %s", place_name(next));
}

static void judge_secret(const struct evidence *e, enum secret secret, struct finding *out)
{
    static const char *const names[] = {"Authorization", "Proxy-Authorization",
                                        "Cookie of its own"};
    const struct sighting *first = &e->sightings[0];
    const struct sighting *next = arrival(e, 1);
    const struct sighting *back = arrival(e, 2);
    if (!has_secret(first, secret)) {
        find(out, VERDICT_UNSEEN, "sent no %s", names[secret]);
    } else if (next == NULL) {
        find(out, VERDICT_ALLOWED, unfollowed);
    } else if (next->place == first->place) {
        bool kept = has_secret(next, secret);
        find(out, kept ? VERDICT_STANDARD : VERDICT_ALLOWED, kept ? "kept" : "dropped");
    } else if (has_secret(next, secret)) {
        judge_elsewhere(next, secret, out);
    } else if (back != NULL && has_secret(back, secret)) {
        find(out, VERDICT_WRONG, "dropped, and sent again when back");
    } else {
        find(out, VERDICT_STANDARD, "dropped");
    }
}

void judge_authorization(const struct evidence *e, struct finding *out)
{
    judge_secret(e, SECRET_AUTHORIZATION, out);
}

void judge_proxy_authorization(const struct evidence *e, struct finding *out)
{
    judge_secret(e, SECRET_PROXY_AUTHORIZATION, out);
}

void judge_cookie(const struct evidence *e, struct finding *out)
{
    judge_secret(e, SECRET_COOKIE, out);
}

void judge_host(const struct evidence *e, struct finding *out)
{
    const struct sighting *next = arrival(e, 1);
    if (!e->sightings[0].host) {
        find(out, VERDICT_UNSEEN, "sent no Host of its own");
    } else if (next == NULL) {
        find(out, VERDICT_ALLOWED, unfollowed);
    } else {
        find(out, next->host ? VERDICT_WRONG : VERDICT_STANDARD,
             next->host ? "kept the own Host" : "Host is that of the URL");
    }
}

/* ---- rounds and rows ---- */

void judge_loop(const struct evidence *e, struct finding *out)
{
    enum verdict verdict = VERDICT_ALLOWED;
    if (e->count <= redirects_of_fetch + 1) {
        verdict = VERDICT_STANDARD;
    } else if (e->count >= loop_requests_max) {
        verdict = VERDICT_WRONG;
    }
    find(out, verdict,
         verdict == VERDICT_WRONG ? "went on after %u requests" : "ended after %u requests",
         e->count);
}

void judge_cookie_loop(const struct evidence *e, struct finding *out)
{
    if (e->count == 1) {
        find(out, VERDICT_WRONG, "did not follow: taken for a loop");
    } else if (!e->sightings[1].cookie) {
        find(out, VERDICT_ALLOWED, "followed, without the cookie");
    } else {
        find(out, VERDICT_STANDARD, "followed, with the cookie");
    }
}

void judge_hops(const struct evidence *e, struct finding *out)
{
    uint8_t reached = 0;
    for (uint32_t i = 0; i < kept(e); i++) {
        uint8_t step = e->sightings[i].step;
        reached = step != step_unknown && step > reached ? step : reached;
    }
    find(out, reached == redirects_of_fetch ? VERDICT_STANDARD : VERDICT_ALLOWED,
         "followed %u redirects", reached);
}

/* ---- caches ---- */

/* How often the redirect itself was asked for. False: it has been judged. */
static bool asked(const struct evidence *e, uint32_t *out_count, struct finding *out)
{
    uint32_t ends = count_at(e, 1);
    if (ends == 0) {
        find(out, VERDICT_ALLOWED, unfollowed);
    } else if (ends < e->test->times) {
        find(out, VERDICT_UNSEEN, "asked once only");
    }
    *out_count = count_at(e, 0);
    return ends >= e->test->times;
}

void judge_kept_never(const struct evidence *e, struct finding *out)
{
    uint32_t count = 0;
    if (asked(e, &count, out)) {
        find(out, count >= e->test->times ? VERDICT_STANDARD : VERDICT_WRONG,
             count >= e->test->times ? "asked again" : "kept, and used again");
    }
}

void judge_kept_perhaps(const struct evidence *e, struct finding *out)
{
    uint32_t count = 0;
    if (asked(e, &count, out)) {
        find(out, count < e->test->times ? VERDICT_STANDARD : VERDICT_ALLOWED,
             count < e->test->times ? "kept, and used again" : "asked again");
    }
}

/* ---- Locations and statuses ---- */

void judge_stays(const struct evidence *e, struct finding *out)
{
    if (e->count > 1) {
        find(out, VERDICT_WRONG, "asked for more");
    } else if (e->said.any && e->said.status == 200) {
        find(out, VERDICT_WRONG, "followed, to %.100s", e->said.url);
    } else {
        find(out, VERDICT_STANDARD,
             !e->said.any          ? "not followed"
             : e->said.status == 0 ? "an error"
                                   : "the answer is the last one");
    }
}

void judge_may_stay(const struct evidence *e, struct finding *out)
{
    find(out, e->count > 1 ? VERDICT_ALLOWED : VERDICT_STANDARD,
         e->count > 1 ? "followed" : "not followed");
}

void judge_several(const struct evidence *e, struct finding *out)
{
    if (e->count == 1) {
        find(out, VERDICT_STANDARD, "not followed");
    } else if (arrival(e, 1) != NULL || arrival(e, 2) != NULL) {
        find(out, VERDICT_ALLOWED, "followed the %s", arrival(e, 1) != NULL ? "first" : "last");
    } else {
        find(out, VERDICT_WRONG, "joined them");
    }
}

void judge_empty(const struct evidence *e, struct finding *out)
{
    if (e->count == 1) {
        find(out, VERDICT_ALLOWED, "not followed");
    } else {
        find(out, e->sightings[1].step == 0 ? VERDICT_STANDARD : VERDICT_WRONG,
             e->sightings[1].step == 0 ? "asked again" : "asked for something else");
    }
}

void judge_arrives(const struct evidence *e, struct finding *out)
{
    if (arrival(e, 1) != NULL) {
        find(out, VERDICT_STANDARD, "followed");
    } else {
        find(out, VERDICT_WRONG, e->count > 1 ? "asked for something else" : unfollowed);
    }
}

/* What is no URI by RFC 3986 need not be followed; made into something else it must not be. */
void judge_mended(const struct evidence *e, struct finding *out)
{
    judge_arrives(e, out);
    if (e->count == 1) {
        out->verdict = VERDICT_ALLOWED;
    }
}

void judge_userinfo(const struct evidence *e, struct finding *out)
{
    const struct sighting *next = arrival(e, 1);
    if (next == NULL) {
        find(out, VERDICT_STANDARD, "not followed");
    } else if (next->authorization) {
        find(out, VERDICT_WRONG, "followed, with the password of the Location");
    } else {
        find(out, VERDICT_ALLOWED, "followed, without the password");
    }
}

/* ---- Referer and fragment ---- */

void judge_referer(const struct evidence *e, struct finding *out)
{
    if (!e->sightings[0].referer) {
        find(out, VERDICT_UNSEEN, "sent no Referer");
        return;
    }
    for (uint32_t i = 0; i < kept(e); i++) {
        if (e->sightings[i].referer_unclean) {
            find(out, VERDICT_WRONG, "sent with userinfo or fragment");
            return;
        }
    }
    find(out, VERDICT_STANDARD, "sent without userinfo and fragment");
}

void judge_referrer_policy(const struct evidence *e, struct finding *out)
{
    const struct sighting *next = arrival(e, 1);
    if (!e->sightings[0].referer) {
        find(out, VERDICT_UNSEEN, "sent no Referer");
    } else if (next == NULL) {
        find(out, VERDICT_ALLOWED, unfollowed);
    } else {
        /* RFC 9110 knows no such field. */
        find(out, next->referer ? VERDICT_ALLOWED : VERDICT_STANDARD,
             next->referer ? "Referer is kept" : "Referer is dropped");
    }
}

/* A browser sends that of its page, which came by http. */
void judge_downgraded_referer(const struct evidence *e, struct finding *out)
{
    const struct sighting *next = arrival(e, 1);
    if (!e->sightings[0].referer_secure) {
        find(out, VERDICT_UNSEEN, "sent no Referer of https");
    } else if (next == NULL) {
        find(out, VERDICT_ALLOWED, unfollowed);
    } else {
        find(out, next->referer_secure ? VERDICT_WRONG : VERDICT_STANDARD,
             next->referer_secure ? "Referer is sent to http" : "Referer is dropped");
    }
}

void judge_fragment(const struct evidence *e, struct finding *out)
{
    if (arrival(e, 1) == NULL) {
        find(out, VERDICT_ALLOWED, unfollowed);
        return;
    }
    if (!e->said.any || e->said.url[0] == '\0') {
        find(out, VERDICT_UNSEEN, "nobody said what the last URL is");
        return;
    }
    const char *mark = strchr(e->said.url, '#');
    const char *fragment = mark != NULL ? mark + 1 : "";
    find(out, strcmp(fragment, e->test->expected) == 0 ? VERDICT_STANDARD : VERDICT_WRONG,
         fragment[0] != '\0' ? "#%.100s" : "no fragment%s", fragment);
}

/* A timer may end a moment early. Nobody has to wait: a client "is asked to". */
void judge_retry_after(const struct evidence *e, struct finding *out)
{
    const struct sighting *next = arrival(e, 1);
    if (next == NULL) {
        find(out, VERDICT_ALLOWED, unfollowed);
    } else {
        bool waited = next->at_ms - e->sightings[0].at_ms >= 900;
        find(out, waited ? VERDICT_STANDARD : VERDICT_ALLOWED,
             waited ? "waited, and followed" : "followed at once");
    }
}

void judge(const struct evidence *evidence, struct finding *out)
{
    if (evidence->count == 0) {
        find(out, VERDICT_UNSEEN, "not tried");
    } else {
        evidence->test->judge(evidence, out);
    }
}
