/* SPDX-License-Identifier: MIT */
/* libdetour: what a client has to do with an answer that redirects. No I/O, no clock, no threads.
 *
 * A client sends a request and gets an answer. It shows both to a chain, and the chain says what
 * comes next: follow with this request, hand the answer to who asked, or stop with an error; and it
 * tells what a person would want to know about that. The client does the sending, whatever library
 * it has for it. The memory of a client, which answers it may use again, is detour/store.h.
 *
 *     struct detour_options options;
 *     detour_options_init(&options, sizeof(options));
 *     struct detour_chain *chain;
 *     if (detour_chain_new(&options, &chain) != DETOUR_OK) …
 *
 *     struct detour_request request = {.size = sizeof(request),
 *                                      .method = detour_text_of("GET"),
 *                                      .url = detour_text_of("http://example.com/")};
 *     const struct detour_verdict *verdict;
 *     if (detour_chain_begin(chain, &request, &verdict) != DETOUR_OK) …
 *     while (verdict->next != NULL) {
 *         … send verdict->next->request, read status and fields …
 *         struct detour_answer answer = {.size = sizeof(answer), .status = status, …};
 *         if (detour_chain_answer(chain, &answer, &verdict) != DETOUR_OK) …
 *     }
 *     … verdict->action is DETOUR_DELIVER: the last answer is the one; or DETOUR_REFUSE …
 *     detour_chain_free(&chain);
 *
 * MEMORY. What is passed in is copied, and may go when the call returns. What is given out belongs
 * to the library, is not to be changed, and says how long it lives. Texts have a length, and may
 * hold any byte but where it is said otherwise; they are not terminated by a NUL.
 *
 * THREADS. There is no global state. A chain, or a URL, is used by one thread at a time; different
 * ones by any number. A store locks itself.
 *
 * BINARY INTERFACE. Structures that are passed in begin with `size`, which the caller sets to
 * sizeof: a newer library knows by it which members an older caller has, and takes the defaults for
 * the others. Structures that are given out by pointer may grow at the end. Those that stand in
 * arrays (detour_text, detour_field, detour_note) never change. Enumerations may get new values at
 * the end: treat one that you do not know as the text function of its kind prints it.
 *
 * The sections named are those of RFC 9110 where no other is named. The manual: libdetour(3). */
#ifndef DETOUR_DETOUR_H
#define DETOUR_DETOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DETOUR_API __attribute__((visibility("default")))
#else
#define DETOUR_API
#endif

/* ---- Versions, errors, texts ---- */

#define DETOUR_VERSION_MAJOR 0
#define DETOUR_VERSION_MINOR 1
#define DETOUR_VERSION_PATCH 0

/* The version of the library in use, "0.1.0"; the macros are of the header. */
DETOUR_API const char *detour_version(void);

/* Every input has a bound. Beyond it a verdict refuses, with DETOUR_REASON_LIMIT. */
#define DETOUR_URL_BYTES_MAX 65536     /* of a URL, as given and as resolved */
#define DETOUR_METHOD_BYTES_MAX 64     /* of a method */
#define DETOUR_FIELDS_MAX 512          /* fields of a request, or of an answer */
#define DETOUR_FIELD_BYTES_MAX 131072  /* of the name and value of one field */
#define DETOUR_FIELDS_BYTES_MAX 524288 /* of all fields of a request, or of an answer */
#define DETOUR_REDIRECTS_MAX 1000      /* what detour_options.redirects_max may be */
#define DETOUR_INTERIM_MAX 64          /* answers of 1xx to one request */

/* What a call itself returns. What came from the network is never an error of a call: that is a
 * verdict. After DETOUR_ERROR_MEMORY a chain can only be begun anew or freed. */
enum detour_error {
    DETOUR_OK = 0,
    DETOUR_ERROR_MEMORY, /* an allocation failed */
    DETOUR_ERROR_USAGE, /* the caller's mistake: a size that no version had, an option out of range,
                           an answer where none is awaited */
    DETOUR_ERROR_SYNTAX,  /* detour_url_new: not a URL */
    DETOUR_ERROR_LIMIT,   /* longer or more than the named maximum */
    DETOUR_ERROR_IO,      /* a store's file: a system call failed, errno says why */
    DETOUR_ERROR_DAMAGED, /* a store's file is damaged, or none of a store */
    DETOUR_ERROR_NEWER,   /* a store's file was written by a newer version */
};

