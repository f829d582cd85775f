/* SPDX-License-Identifier: MIT */
/* A configuration's text as JSON, for those who compare it or write it anew. */
#pragma once

#include "config/yaml.h"

#include <jansson.h>

/* Plain scalars that read as numbers or booleans become such, all others strings. NULL: no
 * memory, or text that JSON cannot hold. */
json_t *node_to_json(const struct node *node);
/* A whole file. NULL: it is no YAML, or as above. */
json_t *model_text_to_json(struct span text);
/* Of a stanza as JSON, compact and with its keys in order, so that stanzas are compared by what
 * they mean. Never 0, which stands for no stanza. */
uint64_t json_text_hash(struct span json);
