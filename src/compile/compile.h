/* SPDX-License-Identifier: MIT */
/* The model becomes a snapshot. Pure but for the slots, which whoever keeps the shared
 * pages gives out. Used by control, check, explain and the tests alike. */
#pragma once

#include "config/model.h"
#include "snapshot/snapshot.h"

/* Gives an identity its place in the shared pages, the same one each time. */
struct compile_slots {
    uint32_t (*rule)(void *context, struct span identity);
    uint32_t (*server)(void *context, struct span identity);
    /* Where the host of a server's URL is, on the sphere of radius 1; false: not known. NULL:
     * nothing is. */
    bool (*point)(void *context, struct span url, float out[3]);
    void *context;
};

/* Whether the paths of two detours are as specific as each other: then the newer one goes
 * first. */
bool compile_equally_specific(const struct model_rule *a, const struct model_rule *b);

/* now_ns decides which detours are in it: those that have some clients then. *bytes_out is
 * malloc'd, *len_out bytes, and has passed snapshot_verify. slots NULL: all slots are 0.
 * ERR_MEMORY; ERR_LIMIT: larger than snap_bytes_max. */
enum err snapshot_compile(const struct model *model, const struct compile_slots *slots,
                          uint64_t generation, int64_t now_ns, uint8_t **bytes_out,
                          size_t *len_out);
