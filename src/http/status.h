/* SPDX-License-Identifier: MIT */
/* Status codes and their reason phrases (RFC 9110, 15). */
#pragma once

#include "base/span.h"

/* "Temporary Redirect"; an empty span for a code that is not registered. */
struct span status_reason(uint16_t status);

/* 301, 302, 303, 307, 308. */
bool status_redirects(uint16_t status);
