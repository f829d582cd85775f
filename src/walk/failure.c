/* SPDX-License-Identifier: MIT */
/* What libcurl says of a request that got no answer. */
#include "walk/internal.h"

const char *walk_failure_name(enum walk_failure failure)
{
    static const char *const names[] = {
        [walk_failure_none] = "none",       [walk_failure_resolve] = "resolve",
        [walk_failure_connect] = "connect", [walk_failure_tls] = "tls",
        [walk_failure_timeout] = "timeout", [walk_failure_closed] = "closed",
        [walk_failure_private] = "private", [walk_failure_protocol] = "protocol",
        [walk_failure_wait] = "wait",       [walk_failure_memory] = "memory",
        [walk_failure_other] = "other",
    };
    return (size_t)failure < sizeof(names) / sizeof(*names) ? names[failure] : "other";
}

static enum walk_failure of_code(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return walk_failure_none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return walk_failure_resolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return walk_failure_connect;
    case CURLE_OPERATION_TIMEDOUT:
        return walk_failure_timeout;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return walk_failure_closed;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_BAD_CONTENT_ENCODING:
        return walk_failure_protocol;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return walk_failure_tls;
    case CURLE_OUT_OF_MEMORY:
        return walk_failure_memory;
    default:
        return walk_failure_other;
    }
}

/* Whether libcurl has got a byte of an answer. */
static bool is_heard(const struct walk *walk)
{
    curl_off_t first_us = 0;
    curl_easy_getinfo(walk->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_us);
    return walk->sending && first_us > 0;
}

/* Of a line that is too long libcurl says that there is no memory for it. */
static bool is_too_long(const struct walk *walk, CURLcode code)
{
    return walk->too_long ||
           (code == CURLE_OUT_OF_MEMORY && walk->state != head_final && is_heard(walk));
}

static bool is_switched(const struct walk *walk)
{
    return walk->state == head_none && walk->interim_count > 0 &&
           walk->interim[walk->interim_count - 1].status == 101;
}

/* libcurl counts them as failures to read, and has no other sign for them than its text. */
static bool has_bad_chunks(const struct walk *walk, CURLcode code)
{
    return code == CURLE_RECV_ERROR && walk->state == head_final &&
           strstr(walk->reason, "chunked-encoding") != NULL;
}

enum walk_failure failure_of(const struct walk *walk, CURLcode code)
{
    if (walk->out_of_memory) {
        return walk_failure_memory;
    }
    if (is_too_long(walk, code) || is_switched(walk) || has_bad_chunks(walk, code)) {
        return walk_failure_protocol;
    }
    if (walk->refused_address && code == CURLE_COULDNT_CONNECT) {
        return walk_failure_private;
    }
    return of_code(code);
}

const char *failure_text(const struct walk *walk, CURLcode code)
{
    switch (failure_of(walk, code)) {
    case walk_failure_memory:
        return "out of memory";
    case walk_failure_private:
        return "the address is not public, and --no-private was given";
    default:
        break;
    }
    if (is_too_long(walk, code)) {
        return "the head of the answer is too long";
    }
    if (is_switched(walk)) {
        return "the answer is 101 (Switching Protocols), which nobody asked for";
    }
    if (has_bad_chunks(walk, code)) {
        return "the content is not sound: its chunks or trailers are bad, or too long";
    }
    if (walk->body_failed) {
        return "the content cannot be read, or has become shorter";
    }
    if (walk->sending && (code == CURLE_OK || code == CURLE_GOT_NOTHING)) {
        return walk->state == head_none && walk->interim_count == 0
                   ? "the connection ended without an answer"
                   : "the connection ended within the head of the answer";
    }
    return walk->reason[0] != 0 ? walk->reason : curl_easy_strerror(code);
}
