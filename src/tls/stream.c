/* SPDX-License-Identifier: MIT */
/* One connection: the library's SSL between the span and the buffer of the current call. */
#include "tls/client.h"
#include "tls/internal.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>

static int take_cipher(BIO *bio, char *to, size_t room, size_t *taken)
{
    struct tls_stream *stream = BIO_get_data(bio);
    size_t len = room < stream->cipher.len ? room : stream->cipher.len;
    BIO_clear_retry_flags(bio);
    if (len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, stream->cipher.ptr, len);
    stream->cipher = span_from(stream->cipher, len);
    *taken = len;
    return 1;
}

static int put_cipher(BIO *bio, const char *from, size_t len, size_t *written)
{
    struct tls_stream *stream = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len > stream->out->cap - stream->out->len) {
        return -1;
    }
    buffer_put(stream->out, span_of(from, len));
    *written = len;
    return 1;
}

static long control_cipher(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *stream_bio_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "detour");
    if (method != NULL && BIO_meth_set_read_ex(method, take_cipher) == 1 &&
        BIO_meth_set_write_ex(method, put_cipher) == 1 &&
        BIO_meth_set_ctrl(method, control_cipher) == 1) {
        return method;
    }
    BIO_meth_free(method);
    return NULL;
}

bool stream_init(struct tls_stream *stream, BIO_METHOD *method, SSL_CTX *settings)
{
    BIO *bio = BIO_new(method);
    stream->ssl = SSL_new(settings);
    if (bio == NULL || stream->ssl == NULL || SSL_set_app_data(stream->ssl, stream) != 1) {
        BIO_free(bio);
        ERR_clear_error();
        return false;
    }
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    SSL_set_bio(stream->ssl, bio, bio);
    return true;
}

struct tls_stream *tls_stream_new(struct tls_context *context, bool http2)
{
    struct tls_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    stream->context = tls_context_hold(context);
    stream->http2 = http2;
    if (stream_init(stream, context->bio, context->groups[0].ssl)) {
        SSL_set_accept_state(stream->ssl);
    } else {
        tls_stream_free(&stream);
    }
    return stream;
}

void tls_stream_free(struct tls_stream **owner)
{
    struct tls_stream *stream = *owner;
    *owner = NULL;
    if (stream == NULL) {
        return;
    }
    if (stream->client != NULL && stream->ssl != NULL && stream->failure == NULL) {
        /* Else the library takes the session for one that must not be continued. */
        SSL_set_shutdown(stream->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(stream->ssl);
    tls_context_free(&stream->context);
    tls_client_free(&stream->client);
    free(stream);
}

/* Of a server's certificate the library knows more than its error says. */
static const char *reason_of(const struct tls_stream *stream)
{
    bool verifies = stream->client != NULL && SSL_get_verify_mode(stream->ssl) != SSL_VERIFY_NONE;
    long verdict = verifies ? SSL_get_verify_result(stream->ssl) : X509_V_OK;
    return verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                                : ERR_reason_error_string(ERR_peek_error());
}

static enum tls_result fail(struct tls_stream *stream)
{
    const char *why = reason_of(stream);
    stream->failure = why != NULL ? why : "more to be sent than there is room for";
    ERR_clear_error();
    return TLS_FAILED;
}

/* What the library's refusal to read means. */
static enum tls_result stopped(struct tls_stream *stream)
{
    switch (SSL_get_error(stream->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        return TLS_OK;
    case SSL_ERROR_ZERO_RETURN:
        stream->closed = true;
        return TLS_CLOSED;
    default:
        return fail(stream);
    }
}

static enum tls_result read_all(struct tls_stream *stream, struct buffer *plain)
{
    do {
        size_t len = 0;
        if (SSL_read_ex(stream->ssl, plain->ptr + plain->len, plain->cap - plain->len, &len) != 1) {
            return stopped(stream);
        }
        plain->len += len;
    } while (stream->cipher.len > 0 || SSL_has_pending(stream->ssl));
    return TLS_OK;
}

enum tls_result tls_receive(struct tls_stream *stream, struct span cipher, struct buffer *plain,
                            struct buffer *out)
{
    assert(stream->failure == NULL);
    assert(plain->cap - plain->len >= cipher.len + tls_plain_extra);
    if (stream->closed) {
        return TLS_CLOSED;
    }
    /* What is left in the queue from elsewhere would be taken for a failure of this call. */
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
    stream->cipher = cipher;
    stream->out = out;
    enum tls_result result = read_all(stream, plain);
    stream->established = stream->established || SSL_is_init_finished(stream->ssl);
    return result;
}

enum tls_result tls_send(struct tls_stream *stream, struct span plain, struct buffer *out)
{
    size_t written;
    assert(stream->established && !stream->close_sent);
    assert(out->cap - out->len >= tls_sealed_bytes_max(plain.len));
    if (stream->failure != NULL) {
        return TLS_FAILED;
    }
    if (plain.len == 0) {
        return TLS_OK;
    }
    stream->out = out;
    return SSL_write_ex(stream->ssl, plain.ptr, plain.len, &written) == 1 ? TLS_OK : fail(stream);
}

void tls_close(struct tls_stream *stream, struct buffer *out)
{
    if (!stream->established || stream->failure != NULL || stream->close_sent) {
        return;
    }
    assert(out->cap - out->len >= tls_close_bytes_max);
    stream->out = out;
    stream->close_sent = true;
    SSL_shutdown(stream->ssl);
    ERR_clear_error();
}

bool tls_established(const struct tls_stream *stream)
{
    return stream->established;
}

bool tls_resumed(const struct tls_stream *stream)
{
    return SSL_session_reused(stream->ssl) == 1;
}

const char *tls_failure(const struct tls_stream *stream)
{
    return stream->failure;
}

enum tls_alpn tls_alpn(const struct tls_stream *stream)
{
    return stream->alpn;
}

bool tls_misdirected(const struct tls_stream *stream, struct span text)
{
    const struct tls_context *context = stream->context;
    if (!stream->named || context->group_count == 1) {
        return false;
    }
    struct host host = host_fold(text);
    uint32_t group = context_find(context, &host);
    return group != group_none && group != stream->group &&
           !names_cover(&context->groups[stream->group].names, &host);
}
