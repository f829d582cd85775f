/* SPDX-License-Identifier: MIT */
/* RFC 9111, 3, 4.2 and 5.2, for redirects. */
#include "client/freshness.h"

#include "client/date.h"
#include "client/known.h"
#include "client/text.h"
#include "http/field.h"
#include "http/status.h"

bool seconds_read(struct span text, int64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_is_digit(text.ptr[i])) {
            return false;
        }
        value = value * 10 + (text.ptr[i] - '0');
        value = value > SECONDS_MAX ? SECONDS_MAX : value;
    }
    *out = (int64_t)value;
    return text.len > 0;
}

static struct span unquoted(struct span text)
{
    bool quoted = text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"';
    return quoted ? span_slice(text, 1, text.len - 1) : text;
}

/* Said twice with two values, it is as good as invalid (RFC 9111, 4.2.1). */
static void seconds_take(struct span value, struct directive_seconds *out)
{
    int64_t seconds = 0;
    bool valid = seconds_read(unquoted(value), &seconds);
    out->valid = valid && (!out->present || (out->valid && out->value == seconds));
    out->present = true;
    out->value = seconds;
}

static void directive_take(struct span name, struct span value, struct directives *out)
{
    const struct {
        struct span name;
        bool *flag;
        struct directive_seconds *seconds;
    } known[] = {
        {SPAN("max-age"), NULL, &out->max_age},
        {SPAN("s-maxage"), NULL, &out->s_maxage},
        {SPAN("min-fresh"), NULL, &out->min_fresh},
        {SPAN("no-store"), &out->no_store, NULL},
        {SPAN("no-cache"), &out->no_cache, NULL},
        {SPAN("private"), &out->is_private, NULL},
        {SPAN("public"), &out->is_public, NULL},
        {SPAN("must-revalidate"), &out->must_revalidate, NULL},
        {SPAN("must-understand"), &out->must_understand, NULL},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!span_eq_ci(name, known[i].name)) {
            continue;
        }
        if (known[i].flag != NULL) {
            *known[i].flag = true;
        } else {
            seconds_take(value, known[i].seconds);
        }
        return;
    }
}

static void line_take(struct span line, struct directives *out)
{
    struct span member;
    while (field_list_next(&line, &member)) {
        size_t equals = span_find(member, 0, '=');
        struct span value = span_trim(span_from(member, equals < member.len ? equals + 1 : equals));
        directive_take(span_trim(span_slice(member, 0, equals)), value, out);
    }
}

void directives_read(const struct detour_field *fields, size_t count, struct directives *out)
{
    bool cache_control = false;
    bool pragma = false;
    *out = (struct directives){0};
    for (size_t i = 0; i < count; i++) {
        struct span value = span_of_text(fields[i].value);
        switch (known_find(span_of_text(fields[i].name))) {
        case KNOWN_CACHE_CONTROL:
            line_take(value, out);
            cache_control = true;
            break;
        case KNOWN_PRAGMA:
            pragma = pragma || span_eq_ci(value, SPAN("no-cache"));
            break;
        default:
            break;
        }
    }
    out->no_cache = out->no_cache || (pragma && !cache_control);
}

/* What an answer says about time. */
struct told {
    struct directives directives;
    bool expires_present;
    bool expires_valid;
    int64_t expires_s;
    struct span date;
    bool date_present; /* date_s is set; told_date_read has been called */
    int64_t date_s;
    int64_t age_s; /* of the field */
    bool vary_any;
};

static void expires_take(struct span value, int64_t now, struct told *told)
{
    int64_t seconds = 0;
    bool valid = date_parse(value, now, &seconds);
    bool agrees = !told->expires_present || (told->expires_valid && told->expires_s == seconds);
    told->expires_valid = valid && agrees;
    told->expires_present = true;
    told->expires_s = seconds;
}

static bool vary_is_any(struct span value)
{
    struct span member;
    while (field_list_next(&value, &member)) {
        if (span_eq(member, SPAN("*"))) {
            return true;
        }
    }
    return false;
}

static void told_read(const struct detour_answer *answer, struct told *out)
{
    bool aged = false;
    *out = (struct told){0};
    for (size_t i = 0; i < answer->field_count; i++) {
        struct span value = span_of_text(answer->fields[i].value);
        switch (known_find(span_of_text(answer->fields[i].name))) {
        case KNOWN_CACHE_CONTROL:
            line_take(value, &out->directives);
            break;
        case KNOWN_EXPIRES:
            expires_take(value, answer->received_s, out);
            break;
        case KNOWN_DATE:
            out->date = out->date.ptr == NULL ? value : out->date;
            break;
        case KNOWN_AGE: /* of several the first counts, and none that is no number (5.1) */
            aged = aged || seconds_read(value, &out->age_s);
            break;
        case KNOWN_VARY:
            out->vary_any = out->vary_any || vary_is_any(value);
            break;
        default:
            break;
        }
    }
}

