/* SPDX-License-Identifier: MIT */
/* An MMDB file (as of GeoLite2, DB-IP and others) as a block of geo/geo.h. Reads a file and takes
 * its time, a second for millions of networks: control does it on a thread. */
#pragma once

#include "geo/geo.h"

/* What records say of a place: `location.latitude`, `country.iso_code` and `continent.code` as
 * MaxMind has them, or `latitude`, `longitude` and `country_code` without maps around them.
 * *bytes_out is from malloc and has passed geo_verify. *why_out, after a failure, is a sentence's
 * end: "it is not an MMDB file". ERR_IO, ERR_SYNTAX, ERR_LIMIT, ERR_MEMORY. */
enum err geo_load_mmdb(const char *path, uint8_t **bytes_out, size_t *len_out,
                       const char **why_out);
