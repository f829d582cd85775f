/* SPDX-License-Identifier: MIT */
/* Values by name, for programs, and as sentences, for people. */
#include "client/text.h"

struct name {
    const char *name;
    const char *text;
};

#define FIND(table, value)                                                                         \
    ((size_t)(value) < sizeof(table) / sizeof((table)[0]) && (table)[(size_t)(value)].name != NULL \
         ? &(table)[(size_t)(value)]                                                               \
         : &unknown)

static const struct name unknown = {"other", "something that this version does not know"};

static const struct name errors[] = {
    [DETOUR_OK] = {"ok", "no error"},
    [DETOUR_ERROR_MEMORY] = {"memory", "out of memory"},
    [DETOUR_ERROR_USAGE] = {"usage", "the library was used wrongly"},
    [DETOUR_ERROR_SYNTAX] = {"syntax", "not a URL"},
    [DETOUR_ERROR_LIMIT] = {"limit", "longer than allowed"},
    [DETOUR_ERROR_IO] = {"io", "a system call failed"},
    [DETOUR_ERROR_DAMAGED] = {"damaged", "the file is damaged, or not one of Detour's"},
    [DETOUR_ERROR_NEWER] = {"newer", "the file was written by a newer version"},
};

static const struct name actions[] = {
    [DETOUR_BEGIN] = {"begin", ""},     [DETOUR_FOLLOW] = {"follow", ""},
    [DETOUR_REPEAT] = {"repeat", ""},   [DETOUR_INTERIM] = {"interim", ""},
    [DETOUR_DELIVER] = {"deliver", ""}, [DETOUR_REFUSE] = {"refuse", ""},
};

static const struct name reasons[] = {
    [DETOUR_REASON_NONE] = {"none", "nothing special"},
    [DETOUR_REASON_NO_LOCATION] = {"no-location", "the answer does not say where to"},
    [DETOUR_REASON_NOT_FOLLOWED] = {"not-followed", "this status is not followed by itself"},
    [DETOUR_REASON_UNSAFE] = {"unsafe", "a method that changes something would be sent again"},
    [DETOUR_REASON_STATUS_INVALID] = {"status-invalid", "the status is no status of HTTP"},
    [DETOUR_REASON_TOO_MANY] = {"too-many", "too many redirects"},
    [DETOUR_REASON_LOOP] = {"loop", "the redirects go in a circle"},
    [DETOUR_REASON_URL_INVALID] = {"url-invalid", "the URL cannot be read"},
    [DETOUR_REASON_NO_HOST] = {"no-host", "the URL names no host"},
    [DETOUR_REASON_LOCATIONS_DIFFER] = {"locations-differ",
                                        "several Location fields say different things"},
    [DETOUR_REASON_SCHEME] = {"scheme", "the URL's scheme is not allowed"},
    [DETOUR_REASON_DOWNGRADE] = {"downgrade", "the redirect leads from https to http"},
    [DETOUR_REASON_USERINFO] = {"userinfo", "the redirect's URL holds a user name or a password"},
    [DETOUR_REASON_BODY_SPENT] = {"body-spent",
                                  "the body can be sent only once, and was sent already"},
    [DETOUR_REASON_FIELD_INVALID] = {"field-invalid",
                                     "a field holds what could be taken for another one"},
    [DETOUR_REASON_METHOD_INVALID] = {"method-invalid", "this method cannot be sent"},
    [DETOUR_REASON_LIMIT] = {"limit", "something is longer, or more, than allowed"},
    [DETOUR_REASON_INTERIM] = {"interim", "too many interim answers"},
};

