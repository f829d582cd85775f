/* SPDX-License-Identifier: MIT */
/* What is chosen when a ClientHello is read: the certificates, the protocol, the stapled
 * answer. */
#include "tls/internal.h"

static const unsigned char protocols[] = "\x02h2\x08http/1.1";
enum { h2_bytes = 3 };

/* A name that nobody has gets the first certificate, and no acknowledgement (RFC 6066, 3):
 * an alert would also hit clients that do not look at the name. */
int hello_name(SSL *ssl, int *alert, void *unused)
{
    struct tls_stream *stream = stream_of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == NULL) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    stream->named = true;
    struct host host = host_fold(span_cstr(name));
    uint32_t group = context_find(stream->context, &host);
    if (group == group_none) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    if (group != stream->group) {
        if (SSL_set_SSL_CTX(ssl, stream->context->groups[group].ssl) == NULL) {
            return SSL_TLSEXT_ERR_ALERT_FATAL;
        }
        stream->group = group;
    }
    return SSL_TLSEXT_ERR_OK;
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
        if (group->pairs[i].certificate != shown || group->pairs[i].ocsp_len == 0) {
            continue;
        }
        uint8_t *copy = OPENSSL_memdup(group->pairs[i].ocsp, group->pairs[i].ocsp_len);
        if (copy == NULL) {
            return SSL_TLSEXT_ERR_NOACK;
        }
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)group->pairs[i].ocsp_len);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}
