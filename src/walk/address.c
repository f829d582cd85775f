/* SPDX-License-Identifier: MIT */
/* Addresses against the registries of RFC 6890. */
#include "walk/address.h"

#include "base/cidr.h"

#include <netinet/in.h>

struct block {
    uint8_t bytes[16];
    uint8_t bits;
};

static const struct block v4_apart[] = {
    {{0}, 8},            /* this network */
    {{10}, 8},           /* private (RFC 1918) */
    {{100, 64}, 10},     /* behind a carrier's NAT (RFC 6598) */
    {{127}, 8},          /* loopback */
    {{169, 254}, 16},    /* of a link; clouds keep their secrets there */
    {{172, 16}, 12},     /* private */
    {{192, 0, 0}, 24},   /* protocols */
    {{192, 0, 2}, 24},   /* documentation */
    {{192, 88, 99}, 24}, /* relays of 6to4, retired */
    {{192, 168}, 16},    /* private */
    {{198, 18}, 15},     /* benchmarks */
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24}, /* documentation */
    {{224}, 4},          /* groups */
    {{240}, 4},          /* reserved, and broadcast */
};

/* What is not in 2000::/3 is not given out at all (RFC 4291, 2.4). */
static const struct block v6_global = {{0x20}, 3};
static const struct block v6_apart[] = {
    {{0x20, 0x01}, 23},             /* protocols, Teredo, ORCHID */
    {{0x20, 0x01, 0x0D, 0xB8}, 32}, /* documentation */
    {{0x3F, 0xFF}, 20},             /* documentation (RFC 9637) */
};
static const struct block v6_nat64 = {{0, 0x64, 0xFF, 0x9B}, 96};
static const struct block v6_6to4 = {{0x20, 0x02}, 16};

static bool in_block(const struct block *block, const uint8_t *address)
{
    size_t whole = block->bits / 8;
    uint8_t mask = (uint8_t)(0xFF00 >> block->bits % 8);
    return memcmp(block->bytes, address, whole) == 0 &&
           (block->bits % 8 == 0 || ((block->bytes[whole] ^ address[whole]) & mask) == 0);
}

static bool in_any(const struct block *blocks, size_t count, const uint8_t *address)
{
    for (size_t i = 0; i < count; i++) {
        if (in_block(&blocks[i], address)) {
            return true;
        }
    }
    return false;
}

static bool v4_is_public(const uint8_t *address)
{
    return !in_any(v4_apart, sizeof(v4_apart) / sizeof(*v4_apart), address);
}

static bool v6_is_public(const uint8_t *address)
{
    if (address_is_v4(address) || in_block(&v6_nat64, address)) {
        return v4_is_public(address + 12);
    }
    if (in_block(&v6_6to4, address)) {
        return v4_is_public(address + 2);
    }
    return in_block(&v6_global, address) &&
           !in_any(v6_apart, sizeof(v6_apart) / sizeof(*v6_apart), address);
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return v4_is_public((const uint8_t *)&v4->sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        return v6_is_public(v6->sin6_addr.s6_addr);
    }
    return false;
}
