/* SPDX-License-Identifier: MIT */
/* Text to 128-bit addresses by inet_pton, and prefix comparison. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>

/* ::ffff:0:0/96 (RFC 4291, 2.5.5.2). */
static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

bool address_is_v4(const uint8_t address[16])
{
    return memcmp(address, v4_mapped, sizeof(v4_mapped)) == 0;
}

void address_from_v4(const uint8_t v4[4], uint8_t out[16])
{
    memcpy(out, v4_mapped, sizeof(v4_mapped));
    memcpy(out + sizeof(v4_mapped), v4, 4);
}

bool address_parse(struct span text, uint8_t out[16])
{
    char copy[address_text_max];
    struct in_addr v4;
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, 0, text.len) != NULL) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        address_from_v4((const uint8_t *)&v4, out);
        return true;
    }
    struct in6_addr v6;
    if (inet_pton(AF_INET6, copy, &v6) != 1) {
        return false;
    }
    memcpy(out, &v6, 16);
    return true;
}

size_t address_format(const uint8_t address[16], char out[address_text_max])
{
    bool v4 = address_is_v4(address);
    const void *from = v4 ? address + sizeof(v4_mapped) : address;
    if (inet_ntop(v4 ? AF_INET : AF_INET6, from, out, address_text_max) == NULL) {
        out[0] = 0;
    }
    return strlen(out);
}

bool cidr_holds(const struct cidr *cidr, const uint8_t address[16])
{
    size_t whole = cidr->prefix_bits / 8;
    unsigned rest = cidr->prefix_bits % 8;
    if (memcmp(cidr->address, address, whole) != 0) {
        return false;
    }
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return rest == 0 || ((cidr->address[whole] ^ address[whole]) & mask) == 0;
}

bool cidr_any_holds(const struct cidr *list, size_t count, const uint8_t address[16])
{
    for (size_t i = 0; i < count; i++) {
        if (cidr_holds(&list[i], address)) {
            return true;
        }
    }
    return false;
}

static bool host_bits_clear(const struct cidr *cidr)
{
    for (unsigned bit = cidr->prefix_bits; bit < 128; bit++) {
        if (cidr->address[bit / 8] & (0x80u >> (bit % 8))) {
            return false;
        }
    }
    return true;
}

bool cidr_parse(struct span text, struct cidr *out)
{
    struct cidr cidr = {.prefix_bits = 128};
    size_t slash = span_find(text, 0, '/');
    if (!address_parse(span_slice(text, 0, slash), cidr.address)) {
        return false;
    }
    if (slash < text.len) {
        bool v4 = span_find(text, 0, ':') == text.len;
        uint64_t bits;
        if (!span_decimal(span_from(text, slash + 1), v4 ? 32 : 128, &bits)) {
            return false;
        }
        cidr.prefix_bits = (uint8_t)(v4 ? 96 + bits : bits);
    }
    if (!host_bits_clear(&cidr)) {
        return false;
    }
    *out = cidr;
    return true;
}
