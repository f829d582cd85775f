/* SPDX-License-Identifier: MIT */
/* Status codes and their reason phrases (RFC 9110, 15). */
#pragma once

#include "base/span.h"

/* "Temporary Redirect"; an empty span for a code that is not registered. */
struct span status_reason(uint16_t status);

/* Whether an answer has content: 1xx, 204 and 304 have none (RFC 9110, 6.4.1), and 205 must
 * not have any (15.3.6). */
bool status_has_content(uint16_t status);

/* 301, 302, 303, 307, 308. */
bool status_redirects(uint16_t status);
