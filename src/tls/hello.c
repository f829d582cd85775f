/* SPDX-License-Identifier: MIT */
/* What is chosen when a ClientHello is read: the certificates, the protocol, the stapled
 * answer. */
#include "tls/internal.h"

static const unsigned char protocols[] = "\x02h2\x08http/1.1";
enum { h2_bytes = 3 };

/* The server name (RFC 6066, 3), which is a list of one; nothing: there is none. What is
 * damaged the library refuses later. */
static struct span server_name(SSL *ssl)
{
    enum { before = 5, host_bytes_max = 255 }; /* the list's length, the kind, the name's length */
    const unsigned char *at = NULL;
    size_t len = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &len) != 1 || len <= before ||
        len - before > host_bytes_max || at[2] != TLSEXT_NAMETYPE_host_name) {
        return (struct span){0};
    }
    return span_of(at + before, len - before);
}

int hello_begin(SSL *ssl, int *alert, void *unused)
{
    struct tls_stream *stream = stream_of(ssl);
    struct span name = server_name(ssl);
    stream->named = name.len > 0;
    struct host host = host_fold(name);
    uint32_t group = stream->named ? context_find(stream->context, &host) : group_none;
    stream->known = group != group_none;
    if (stream->known && group != stream->group) {
        if (SSL_set_SSL_CTX(ssl, stream->context->groups[group].ssl) == NULL) {
            *alert = SSL_AD_INTERNAL_ERROR;
            return SSL_CLIENT_HELLO_ERROR;
        }
        stream->group = group;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* A name that nobody has gets the first certificate, and no acknowledgement (RFC 6066, 3):
 * an alert would also hit clients that do not look at the name. */
int hello_name(SSL *ssl, int *alert, void *unused)
{
    return stream_of(ssl)->known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* A client that offers nothing we speak is refused, so that no other protocol's bytes end
 * up here (RFC 7301, 3.2). */
int hello_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
               const unsigned char *offered, unsigned offered_len, void *unused)
{
    struct tls_stream *stream = stream_of(ssl);
    const unsigned char *ours = stream->http2 ? protocols : protocols + h2_bytes;
    unsigned ours_len = (unsigned)(protocols + sizeof(protocols) - 1 - ours);
    unsigned char *found = NULL;
    unsigned char found_len = 0;
    if (SSL_select_next_proto(&found, &found_len, ours, ours_len, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    *chosen_len = found_len;
    stream->alpn = found_len == h2_bytes - 1 ? TLS_ALPN_H2 : TLS_ALPN_HTTP11;
    return SSL_TLSEXT_ERR_OK;
}

int hello_staple(SSL *ssl, void *from)
{
    const struct tls_group *group = from;
    X509 *shown = SSL_get_certificate(ssl);
    for (size_t i = 0; i < group->pair_count; i++) {
        struct span ocsp = group->pairs[i].ocsp;
        if (group->pairs[i].certificate != shown || ocsp.len == 0) {
            continue;
        }
        uint8_t *copy = OPENSSL_memdup(ocsp.ptr, ocsp.len);
        if (copy == NULL) {
            return SSL_TLSEXT_ERR_NOACK;
        }
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)ocsp.len);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}
