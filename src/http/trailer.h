/* SPDX-License-Identifier: MIT */
/* Which fields may stand behind content (RFC 9110, 6.5.1). */
#pragma once

#include "base/span.h"

/* False: it says how a message is framed, routed, decoded, controlled or who sends it, or
 * belongs to a connection. A recipient that merged it would be told otherwise too late. */
bool trailer_allowed(struct span name);
