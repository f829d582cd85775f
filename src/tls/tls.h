/* SPDX-License-Identifier: MIT */
/* TLS 1.2 and 1.3 for servers, as a filter of bytes: ciphertext in, plaintext out, and
 * back. It knows no sockets and no clock but the one that the library reads to see how old
 * a ticket is. Only this folder names OpenSSL.
 *
 *   socket ──cipher──▶ tls_receive ──plain──▶ protocol
 *   socket ◀──out───── tls_receive, tls_send, tls_close ◀──plain── protocol
 *
 * What it offers: the suites of Mozilla's "intermediate" list without DHE, which costs the
 * server more than the client; X25519, P-256, P-384; one ticket for each handshake, sealed
 * with keys that all workers share; no session cache, no compression, no renegotiation (a
 * warning, RFC 5246, 7.2.2), no early data (skipped, RFC 8446, 4.2.10); ALPN h2 and
 * http/1.1, and a client that names neither is refused (RFC 7301, 3.2). One thread. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

/* One set of certificates and ticket keys; never changed. Each stream holds a reference,
 * so that a connection ends with what it began with. */
struct tls_context;
/* One connection. */
struct tls_stream;

enum {
    /* What one call of tls_receive may append to plain beside cipher.len: a record of which
     * all but the last byte came before. */
    tls_plain_extra = 17 * 1024,
    /* What one call of tls_receive may append to out: a handshake with the largest
     * certificate. A peer that provokes more than out has room for is failed. */
    tls_flight_bytes_max = 56 * 1024,
    /* What tls_close may append. */
    tls_close_bytes_max = 64,
};

/* Makes the library read and make what it keeps for the life of the process (its
 * configuration, algorithms, random state). To be called where files can still be opened;
 * what is made later opens none. */
void tls_init(void);

/* Makes a context of an encoded struct tls_material (tls/material.h); block may be wiped
 * afterwards. ERR_SYNTAX: it is damaged, has no certificate, or one that the library
 * refuses; *reason is a static text. ERR_MEMORY. */
enum err tls_context_new(struct span block, struct tls_context **out, const char **reason);
/* One more owner; gives the same context. */
struct tls_context *tls_context_hold(struct tls_context *context);
/* One owner less. Takes NULL, and nulls the caller's pointer. */
void tls_context_free(struct tls_context **owner);

enum tls_result {
    TLS_OK,
    TLS_CLOSED, /* close_notify came: what was appended to plain is the last */
    TLS_FAILED, /* out holds the alert, if there is one to send; nothing more can be said */
};

/* http2: whether ALPN offers h2. NULL: no memory. */
struct tls_stream *tls_stream_new(struct tls_context *context, bool http2);
/* Takes NULL. Sends nothing: see tls_close. */
void tls_stream_free(struct tls_stream **owner);

/* Takes all of cipher, in whatever pieces it arrives. Appends plaintext to plain, which
 * must have room for cipher.len + tls_plain_extra, and what is to be sent (handshake,
 * tickets, alerts) to out, which should have room for tls_flight_bytes_max. Plaintext may
 * come with any result. Must not be called after TLS_FAILED; after TLS_CLOSED it ignores
 * what comes. */
enum tls_result tls_receive(struct tls_stream *stream, struct span cipher, struct buffer *plain,
                            struct buffer *out);

/* Room that tls_send wants in out. */
static inline size_t tls_sealed_bytes_max(size_t plain_len)
{
    return plain_len + (plain_len / 16384 + 1) * 32 + 64;
}

/* Appends plain as records to out, which must have room for tls_sealed_bytes_max of it. The
 * handshake must be done (tls_established), and tls_close not yet called. An empty plain
 * appends nothing. TLS_OK or TLS_FAILED. */
enum tls_result tls_send(struct tls_stream *stream, struct span plain, struct buffer *out);

/* Appends close_notify, once; nothing before the handshake is done or after it failed. The
 * peer may go on sending (half-close, RFC 8446, 6.1): tls_receive works on. */
void tls_close(struct tls_stream *stream, struct buffer *out);

/* The handshake is done: tls_send may be called, tls_alpn is final. */
bool tls_established(const struct tls_stream *stream);
/* The handshake continued an earlier session by its ticket. */
bool tls_resumed(const struct tls_stream *stream);
/* Why it failed, in a few words; NULL if it did not. */
const char *tls_failure(const struct tls_stream *stream);

enum tls_alpn { TLS_ALPN_NONE, TLS_ALPN_HTTP11, TLS_ALPN_H2 };
enum tls_alpn tls_alpn(const struct tls_stream *stream);

/* Whether a request for this host (no port) on this connection is to be answered with 421
 * (RFC 9110, 15.5.20; RFC 9113, 9.1.1): another certificate serves the host, and the one that
 * was shown does not. Never for a client that sent no server name, since it would get the
 * same certificate again. */
bool tls_misdirected(const struct tls_stream *stream, struct span host);
