/* SPDX-License-Identifier: MIT */
/* JavaScript's regular expressions, flag `v` (ECMA-262, 22.2.1), in the words of PCRE2.
 * Shared by regex.c and by nobody else. No I/O. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

/* How many capturing groups one expression may have. */
enum { regex_captures_max = 127 };

/* Room that any source of len bytes needs once it is translated. */
static inline size_t regex_translated_max(size_t len)
{
    return 10 * len + 16;
}

/* Appends the translation; out has room for regex_translated_max bytes. Named groups become
 * numbered ones, in the same order. ERR_SYNTAX: no such expression in JavaScript, or one
 * that PCRE2 would read otherwise; *reason is static text. */
enum err regex_translate(struct span source, struct buffer *out, const char **reason);
