/* SPDX-License-Identifier: MIT */
/* IMF-fixdate (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". */
#pragma once

#include "base/span.h"

enum { date_bytes = 29 };

/* Writes date_bytes bytes for a time in seconds since 1970. */
void date_format(int64_t seconds, uint8_t out[date_bytes]);
