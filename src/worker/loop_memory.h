/* SPDX-License-Identifier: MIT */
/* Memory for libev, which ends the process when it gets none. Its arrays are few, and each
 * at least doubles when it grows; so an area is set aside at the start, of which only what
 * is used is touched, and a worker without memory refuses connections instead of ending. */
#pragma once

#include "base/error.h"

/* Enough for a quarter of a million connections; what goes beyond comes from malloc. */
enum { loop_memory_bytes = 16 << 20 };

/* From here on, for all loops of this process. Once, before the first one is made.
 * ERR_MEMORY: there is no such area. */
enum err loop_memory_init(void);

/* As ev_set_allocator wants it: gives, moves, and with a size of 0 takes back. NULL: the
 * area is used up and malloc has nothing. */
void *loop_memory_move(void *bytes, long size);
