/* SPDX-License-Identifier: MIT */
/* MMDB files (as of GeoLite2, DB-IP and others) as a block of geo/geo.h. Reads files and takes
 * its time, a second for millions of networks: control does it on a thread. */
#pragma once

#include "geo/geo.h"

enum { geo_files_max = 4 };

/* Which file cannot be used, and why, as a sentence's end: "it is not an MMDB file". */
struct geo_fault {
    size_t file;
    const char *why;
};

/* What records say of a place: `location.latitude`, `country.iso_code` and `continent.code` as
 * MaxMind has them, or `latitude`, `longitude` and `country_code` without maps around them. Of
 * several files the first that knows any place of a family is the one for it, since there are
 * databases with a file for each; one that is needed for neither is refused.
 * *bytes_out is from malloc and has passed geo_verify. *fault_out is written after a failure
 * alone. ERR_IO, ERR_SYNTAX, ERR_LIMIT, ERR_RANGE, ERR_MEMORY. */
enum err geo_load_mmdb(const char *const *paths, size_t count, uint8_t **bytes_out, size_t *len_out,
                       struct geo_fault *fault_out);
