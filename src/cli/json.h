/* SPDX-License-Identifier: MIT */
/* Text as JSON. */
#pragma once

#include "base/span.h"

#include <jansson.h>

/* A JSON string. JSON holds nothing but UTF-8: of other text each byte beyond ASCII becomes
 * the character of that number. NULL: no memory. */
json_t *json_text(struct span text);
/* The same, or null for an empty text. */
json_t *json_text_or_null(struct span text);
