/* SPDX-License-Identifier: MIT */
/* PEM to DER, and what can be said of a certificate without serving it. */
#include "tls/certificate.h"

#include "tls/internal.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <time.h>

struct tls_certificate {
    struct names names;
    int kind;
    int64_t from_s;
    int64_t until_s;
    int64_t ocsp_until_s;
    struct tls_pair pair; /* each a malloc of its own */
};

enum { chain_length_max = 16 };

static enum err refuse(struct tls_fault *fault, enum tls_part part, const char *reason)
{
    *fault = (struct tls_fault){.part = part, .reason = reason};
    return ERR_SYNTAX;
}

/* All certificates of the text, as DER, one after the other. Gives how many. */
static int append_certificates(BIO *text, struct buffer *out)
{
    int count = 0;
    X509 *x;
    while (count <= chain_length_max && (x = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL) {
        int len = i2d_X509(x, NULL);
        unsigned char *room = len > 0 ? buffer_reserve(out, (size_t)len) : NULL;
        if (room != NULL) {
            i2d_X509(x, &room);
        }
        X509_free(x);
        count++;
    }
    return count;
}

/* A PEM reader that has come to the end of the text leaves this error. */
static bool ended_well(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static enum err read_chain(struct span pem, struct span *out, struct tls_fault *fault)
{
    static const enum tls_part part = TLS_PART_CERTIFICATE;
    uint8_t *room = malloc(tls_chain_bytes_max);
    BIO *text = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    if (room == NULL || text == NULL) {
        free(room);
        BIO_free(text);
        return ERR_MEMORY;
    }
    struct buffer der = buffer_over(room, tls_chain_bytes_max);
    ERR_clear_error();
    int count = append_certificates(text, &der);
    bool whole = ended_well();
    ERR_clear_error();
    BIO_free(text);
    enum err err = ERR_NONE;
    if (count == 0 && whole) {
        err = refuse(fault, part, "there is no \"BEGIN CERTIFICATE\" in it; a PEM file is wanted");
    } else if (der.full || count > chain_length_max) {
        err = refuse(fault, part,
                     "the chain has more than 16 certificates or 32 KiB; leave out "
                     "those that do not lead to the root");
    } else if (!whole) {
        err = refuse(fault, part, "one of its certificates is damaged");
    } else {
        *out = span_copy(buffer_span(&der));
        err = out->ptr == NULL ? ERR_MEMORY : ERR_NONE;
    }
    free(room);
    return err;
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *room, int size, int writing, void *asked)
{
    *(bool *)asked = true;
    return -1;
}

static enum err read_key(struct span pem, struct span *out, struct tls_fault *fault)
{
    bool asked = false;
    BIO *text = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key =
        text != NULL ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, &asked) : NULL;
    BIO_free(text);
    ERR_clear_error();
    if (asked) {
        EVP_PKEY_free(key);
        return refuse(fault, TLS_PART_KEY,
                      "it is encrypted, and nobody is there to type the passphrase; write it out "
                      "without one and let only this program read it");
    }
    uint8_t *der = NULL;
    int len = key != NULL ? i2d_PrivateKey(key, &der) : -1;
    EVP_PKEY_free(key);
    if (len <= 0 || len > tls_key_bytes_max) {
        ERR_clear_error();
        return refuse(fault, TLS_PART_KEY,
                      "there is no private key in it; a PEM file is wanted that has \"BEGIN "
                      "PRIVATE KEY\" or the like");
    }
    *out = span_copy(span_of(der, (size_t)len));
    OPENSSL_clear_free(der, (size_t)len);
    return out->ptr != NULL ? ERR_NONE : ERR_MEMORY;
}

static int64_t seconds_of(const ASN1_TIME *time, int64_t otherwise)
{
    struct tm parts;
    return time != NULL && ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : otherwise;
}

static int64_t ocsp_end(OCSP_RESPONSE *response)
{
    int64_t end = INT64_MAX;
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    for (int i = 0; basic != NULL && i < OCSP_resp_count(basic); i++) {
        ASN1_GENERALIZEDTIME *next = NULL;
        OCSP_single_get0_status(OCSP_resp_get0(basic, i), NULL, NULL, NULL, &next);
        int64_t this_end = seconds_of(next, INT64_MAX);
        end = this_end < end ? this_end : end;
    }
    OCSP_BASICRESP_free(basic);
    return end;
}

static enum err read_ocsp(struct span der, struct tls_certificate *out, struct tls_fault *fault)
{
    out->ocsp_until_s = INT64_MAX;
    if (der.len == 0) {
        return ERR_NONE;
    }
    if (der.len > tls_ocsp_bytes_max) {
        return refuse(fault, TLS_PART_OCSP, "it is larger than 16 KiB");
    }
    const unsigned char *at = der.ptr;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
    bool good = response != NULL && at == der.ptr + der.len &&
                OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
    if (good) {
        out->ocsp_until_s = ocsp_end(response);
    }
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    if (!good) {
        return refuse(fault, TLS_PART_OCSP,
                      "it is not a successful OCSP response in DER; make it anew with `openssl "
                      "ocsp -respout`");
    }
    out->pair.ocsp = span_copy(der);
    return out->pair.ocsp.ptr != NULL ? ERR_NONE : ERR_MEMORY;
}

static enum err match_key(const struct tls_certificate *c, const struct chain *chain,
                          struct tls_fault *fault)
{
    const unsigned char *at = c->pair.key.ptr;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)c->pair.key.len);
    bool matches = key != NULL && X509_check_private_key(chain->first, key) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return matches ? ERR_NONE
                   : refuse(fault, TLS_PART_KEY,
                            "it is not the key of the first certificate; if the chain stands the "
                            "other way round, put the server's own certificate first");
}