/* A short phrase: "out of memory". Never NULL. */
DETOUR_API const char *detour_error_text(enum detour_error error);

/* Bytes that belong to somebody else. ptr NULL: there is none, which is not the same as an empty
 * one. For printf: "%.*s" with DETOUR_TEXT_ARG. */
struct detour_text {
    const char *ptr;
    size_t len;
};

#define DETOUR_TEXT_ARG(text) (int)(text).len, (text).ptr

/* Of a text with a NUL at its end; NULL gives none. */
static inline struct detour_text detour_text_of(const char *cstring)
{
    struct detour_text text;
    text.ptr = cstring;
    text.len = cstring != NULL ? strlen(cstring) : 0;
    return text;
}

/* ---- URLs ---- */

/* A URL as browsers read it: parsed, resolved and written again by the WHATWG standard
 * (https://url.spec.whatwg.org/). That differs from RFC 3986 in what is no URI there: a backslash
 * counts as a slash, tabs and line ends are taken out, characters beyond ASCII are encoded, hosts
 * become lower-case ASCII (UTS 46), "0x7f.1" is 127.0.0.1, and a default port goes. All texts point
 * into one piece of memory that lives as long as the structure. */
struct detour_url {
    struct detour_text href;     /* all of it */
    struct detour_text target;   /* href without its fragment: the target URI (7.1) */
    struct detour_text origin;   /* "https://example.com:8443"; "null" but for http and https */
    struct detour_text scheme;   /* "https" */
    struct detour_text username; /* ptr NULL: none, percent-encoded as all that follows */
    struct detour_text password;
    struct detour_text authority; /* host [":" port], as Host and :authority want it (7.2) */
    struct detour_text host;      /* an IPv6 address in brackets; ptr NULL: none */
    int32_t port;                 /* the scheme's own when none is written; -1: it has none */
    struct detour_text path;
    struct detour_text query;          /* without '?'; ptr NULL: none */
    struct detour_text fragment;       /* without '#'; ptr NULL: none */
    struct detour_text request_target; /* path ["?" query], the origin-form; empty when there is no
                                          host */
};

/* Resolves text against base; base NULL: text must be absolute. The URL is the caller's, who frees
 * it. DETOUR_ERROR_SYNTAX: not a URL. DETOUR_ERROR_LIMIT: longer than DETOUR_URL_BYTES_MAX. */
DETOUR_API enum detour_error detour_url_new(struct detour_text text, const struct detour_url *base,
                                            struct detour_url **out);
/* Accepts a pointer to NULL, and leaves NULL behind. */
DETOUR_API void detour_url_free(struct detour_url **url);
/* Scheme, host and port are the same (4.3.1). URLs that are neither http nor https have no origin
 * that another could share. */
DETOUR_API bool detour_url_same_origin(const struct detour_url *a, const struct detour_url *b);

/* ---- Requests and answers ---- */

/* One field line. The value is without the space around it. */
struct detour_field {
    struct detour_text name;
    struct detour_text value;
    uint32_t flags;  /* DETOUR_FIELD_… */
    uint32_t unused; /* 0 */
};

/* Of a request's field: a secret, not for another origin than that of the first request.
 * Authorization, Cookie and Proxy-Authorization are secret without being marked. */
#define DETOUR_FIELD_SENSITIVE 1u

/* Whether the content of a request can be sent once more. */
enum detour_body {
    DETOUR_BODY_NONE = 0,   /* the request has no content */
    DETOUR_BODY_REPLAYABLE, /* it is in memory, or in a file that can be read again */
    DETOUR_BODY_ONCE,       /* it comes out of a pipe: what was sent is gone */
};

struct detour_request {
    size_t size;               /* sizeof(struct detour_request) */
    struct detour_text method; /* with case: "GET" */
    struct detour_text url;    /* absolute; to begin with it may have a fragment */
    const struct detour_field *fields;
    size_t field_count;
    enum detour_body body;
};

struct detour_answer {
    size_t size; /* sizeof(struct detour_answer) */
    uint16_t status;
    const struct detour_field *fields; /* of the head; lines of one name in the order they came */
    size_t field_count;
    /* Whether any byte of the request's content has left. False while `Expect: 100-continue`
     * still waits: then a body that can be sent once can go to the next target. */
    bool body_begun;
    /* It came out of a store (detour/store.h), not from the network. */
    bool from_store;
    /* When it came, and when the request was sent, in seconds since 1970. 0 for received: nobody
     * knows, and nothing is said about freshness and dates. 0 for requested: as received. */
    int64_t received_s;
    int64_t requested_s;
};

