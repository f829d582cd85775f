/* SPDX-License-Identifier: MIT */
/* What is to be checked: lines of source, expected target and expected status. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#include <detour/detour.h>

enum {
    audit_rows_max = 1000000,
    audit_file_bytes_max = 256 << 20,
    audit_why_bytes = 160,
};

/* What the first answer is to be. */
enum audit_class {
    audit_class_any = 0,
    audit_class_permanent, /* 301, 308 */
    audit_class_temporary, /* 302, 303, 307 */
};

struct audit_row {
    size_t line;          /* in the file */
    struct span source;   /* absolute, as it is asked for */
    struct span target;   /* absolute, normal form; len 0: whatever it is */
    uint16_t status;      /* of the first answer; 0: whatever it is */
    uint8_t class_wanted; /* enum audit_class */
    bool target_fragment; /* the fragment counts, too */
};

struct audit_list {
    struct audit_row *rows;
    size_t count;
};

/* Columns are source, target and status, in this order, or as a first line names them: source
 * (from, old, url), target (to, new, destination, location, expected), status (code, type, expected
 * status); others are passed over. base, an absolute URL or NULL, is what sources that are none are
 * resolved against; targets against their source. The text is changed, and like the arena outlives
 * the list.
 * URLs are UTF-8 without control characters: nothing is left out of them without a word.
 * ERR_MEMORY; ERR_SYNTAX, ERR_LIMIT: why says what is wrong in which line. */
enum err audit_list_read(uint8_t *text, size_t len, const char *base, struct arena *arena,
                         char why[audit_why_bytes], struct audit_list *out);
