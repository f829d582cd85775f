/* SPDX-License-Identifier: MIT */
/* What an operator gave: the texts of a certificate's files, looked at before anything is
 * served with them. */
#pragma once

#include "base/error.h"
#include "tls/material.h"

/* A certificate, its chain and its key. */
struct tls_certificate;

/* Which of the files is meant. */
enum tls_part { TLS_PART_CERTIFICATE, TLS_PART_KEY, TLS_PART_OCSP };

struct tls_fault {
    enum tls_part part;
    const char *reason; /* what is wrong, and the mend if one is known; static text */
};

/* certificate: PEM, the server's own first, then those that lead to a root. key: PEM,
 * without a passphrase. ocsp: a DER response, or empty. ERR_SYNTAX: *fault; ERR_MEMORY. */
enum err tls_certificate_new(struct span certificate, struct span key, struct span ocsp,
                             struct tls_certificate **out, struct tls_fault *fault);
/* Overwrites the key. Takes NULL, and nulls the caller's pointer. */
void tls_certificate_free(struct tls_certificate **certificate);

/* What a material is filled with; lives as long as the certificate. */
struct tls_pair tls_certificate_pair(const struct tls_certificate *certificate);

/* Seconds since 1970. */
int64_t tls_certificate_from_s(const struct tls_certificate *certificate);
int64_t tls_certificate_until_s(const struct tls_certificate *certificate);
/* When the OCSP response is over; INT64_MAX: there is none, or it does not say. */
int64_t tls_certificate_ocsp_until_s(const struct tls_certificate *certificate);

/* Host names in its subjectAltName, which are all that is looked at. */
size_t tls_certificate_name_count(const struct tls_certificate *certificate);
/* Whether it is for this host: by its name, or by a wildcard of one label. A host that is
 * a wildcard itself ("*.example.com") is covered by the same wildcard. */
bool tls_certificate_covers(const struct tls_certificate *certificate, struct span host);
/* Whether both are for the same names with keys of the same kind, so that the later one is
 * never shown. */
bool tls_certificate_repeats(const struct tls_certificate *certificate,
                             const struct tls_certificate *earlier);

/* New keys for tickets, from the system's random numbers. ERR_IO: there are none. */
enum err tls_ticket_key_new(struct tls_ticket_key *out);