static bool has_authorization(const struct detour_request *request)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (known_find(span_of_text(request->fields[i].name)) == KNOWN_AUTHORIZATION) {
            return true;
        }
    }
    return false;
}

/* Why it may not be kept at all, or not be used (RFC 9111, 3). */
static enum detour_cache answer_forbids(const struct told *told, bool shared)
{
    const struct directives *said = &told->directives;
    /* Whoever knows what the status means may look away from no-store (5.2.2.3). */
    if (said->no_store && !said->must_understand) {
        return DETOUR_CACHE_NO_STORE;
    }
    if (shared && said->is_private) {
        return DETOUR_CACHE_PRIVATE;
    }
    if (told->vary_any) {
        return DETOUR_CACHE_VARY;
    }
    return said->no_cache ? DETOUR_CACHE_NO_CACHE : DETOUR_CACHE_FRESH;
}

static enum detour_cache request_forbids(const struct detour_request *request,
                                         const struct directives *said, bool shared)
{
    struct directives asked;
    directives_read(request->fields, request->field_count, &asked);
    if (asked.no_store) {
        return DETOUR_CACHE_NO_STORE;
    }
    bool for_all = said->is_public || said->must_revalidate || said->s_maxage.present;
    return shared && !for_all && has_authorization(request) ? DETOUR_CACHE_AUTHORIZATION
                                                            : DETOUR_CACHE_FRESH;
}

static void told_date_read(struct told *told, int64_t received_s)
{
    told->date_present = date_parse(told->date, received_s, &told->date_s);
}

static int64_t at_least_zero(int64_t value)
{
    return value > 0 ? value : 0;
}

/* RFC 9111, 4.2.1. An invalid lifetime is over: 0. */
static int64_t lifetime_told(const struct told *told, bool shared, int64_t received_s)
{
    const struct directives *said = &told->directives;
    const struct directive_seconds *seconds =
        shared && said->s_maxage.present ? &said->s_maxage : &said->max_age;
    if (seconds->present) {
        return seconds->valid ? seconds->value : 0;
    }
    int64_t date_s = told->date_present ? told->date_s : received_s;
    return told->expires_valid ? at_least_zero(told->expires_s - date_s) : 0;
}

/* RFC 9111, 4.2.3, at the time the answer came. */
static int64_t initial_age(const struct told *told, const struct detour_answer *answer)
{
    int64_t requested_s = answer->requested_s != 0 ? answer->requested_s : answer->received_s;
    int64_t apparent = told->date_present ? at_least_zero(answer->received_s - told->date_s) : 0;
    int64_t corrected = told->age_s + at_least_zero(answer->received_s - requested_s);
    return apparent > corrected ? apparent : corrected;
}

static void judge_lifetime(struct told *told, const struct detour_answer *answer, bool shared,
                           struct detour_freshness *out, bool *guess)
{
    const struct directives *said = &told->directives;
    bool permanent = answer->status == 301 || answer->status == 308;
    bool says_nothing =
        !said->max_age.present && !told->expires_present && !(shared && said->s_maxage.present);
    if (says_nothing && !permanent) { /* as most are: Date is not even read */
        out->cache = DETOUR_CACHE_NOT_TOLD;
        *guess = answer->status != 300 && said->is_public;
        return;
    }
    told_date_read(told, answer->received_s);
    out->age_s = initial_age(told, answer);
    out->lifetime_s = INT64_MAX;
    out->fresh_until_s = INT64_MAX;
    if (!says_nothing) {
        out->lifetime_s = lifetime_told(told, shared, answer->received_s);
        out->fresh_until_s = answer->received_s + out->lifetime_s - out->age_s;
        out->cache = out->lifetime_s > out->age_s ? DETOUR_CACHE_FRESH : DETOUR_CACHE_STALE;
    }
}

void freshness_judge(const struct detour_request *request, const struct detour_answer *answer,
                     bool shared, struct detour_freshness *out, bool *guess)
{
    struct span method = span_of_text(request->method);
    struct told told;
    *guess = false;
    *out = (struct detour_freshness){.cache = DETOUR_CACHE_STATUS};
    if (!status_redirects(answer->status) && answer->status != 300) {
        return;
    }
    if (answer->received_s == 0) {
        out->cache = DETOUR_CACHE_UNKNOWN;
        return;
    }
    if (!span_eq(method, SPAN("GET")) && !span_eq(method, SPAN("HEAD"))) {
        out->cache = DETOUR_CACHE_METHOD;
        return;
    }
    told_read(answer, &told);
    out->cache = answer_forbids(&told, shared);
    if (out->cache == DETOUR_CACHE_FRESH) {
        judge_lifetime(&told, answer, shared, out, guess);
    }
    if (out->cache == DETOUR_CACHE_FRESH) {
        out->cache = request_forbids(request, &told.directives, shared);
    }
}