/* ---- Options ---- */

/* Whose rules. What is not in this table is the same in both.
 *
 *                                BROWSER (WHATWG Fetch)           RFC (RFC 9110)
 *   300, and 3xx that nobody     is delivered                     followed when it has a
 *   knows (15)                                                    Location and the method is
 *                                                                 safe (15.4.1)
 *   301 and 302 to a POST        becomes GET                      stays POST (15.4.2: MAY change)
 *   userinfo in a Location       taken away, with a note          refused (4.2.4)
 *   no host ("http:///x",        read as WHATWG does: the next    refused (4.2.1)
 *   "http:g")                    segment is the host, or the
 *                                base's is
 *   a loop                       a note; ends at redirects_max    refused at once (15.4)
 *   Retry-After                  a note                           to be waited for: next->wait_s
 *   Referer                      by Referrer-Policy, of which     kept; never from https to http
 *                                strict-origin-when-cross-origin  (10.1.3)
 *                                is the default
 *   If-None-Match,               kept                             dropped from GET and HEAD: they
 *   If-Modified-Since                                             are about the old URL (15.4)
 */
enum detour_mode {
    DETOUR_MODE_BROWSER = 0,
    DETOUR_MODE_RFC,
};

/* Bits of detour_options.schemes. There are no others: file:, data:, javascript: and all the rest
 * are never followed. */
#define DETOUR_SCHEME_HTTP 1u
#define DETOUR_SCHEME_HTTPS 2u

struct detour_options {
    size_t size;
    enum detour_mode mode;  /* BROWSER */
    uint32_t redirects_max; /* 20: the 21st is an error; 0: the first is; at most
                               DETOUR_REDIRECTS_MAX */
    uint32_t schemes;       /* both; applies to the first URL too */
    bool location_trusted;  /* false; true: secrets go to other origins, too */
    bool allow_downgrade;   /* true; false: https to http is refused */
    bool follow_unsafe;     /* true; false: a redirect that would send a method again that is not
                               safe (9.2.1) is delivered, for a person to say (15.4) */
    bool auto_referer;      /* false; true: Referer is the URL that redirected */
    bool shared_cache;      /* false; true: freshness is told as for a shared cache */
};

/* Sets size, and the defaults above, in as many members as the caller has. */
DETOUR_API void detour_options_init(struct detour_options *options, size_t size);

/* ---- Verdicts ---- */

enum detour_action {
    DETOUR_BEGIN = 0, /* send the first request, as next gives it */
    DETOUR_FOLLOW,    /* send next: the redirect is followed */
    DETOUR_REPEAT,    /* send next: the same once more without Expect, which got 417 (10.1.1) */
    DETOUR_INTERIM,   /* this was 1xx: go on reading, the answer is still to come (15.2) */
    DETOUR_DELIVER,   /* this answer is the one; reason says why where that could surprise */
    DETOUR_REFUSE,    /* an error; reason says which */
};

/* Why an answer is delivered, though its status has a redirect's number, or why not followed.
 * detour_reason_name gives "too-many", for programs, detour_reason_text a sentence. */
enum detour_reason {
    DETOUR_REASON_NONE = 0,
    /* with DETOUR_DELIVER */
    DETOUR_REASON_NO_LOCATION,    /* "no-location" */
    DETOUR_REASON_NOT_FOLLOWED,   /* "not-followed": 304, 305, 306; 300 in browser mode */
    DETOUR_REASON_UNSAFE,         /* "unsafe": follow_unsafe is false */
    DETOUR_REASON_STATUS_INVALID, /* "status-invalid": outside of 100 to 599; as 5xx (15) */
    /* with DETOUR_REFUSE */
    DETOUR_REASON_TOO_MANY,         /* "too-many": more than redirects_max */
    DETOUR_REASON_LOOP,             /* "loop": method, URL and cookies were there before */
    DETOUR_REASON_URL_INVALID,      /* "url-invalid": Location, or the first URL, is none */
    DETOUR_REASON_NO_HOST,          /* "no-host" (4.2.1, 4.2.2) */
    DETOUR_REASON_LOCATIONS_DIFFER, /* "locations-differ": several, and nobody says which */
    DETOUR_REASON_SCHEME,           /* "scheme": not one of options.schemes */
    DETOUR_REASON_DOWNGRADE,        /* "downgrade": https to http, and that is not allowed */
    DETOUR_REASON_USERINFO,         /* "userinfo": in a Location, in RFC mode (4.2.4) */
    DETOUR_REASON_BODY_SPENT,       /* "body-spent": the body can be sent only once, and was begun;
                                       told before a second sending begins */
    DETOUR_REASON_FIELD_INVALID,    /* "field-invalid": CR, LF or NUL in a value, or a name that is
                                       no token (5.5) */
    DETOUR_REASON_METHOD_INVALID,   /* "method-invalid": no token, or CONNECT */
    DETOUR_REASON_LIMIT,            /* "limit": a maximum of this header */
    DETOUR_REASON_INTERIM,          /* "interim": more than DETOUR_INTERIM_MAX answers of 1xx */
};

