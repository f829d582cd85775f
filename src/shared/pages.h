/* SPDX-License-Identifier: MIT */
/* Memory that several processes map, behind a memfd whose size is sealed, so that no
 * reader meets the end of it. Pages that nobody wrote cost nothing. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { page_bytes = 4096 };

/* Rounds up to whole pages. */
static inline size_t pages_round(size_t bytes)
{
    return (bytes + page_bytes - 1) & ~(size_t)(page_bytes - 1);
}

/* A memfd of zeroes, close-on-exec, that neither grows nor shrinks. */
enum err pages_create(const char *name, size_t bytes, int *fd_out);
/* Maps a part of it; ERR_SYNTAX when it is not that long, or not of sealed size. */
enum err pages_map(int fd, off_t at, size_t bytes, bool writable, void **out);
void pages_unmap(void *memory, size_t bytes);
