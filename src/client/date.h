/* SPDX-License-Identifier: MIT */
/* HTTP-date, in the three forms that a recipient must accept (RFC 9110, 5.6.7). */
#pragma once

#include "base/span.h"

/* Seconds since 1970. now: by which a year of two digits is read; one that would lie more than 50
 * years ahead is of the past. The day of the week is not compared with the date. False: no date. */
bool date_parse(struct span text, int64_t now, int64_t *out);