/* What the library would say when it is to be served: a key that is too short, a weak
 * signature. */
static enum err try_out(const struct tls_certificate *c, const struct chain *chain,
                        struct tls_fault *fault)
{
    struct tls_group group = {0};
    const char *reason = NULL;
    enum err err = group_add(&group, &c->pair, chain, &reason);
    group_fini(&group);
    return err == ERR_SYNTAX ? refuse(fault, TLS_PART_CERTIFICATE, reason) : err;
}

static enum err look(struct tls_certificate *c, struct tls_fault *fault)
{
    struct chain chain;
    enum err err = chain_init(&chain, c->pair.chain);
    if (err != ERR_NONE) {
        return refuse(fault, TLS_PART_CERTIFICATE, "it cannot be read");
    }
    c->from_s = seconds_of(X509_get0_notBefore(chain.first), INT64_MIN);
    c->until_s = seconds_of(X509_get0_notAfter(chain.first), INT64_MAX);
    c->kind = chain_kind(&chain);
    err = names_new(chain.first, &c->names);
    if (err == ERR_NONE) {
        err = match_key(c, &chain, fault);
    }
    if (err == ERR_NONE) {
        err = try_out(c, &chain, fault);
    }
    chain_fini(&chain);
    return err;
}

enum err tls_certificate_new(struct span certificate, struct span key, struct span ocsp,
                             struct tls_certificate **out, struct tls_fault *fault)
{
    struct tls_certificate *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_MEMORY;
    }
    enum err err = read_chain(certificate, &c->pair.chain, fault);
    if (err == ERR_NONE) {
        err = read_key(key, &c->pair.key, fault);
    }
    if (err == ERR_NONE) {
        err = look(c, fault);
    }
    if (err == ERR_NONE) {
        err = read_ocsp(ocsp, c, fault);
    }
    if (err != ERR_NONE) {
        tls_certificate_free(&c);
        return err;
    }
    *out = c;
    return ERR_NONE;
}

void tls_certificate_free(struct tls_certificate **certificate)
{
    struct tls_certificate *c = *certificate;
    *certificate = NULL;
    if (c == NULL) {
        return;
    }
    tls_wipe((void *)(uintptr_t)c->pair.key.ptr, c->pair.key.len);
    span_free(c->pair.chain);
    span_free(c->pair.key);
    span_free(c->pair.ocsp);
    names_free(&c->names);
    free(c);
}

struct tls_pair tls_certificate_pair(const struct tls_certificate *certificate)
{
    return certificate->pair;
}

int64_t tls_certificate_from_s(const struct tls_certificate *certificate)
{
    return certificate->from_s;
}

int64_t tls_certificate_until_s(const struct tls_certificate *certificate)
{
    return certificate->until_s;
}

int64_t tls_certificate_ocsp_until_s(const struct tls_certificate *certificate)
{
    return certificate->ocsp_until_s;
}

size_t tls_certificate_name_count(const struct tls_certificate *certificate)
{
    return certificate->names.count;
}

bool tls_certificate_covers(const struct tls_certificate *certificate, struct span text)
{
    struct host host = host_fold(text);
    return names_cover(&certificate->names, &host);
}

bool tls_certificate_repeats(const struct tls_certificate *certificate,
                             const struct tls_certificate *earlier)
{
    return certificate->kind == earlier->kind && names_eq(&certificate->names, &earlier->names);
}

enum err tls_ticket_key_new(struct tls_ticket_key *out)
{
    struct tls_ticket_key key;
    if (RAND_priv_bytes((unsigned char *)&key, sizeof(key)) != 1) {
        ERR_clear_error();
        return ERR_IO;
    }
    *out = key;
    return ERR_NONE;
}