/* What happened, for a person. subject and detail are given for each kind in brackets.
 * detour_note_name gives "method-changed", detour_note_write a sentence. */
enum detour_note_kind {
    DETOUR_NOTE_NONE = 0,
    DETOUR_NOTE_TEMPORARY,           /* keep using the old URL (15.4.8); number: the status */
    DETOUR_NOTE_PERMANENT,           /* use the new URL from now on; number: the status */
    DETOUR_NOTE_METHOD_CHANGED,      /* [old method, new method] */
    DETOUR_NOTE_BODY_DROPPED,        /* the next request has no content */
    DETOUR_NOTE_BODY_RESENT,         /* the content goes to the next target, too */
    DETOUR_NOTE_UNSAFE_RESENT,       /* [method] is not safe, and is sent again */
    DETOUR_NOTE_FIELD_DROPPED,       /* [field name], because */
    DETOUR_NOTE_FIELD_SET,           /* [field name, new value], because */
    DETOUR_NOTE_CREDENTIALS_DROPPED, /* [field name, next origin]: for the rest of the chain */
    DETOUR_NOTE_CREDENTIALS_SENT,    /* [field name, next origin]: to another origin, as
                                        location_trusted says */
    DETOUR_NOTE_SECRET_SENT,    /* [field name, next origin]: its name sounds like a secret, but it
                                   was not marked */
    DETOUR_NOTE_ORIGIN_CHANGED, /* [old origin, next origin] */
    DETOUR_NOTE_DOWNGRADE,      /* [old origin, next origin]: https to http */
    DETOUR_NOTE_UPGRADE,        /* [old origin, next origin]: http to https */
    DETOUR_NOTE_USERINFO_DROPPED,   /* [host]: credentials that stood in a URL were taken out */
    DETOUR_NOTE_FRAGMENT_INHERITED, /* [fragment]: Location has none (10.2.2) */
    DETOUR_NOTE_FRAGMENT_CROSSED,   /* [fragment, next origin]: the same, and another origin gets to
                                       see it; an empty one in Location prevents that (17.11) */
    DETOUR_NOTE_RETRY_AFTER,        /* number: seconds to wait before following (10.2.3) */
    DETOUR_NOTE_LOOP,               /* [method, URL] were requested before with the same cookies;
                                       number: by which request, from 0 */
    DETOUR_NOTE_LOCATIONS_REPEATED, /* several Locations, all the same */
    DETOUR_NOTE_LOCATION_MISSING,   /* a status that redirects, without Location */
    DETOUR_NOTE_LOCATION_MENDED, /* [Location]: no URI reference (RFC 3986); read as WHATWG does */
    DETOUR_NOTE_LOCATION_EMPTY,  /* Location is empty, which means: here */
    DETOUR_NOTE_STATUS_AS_300,   /* number: a status nobody knows, treated as 300 (15) */
    DETOUR_NOTE_STATUS_RETIRED,  /* number: 305 or 306, never followed (15.4.6, 15.4.7) */
    DETOUR_NOTE_CACHEABLE,   /* number: until when, in seconds since 1970; INT64_MAX: for good */
    DETOUR_NOTE_CACHE_GUESS, /* `public` without a lifetime: a cache may keep a temporary
                                redirect as long as it likes (RFC 9111, 4.2.2) */
    DETOUR_NOTE_FROM_STORE,  /* number: its age in seconds */
};

