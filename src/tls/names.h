/* SPDX-License-Identifier: MIT */
/* The host names that a certificate is for, and whether one of them covers a host. Private
 * to tls/. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <openssl/ssl.h>

enum {
    name_bytes_max = 253,   /* RFC 1035, 2.3.4, without the last dot */
    names_of_one_max = 512, /* of one certificate; the rest is not looked at */
};

/* Lower case, without a last dot, sorted, each once. */
struct names {
    size_t count;
    struct span *items; /* one allocation with the bytes */
};

/* The DNS names of the certificate's subjectAltName: a common name is no longer a host's
 * (RFC 9110, 4.3.4). None is no error. ERR_MEMORY. */
enum err names_new(X509 *certificate, struct names *out);
void names_free(struct names *names);
bool names_eq(const struct names *a, const struct names *b);

/* A host in the form of a name. */
struct host {
    size_t len; /* 0: no host name */
    uint8_t bytes[name_bytes_max];
};
struct host host_fold(struct span text);

/* The name that would cover the host by a wildcard of one whole label (RFC 9525, 6.3):
 * "*.example.com" for "www.example.com". False: there is none. */
bool host_wildcard(const struct host *host, struct host *out);

static inline struct span host_span(const struct host *host)
{
    return span_of(host->bytes, host->len);
}

int span_order(struct span a, struct span b);
bool names_cover(const struct names *names, const struct host *host);
