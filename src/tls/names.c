/* SPDX-License-Identifier: MIT */
/* Names out of a certificate, sorted, and the search among them. */
#include "tls/names.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

int span_order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
    return span_order(*(const struct span *)a, *(const struct span *)b);
}

struct host host_fold(struct span text)
{
    struct host host = {0};
    if (text.len > 0 && text.ptr[text.len - 1] == '.') {
        text.len--;
    }
    if (text.len > sizeof(host.bytes)) {
        return host;
    }
    for (size_t i = 0; i < text.len; i++) {
        host.bytes[i] = ascii_lower(text.ptr[i]);
    }
    host.len = text.len;
    return host;
}

bool host_wildcard(const struct host *host, struct host *out)
{
    size_t dot = span_find(host_span(host), 0, '.');
    if (dot == 0 || dot == host->len) {
        return false;
    }
    out->len = host->len - dot + 1;
    out->bytes[0] = '*';
    memcpy(out->bytes + 1, host->bytes + dot, host->len - dot);
    return true;
}

static struct span dns_name(const GENERAL_NAME *name)
{
    if (name->type != GEN_DNS) {
        return span_of(NULL, 0);
    }
    int len = ASN1_STRING_length(name->d.dNSName);
    return span_of(ASN1_STRING_get0_data(name->d.dNSName), len > 0 ? (size_t)len : 0);
}

static size_t without_repeats(struct span *items, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !span_eq(items[kept - 1], items[i])) {
            items[kept++] = items[i];
        }
    }
    return kept;
}

static enum err collect(const GENERAL_NAMES *list, struct names *out)
{
    int found = sk_GENERAL_NAME_num(list);
    size_t most = found > names_of_one_max ? names_of_one_max : (size_t)(found < 0 ? 0 : found);
    struct span *items = malloc(most * (sizeof(struct span) + name_bytes_max) + 1);
    if (items == NULL) {
        return ERR_MEMORY;
    }
    uint8_t *room = (uint8_t *)(items + most);
    size_t count = 0;
    for (size_t i = 0; i < most; i++) {
        struct host host = host_fold(dns_name(sk_GENERAL_NAME_value(list, (int)i)));
        if (host.len > 0) {
            memcpy(room, host.bytes, host.len);
            items[count++] = span_of(room, host.len);
            room += host.len;
        }
    }
    qsort(items, count, sizeof(*items), by_name);
    *out = (struct names){.items = items, .count = without_repeats(items, count)};
    return ERR_NONE;
}

enum err names_new(X509 *certificate, struct names *out)
{
    GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    if (list == NULL) {
        *out = (struct names){0};
        return ERR_NONE;
    }
    enum err err = collect(list, out);
    GENERAL_NAMES_free(list);
    return err;
}

void names_free(struct names *names)
{
    free(names->items);
    *names = (struct names){0};
}

bool names_eq(const struct names *a, const struct names *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!span_eq(a->items[i], b->items[i])) {
            return false;
        }
    }
    return true;
}

static bool has(const struct names *names, struct span name)
{
    return names->count > 0 &&
           bsearch(&name, names->items, names->count, sizeof(name), by_name) != NULL;
}

bool names_cover(const struct names *names, const struct host *host)
{
    struct host wildcard;
    return has(names, host_span(host)) ||
           (host_wildcard(host, &wildcard) && has(names, host_span(&wildcard)));
}