/* Why a field was dropped or set. */
enum detour_because {
    DETOUR_BECAUSE_NONE = 0,
    DETOUR_BECAUSE_ORIGIN,  /* a secret, and the next origin is another */
    DETOUR_BECAUSE_CONTENT, /* it describes content, and there is none any more (15.4) */
    DETOUR_BECAUSE_HOP,     /* it belongs to one connection (7.6.1) */
    DETOUR_BECAUSE_PROXY,   /* it belongs to the proxy; who speaks to one sets it anew */
    DETOUR_BECAUSE_TARGET,  /* it follows from the URL: Host, and validators of the old one */
    DETOUR_BECAUSE_SECURE,  /* Referer from https to http (10.1.3) */
    DETOUR_BECAUSE_POLICY,  /* Referer, by Referrer-Policy */
    DETOUR_BECAUSE_PRIVATE, /* Referer without userinfo and fragment (10.1.3) */
    DETOUR_BECAUSE_REFERER, /* Referer, by auto_referer */
    DETOUR_BECAUSE_TAINTED, /* Origin is "null" after a way through another origin (Fetch) */
    DETOUR_BECAUSE_EXPECT,  /* Expect without content, or after 417 (10.1.1) */
};

/* Never changes its size: it stands in arrays. */
struct detour_note {
    enum detour_note_kind kind;
    enum detour_because because;
    struct detour_text subject; /* ptr NULL: none */
    struct detour_text detail;
    int64_t number;
};

/* How long an answer may be used again (RFC 9111, 3 and 4.2), as a cache that takes no liberties
 * sees it: a temporary redirect only when told, for as long as told; a permanent one without a
 * lifetime until it is forgotten. */
enum detour_cache {
    DETOUR_CACHE_UNKNOWN = 0,   /* "unknown": received_s was 0 */
    DETOUR_CACHE_FRESH,         /* "fresh": until fresh_until_s */
    DETOUR_CACHE_STALE,         /* "stale": it said a lifetime, which is over, or is invalid */
    DETOUR_CACHE_NOT_TOLD,      /* "not-told": its status may not be kept without a lifetime */
    DETOUR_CACHE_METHOD,        /* "method": the request was neither GET nor HEAD */
    DETOUR_CACHE_NO_STORE,      /* "no-store": it, or the request, forbids it */
    DETOUR_CACHE_NO_CACHE,      /* "no-cache": only after asking again */
    DETOUR_CACHE_PRIVATE,       /* "private": not for a shared cache */
    DETOUR_CACHE_AUTHORIZATION, /* "authorization": the same (RFC 9111, 3.5) */
    DETOUR_CACHE_VARY,          /* "vary": Vary is "*", or longer than can be kept */
    DETOUR_CACHE_STATUS,        /* "status": not one of a redirect; nothing is said about others */
};

struct detour_freshness {
    enum detour_cache cache;
    /* The rest is for DETOUR_CACHE_FRESH and DETOUR_CACHE_STALE. */
    int64_t age_s;         /* when it came (RFC 9111, 4.2.3) */
    int64_t lifetime_s;    /* INT64_MAX: no end */
    int64_t fresh_until_s; /* seconds since 1970; INT64_MAX: no end */
};

/* The request to send. */
struct detour_next {
    /* Method, URL (the target URI: no fragment), all fields that are left of those of the first
     * request, and the body. Host is not among the fields: url->authority is its value. */
    const struct detour_request *request;
    const struct detour_url *url; /* the same, taken apart, and with the fragment */
    uint32_t number;              /* 0 for the first request */
    /* Whether what the caller adds on its own (a password, an entry of netrc, a client
     * certificate) may go along: no more once the chain has left the first origin. A cookie
     * jar knows by itself where its cookies belong. */
    bool credentials;
    bool permanent; /* 301, 308: the caller may replace the old URL by this one */
    int64_t wait_s; /* seconds to wait first; 0 in browser mode */
};

/* Lives until the next call with this chain. */
struct detour_verdict {
    enum detour_action action;
    enum detour_reason reason;
    const struct detour_next *next; /* NULL but for BEGIN, FOLLOW and REPEAT */
    /* Location, as it came, and resolved as far as it could be: for a refusal, too. NULL: none,
     * or this is no redirect. It may have userinfo, and any scheme: to be shown, not to be used. */
    struct detour_text location;
    const struct detour_url *resolved;
    const struct detour_freshness *freshness; /* of the answer; NULL where none was judged */
    const struct detour_note *notes;
    size_t note_count;
};

