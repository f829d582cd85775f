/* SPDX-License-Identifier: MIT */
/* What a client would rather have: Accept, with its weights (RFC 9110, 12.5.1). */
#pragma once

#include "http/request.h"

/* Whether a value of Accept says that a person's browser is asking: it names text/html or
 * application/xhtml+xml with a weight above 0. A range that holds them among others does not
 * count. */
bool accept_names_html(struct span accept);

/* Whether the client asks for JSON: it names application/json, with a weight above 0 that is not
 * below the one it gives HTML, be that by text/html, by a range of types, or not at all. A range
 * that holds JSON among other things names nothing. All lines of the field count as one. A weight
 * that is none (RFC 9110, 12.4.2) is 0 with JSON and 1 with HTML: who cannot be understood has not
 * asked. */
bool accept_prefers_json(const struct request *request);
