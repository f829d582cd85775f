/* SPDX-License-Identifier: MIT */
/* TLS 1.2 and 1.3 to a server that is asked, with the same filter of bytes as tls/tls.h: only
 * how a stream begins differs. One thread.
 *
 * The server's certificate must be for the name that is expected (RFC 9110, 4.3.4) and lead to
 * one of the authorities. ALPN offers http/1.1. The newest session is kept and offered to the
 * next connection, so that most handshakes are short. */
#pragma once

#include "tls/tls.h"

/* Authorities that certificates are believed from. */
struct tls_trust;
/* One kind of server: whom to believe, and what it must be called. */
struct tls_client;

/* pem: certificates one after the other; what stands between them is no matter. ERR_SYNTAX:
 * there is none in it; ERR_MEMORY. */
enum err tls_trust_new(struct span pem, struct tls_trust **out);
/* Clients that were made with it go on. Takes NULL, and nulls the caller's pointer. */
void tls_trust_free(struct tls_trust **owner);

/* name: a host name, or an IP address without brackets, which is not sent as SNI (RFC 6066, 3).
 * trust: NULL: any certificate will do. ERR_MEMORY. */
enum err tls_client_new(struct tls_trust *trust, struct span name, struct tls_client **out);
/* One owner less; streams hold on to it. */
void tls_client_free(struct tls_client **owner);

/* A connection's stream. To begin, call tls_receive with nothing: it appends what is to be sent.
 * After TLS_FAILED tls_failure says why in words, also of a certificate. NULL: no memory. */
struct tls_stream *tls_stream_connect(struct tls_client *client);