/* Names for programs, which do not change; and sentences for people, which may. Never NULL, also
 * for values that this version does not know. */
DETOUR_API const char *detour_action_name(enum detour_action action);
DETOUR_API const char *detour_reason_name(enum detour_reason reason);
DETOUR_API const char *detour_reason_text(enum detour_reason reason);
DETOUR_API const char *detour_note_name(enum detour_note_kind kind);
DETOUR_API const char *detour_because_name(enum detour_because because);
DETOUR_API const char *detour_because_text(enum detour_because because);
DETOUR_API const char *detour_cache_name(enum detour_cache cache);
DETOUR_API const char *detour_cache_text(enum detour_cache cache);

/* Writes the note as one sentence without a full stop, as snprintf does: at most size bytes with
 * the NUL, and gives the length of the whole. Bytes that a terminal could take for commands are
 * written as '?'. */
DETOUR_API size_t detour_note_write(const struct detour_note *note, char *out, size_t size);

/* ---- Chains ---- */

/* From one request to the answer that is delivered: it holds where the chain has been, what may no
 * longer be sent, and whether the body has been used up. What was dropped stays dropped: a way from
 * a over b back to a brings no secret back. */
struct detour_chain;

/* The options are copied; NULL: the defaults. DETOUR_ERROR_USAGE: one is out of range. */
DETOUR_API enum detour_error detour_chain_new(const struct detour_options *options,
                                              struct detour_chain **out);
/* Accepts a pointer to NULL, and leaves NULL behind. */
DETOUR_API void detour_chain_free(struct detour_chain **chain);

/* Takes the request that starts it all; what the chain knew from before is forgotten. The verdict
 * is DETOUR_BEGIN, with the request as it is to be sent: without fragment and userinfo in the URL
 * and in Referer, without Host (an own one would be wrong for every other URL), without `Expect:
 * 100-continue` when there is no content. Or DETOUR_REFUSE. */
DETOUR_API enum detour_error detour_chain_begin(struct detour_chain *chain,
                                                const struct detour_request *request,
                                                const struct detour_verdict **out);
/* Takes the answer to the request that was given last. Content is none of its concern: a redirect's
 * is to be thrown away unread and undecoded. DETOUR_ERROR_USAGE: none is awaited. */
DETOUR_API enum detour_error detour_chain_answer(struct detour_chain *chain,
                                                 const struct detour_answer *answer,
                                                 const struct detour_verdict **out);

/* One request of the chain. Texts live until the chain is begun anew or freed. */
struct detour_hop {
    struct detour_text method;
    struct detour_text url; /* with its fragment */
    uint16_t status;        /* 0: not answered yet */
    bool from_store;
};

/* The first is what was asked for; a file is to be named after that, not after what a redirect
 * chose. */
DETOUR_API size_t detour_chain_hop_count(const struct detour_chain *chain);
/* index < the count; lives until the next call with this chain. NULL: there is no such hop. */
DETOUR_API const struct detour_hop *detour_chain_hop(const struct detour_chain *chain,
                                                     size_t index);

/* ---- What else a client has to know ---- */

/* GET, HEAD, OPTIONS and TRACE (9.2.1). */
DETOUR_API bool detour_method_is_safe(struct detour_text method);
/* The safe ones, PUT and DELETE (9.2.2). No other is to be sent again by a client itself, when the
 * connection was lost before an answer came. */
DETOUR_API bool detour_method_is_idempotent(struct detour_text method);
/* 301, 302, 303, 307, 308. */
DETOUR_API bool detour_status_redirects(uint16_t status);

/* What to do with an upload when its answer is there before its end. */
enum detour_upload {
    DETOUR_UPLOAD_GO_ON = 0, /* send the rest (7.5) */
    DETOUR_UPLOAD_STOP, /* send nothing more; the answer counts. In HTTP/1 the connection ends */
};

/* http_version: 10, 11, 20 or 30. peer_stopped: the other end asked for no more, by RST_STREAM with
 * NO_ERROR or STOP_SENDING with H3_NO_ERROR: the answer stands all the same (RFC 9113, 8.1; RFC
 * 9114, 4.1). In HTTP/1 the answer says whether the connection ends (RFC 9112, 9.5). */
DETOUR_API enum detour_upload detour_upload_advice(const struct detour_answer *answer,
                                                   int http_version, bool peer_stopped);

#ifdef __cplusplus
}
#endif

#endif
