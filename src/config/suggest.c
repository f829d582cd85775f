/* SPDX-License-Identifier: MIT */
/* Edit distance with swaps (optimal string alignment), three rows at a time. */
#include "config/suggest.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool swapped(struct span a, struct span b, size_t i, size_t j)
{
    return i > 1 && j > 1 && ascii_lower(a.ptr[i - 1]) == ascii_lower(b.ptr[j - 2]) &&
           ascii_lower(a.ptr[i - 2]) == ascii_lower(b.ptr[j - 1]);
}

size_t edit_distance(struct span a, struct span b)
{
    size_t rows[3][suggest_bytes_max + 1];
    if (a.len > suggest_bytes_max || b.len > suggest_bytes_max) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = ascii_lower(a.ptr[i - 1]) == ascii_lower(b.ptr[j - 1]) ? 0 : 1;
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + change);
            if (swapped(a, b, i, j)) {
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a.len % 3][b.len];
}

struct suggest suggest_begin(struct span wanted)
{
    /* The longer a word, the more may be wrong; a short one soon looks like any other. */
    size_t near = wanted.len < 2 ? 0 : wanted.len <= 6 ? 1 : wanted.len <= 12 ? 2 : 3;
    return (struct suggest){.wanted = wanted, .distance = near + 1};
}

void suggest_offer(struct suggest *suggest, struct span candidate)
{
    size_t distance = edit_distance(suggest->wanted, candidate);
    if (suggest->wanted.len >= 3 && span_starts(candidate, suggest->wanted) && distance > 1) {
        distance = 1; /* half a word: as near as one wrong letter */
    }
    if (distance < suggest->distance) {
        suggest->distance = distance;
        suggest->best = candidate;
    }
}
