/* SPDX-License-Identifier: MIT */
/* Who guessed tokens, and how often within the last minute. */
#include "admin/internal.h"

#include "base/clock.h"

/* Who has one IPv6 address has a /64 of them. */
static void key_of(const uint8_t address[16], uint8_t key[16])
{
    static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(key, address, 16);
    if (memcmp(address, v4_mapped, sizeof(v4_mapped)) != 0) {
        memset(key + 8, 0, 8);
    }
}

static int64_t newest(const struct failure_address *item)
{
    return item->times_ns[(item->next + failures_max - 1) % failures_max];
}

static size_t place_of(const struct failures *failures, const uint8_t key[16])
{
    size_t at = 0;
    while (at < failure_addresses_max && (newest(&failures->items[at]) == 0 ||
                                          memcmp(failures->items[at].address, key, 16) != 0)) {
        at++;
    }
    return at;
}

static size_t oldest_place(const struct failures *failures)
{
    size_t oldest = 0;
    for (size_t i = 1; i < failure_addresses_max; i++) {
        if (newest(&failures->items[i]) < newest(&failures->items[oldest])) {
            oldest = i;
        }
    }
    return oldest;
}

uint32_t failures_wait_s(const struct failures *failures, const uint8_t address[16], int64_t now_ns)
{
    uint8_t key[16];
    key_of(address, key);
    size_t at = place_of(failures, key);
    if (at == failure_addresses_max) {
        return 0;
    }
    const struct failure_address *item = &failures->items[at];
    int64_t oldest = item->times_ns[item->next];
    if (oldest == 0 || newest(item) > now_ns || now_ns - oldest >= FAILURE_WINDOW_NS) {
        return 0;
    }
    int64_t left = FAILURE_WINDOW_NS - (now_ns - oldest);
    return (uint32_t)((left + NS_PER_SECOND - 1) / NS_PER_SECOND);
}

void failures_note(struct failures *failures, const uint8_t address[16], int64_t now_ns)
{
    uint8_t key[16];
    key_of(address, key);
    size_t at = place_of(failures, key);
    if (at == failure_addresses_max) {
        at = oldest_place(failures);
        failures->items[at] = (struct failure_address){0};
        memcpy(failures->items[at].address, key, sizeof(key));
    }
    struct failure_address *item = &failures->items[at];
    item->times_ns[item->next] = now_ns;
    item->next = (uint8_t)((item->next + 1) % failures_max);
}
