/* SPDX-License-Identifier: MIT */
/* The few span operations that are too long to be inline. */
#include "base/span.h"

/* Eight octets with 'A' to 'Z' made small. The sums carry into the top bit of an octet where it is
 * at least 'A', or beyond 'Z'; octets beyond ASCII are left out. */
static uint64_t word_lower(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low_bits = word & ones * 0x7F;
    uint64_t from_a = low_bits + ones * (0x80 - 'A');
    uint64_t beyond_z = low_bits + ones * (0x7F - 'Z');
    uint64_t upper = (from_a ^ beyond_z) & ~word & ones * 0x80;
    return word | upper >> 2;
}

static bool word_eq_ci(const uint8_t *a, const uint8_t *b)
{
    uint64_t word_a;
    uint64_t word_b;
    memcpy(&word_a, a, sizeof(word_a));
    memcpy(&word_b, b, sizeof(word_b));
    return word_lower(word_a) == word_lower(word_b);
}

bool span_eq_ci(struct span a, struct span b)
{
    const size_t step = sizeof(uint64_t);
    if (a.len != b.len) {
        return false;
    }
    if (a.len < step) {
        for (size_t i = 0; i < a.len; i++) {
            if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i + step < a.len; i += step) {
        if (!word_eq_ci(a.ptr + i, b.ptr + i)) {
            return false;
        }
    }
    return word_eq_ci(a.ptr + a.len - step, b.ptr + b.len - step); /* may overlap */
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s = span_from(s, 1);
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

bool span_decimal(struct span s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (s.len == 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        uint8_t digit = (uint8_t)(s.ptr[i] - '0');
        if (digit > 9 || digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}