static const struct name note_kinds[] = {
    [DETOUR_NOTE_NONE] = {"none", ""},
    [DETOUR_NOTE_TEMPORARY] = {"temporary", ""},
    [DETOUR_NOTE_PERMANENT] = {"permanent", ""},
    [DETOUR_NOTE_METHOD_CHANGED] = {"method-changed", ""},
    [DETOUR_NOTE_BODY_DROPPED] = {"body-dropped", ""},
    [DETOUR_NOTE_BODY_RESENT] = {"body-resent", ""},
    [DETOUR_NOTE_UNSAFE_RESENT] = {"unsafe-resent", ""},
    [DETOUR_NOTE_FIELD_DROPPED] = {"field-dropped", ""},
    [DETOUR_NOTE_FIELD_SET] = {"field-set", ""},
    [DETOUR_NOTE_CREDENTIALS_DROPPED] = {"credentials-dropped", ""},
    [DETOUR_NOTE_CREDENTIALS_SENT] = {"credentials-sent", ""},
    [DETOUR_NOTE_SECRET_SENT] = {"secret-sent", ""},
    [DETOUR_NOTE_ORIGIN_CHANGED] = {"origin-changed", ""},
    [DETOUR_NOTE_DOWNGRADE] = {"downgrade", ""},
    [DETOUR_NOTE_UPGRADE] = {"upgrade", ""},
    [DETOUR_NOTE_USERINFO_DROPPED] = {"userinfo-dropped", ""},
    [DETOUR_NOTE_FRAGMENT_INHERITED] = {"fragment-inherited", ""},
    [DETOUR_NOTE_FRAGMENT_CROSSED] = {"fragment-crossed", ""},
    [DETOUR_NOTE_RETRY_AFTER] = {"retry-after", ""},
    [DETOUR_NOTE_LOOP] = {"loop", ""},
    [DETOUR_NOTE_LOCATIONS_REPEATED] = {"locations-repeated", ""},
    [DETOUR_NOTE_LOCATION_MISSING] = {"location-missing", ""},
    [DETOUR_NOTE_LOCATION_MENDED] = {"location-mended", ""},
    [DETOUR_NOTE_LOCATION_EMPTY] = {"location-empty", ""},
    [DETOUR_NOTE_STATUS_AS_300] = {"status-as-300", ""},
    [DETOUR_NOTE_STATUS_RETIRED] = {"status-retired", ""},
    [DETOUR_NOTE_CACHEABLE] = {"cacheable", ""},
    [DETOUR_NOTE_CACHE_GUESS] = {"cache-guess", ""},
    [DETOUR_NOTE_FROM_STORE] = {"from-store", ""},
};

static const struct name becauses[] = {
    [DETOUR_BECAUSE_NONE] = {"none", "no reason"},
    [DETOUR_BECAUSE_ORIGIN] = {"origin", "it is a secret, and the next origin is another"},
    [DETOUR_BECAUSE_CONTENT] = {"content", "it describes content, and there is none any more"},
    [DETOUR_BECAUSE_HOP] = {"hop", "it belongs to one connection"},
    [DETOUR_BECAUSE_PROXY] = {"proxy", "it belongs to the proxy"},
    [DETOUR_BECAUSE_TARGET] = {"target", "it belongs to another URL"},
    [DETOUR_BECAUSE_SECURE] = {"secure", "the way leads from https to http"},
    [DETOUR_BECAUSE_POLICY] = {"policy", "Referrer-Policy wants it so"},
    [DETOUR_BECAUSE_PRIVATE] = {"private", "it may hold neither userinfo nor a fragment"},
    [DETOUR_BECAUSE_REFERER] = {"referer", "it is the URL that redirected"},
    [DETOUR_BECAUSE_TAINTED] = {"tainted", "the way led through another origin"},
    [DETOUR_BECAUSE_EXPECT] = {"expect", "there is no content to wait with, or the server refused"},
};

static const struct name caches[] = {
    [DETOUR_CACHE_UNKNOWN] = {"unknown", "nobody knows when it came"},
    [DETOUR_CACHE_FRESH] = {"fresh", "it may be used again"},
    [DETOUR_CACHE_STALE] = {"stale", "its time is over"},
    [DETOUR_CACHE_NOT_TOLD] = {"not-told", "it does not say that it may be kept"},
    [DETOUR_CACHE_METHOD] = {"method", "only answers to GET and HEAD are kept"},
    [DETOUR_CACHE_NO_STORE] = {"no-store", "it must not be kept"},
    [DETOUR_CACHE_NO_CACHE] = {"no-cache", "it must not be used without asking again"},
    [DETOUR_CACHE_PRIVATE] = {"private", "it is for one person"},
    [DETOUR_CACHE_AUTHORIZATION] = {"authorization", "it was given to somebody who proved who"},
    [DETOUR_CACHE_VARY] = {"vary", "it depends on more than the request says"},
    [DETOUR_CACHE_STATUS] = {"status", "it is no redirect"},
};

const char *detour_version(void)
{
    return DETOUR_VERSION;
}

const char *detour_error_text(enum detour_error error)
{
    return FIND(errors, error)->text;
}

const char *detour_action_name(enum detour_action action)
{
    return FIND(actions, action)->name;
}

const char *detour_reason_name(enum detour_reason reason)
{
    return FIND(reasons, reason)->name;
}

const char *detour_reason_text(enum detour_reason reason)
{
    return FIND(reasons, reason)->text;
}

const char *detour_note_name(enum detour_note_kind kind)
{
    return FIND(note_kinds, kind)->name;
}

const char *detour_because_name(enum detour_because because)
{
    return FIND(becauses, because)->name;
}

const char *detour_because_text(enum detour_because because)
{
    return FIND(becauses, because)->text;
}

const char *detour_cache_name(enum detour_cache cache)
{
    return FIND(caches, cache)->name;
}

const char *detour_cache_text(enum detour_cache cache)
{
    return FIND(caches, cache)->text;
}
