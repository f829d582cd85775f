/* SPDX-License-Identifier: MIT */
/* Key and certificate are made, and go the way of those that an operator gave. */
#include "tls/self_signed.h"

#include "tls/certificate.h"

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

enum { month_s = 30 * 86400, day_s = 86400 };

static bool add_names(X509 *certificate)
{
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1,IP:::1,DNS:localhost");
    bool good = names != NULL && X509_add_ext(certificate, names, -1) == 1;
    X509_EXTENSION_free(names);
    return good;
}

/* It begins a day ago: clocks differ. */
static bool fill(X509 *certificate, EVP_PKEY *key)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    ASN1_INTEGER *serial = X509_get_serialNumber(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_int64(serial, (int64_t)time(NULL)) == 1 &&
           X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, subject) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -day_s) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), month_s) != NULL &&
           X509_set_pubkey(certificate, key) == 1 && add_names(certificate) &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

static enum err context_of(const struct tls_material *material, struct tls_context **out)
{
    const char *reason;
    size_t len = tls_material_bytes(material);
    uint8_t *memory = malloc(len);
    if (memory == NULL) {
        return ERR_MEMORY;
    }
    struct buffer block = buffer_over(memory, len);
    tls_material_encode(material, &block);
    assert(!block.full);
    enum err err = tls_context_new(buffer_span(&block), out, &reason);
    tls_wipe(memory, len);
    free(memory);
    return err;
}

static enum err with_ticket_key(const struct tls_pair *pair, struct tls_context **out)
{
    struct tls_material *material = calloc(1, sizeof(*material));
    if (material == NULL) {
        return ERR_MEMORY;
    }
    material->ticket_key_count = 1;
    material->pair_count = 1;
    material->pairs[0] = *pair;
    enum err err = tls_ticket_key_new(&material->ticket_keys[0]);
    if (err == ERR_NONE) {
        err = context_of(material, out);
    }
    tls_wipe(material, sizeof(*material));
    free(material);
    return err;
}

static enum err encode(const X509 *certificate, const EVP_PKEY *key, struct tls_context **out)
{
    unsigned char *certificate_der = NULL;
    unsigned char *key_der = NULL;
    enum err err = ERR_MEMORY;
    int certificate_len = i2d_X509(certificate, &certificate_der);
    int key_len = i2d_PrivateKey(key, &key_der);
    if (certificate_len > 0 && key_len > 0) {
        const struct tls_pair pair = {.chain = span_of(certificate_der, (size_t)certificate_len),
                                      .key = span_of(key_der, (size_t)key_len)};
        err = with_ticket_key(&pair, out);
    }
    OPENSSL_free(certificate_der);
    OPENSSL_clear_free(key_der, key_len > 0 ? (size_t)key_len : 0);
    return err;
}

enum err tls_self_signed(struct tls_context **out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    enum err err = ERR_MEMORY;
    if (key != NULL && certificate != NULL && fill(certificate, key)) {
        err = encode(certificate, key, out);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return err;
}
