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

enum walk_failure failure_of(const struct walk *walk, CURLcode code)
{
    if (walk->out_of_memory) {
        return walk_failure_memory;
    }
    if (walk->too_long) {
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
    if (walk->too_long) {
        return "the head of the answer is too long";
    }
    if (walk->body_failed) {
        return "the content cannot be read, or has become shorter";
    }
    return walk->reason[0] != 0 ? walk->reason : curl_easy_strerror(code);
}
