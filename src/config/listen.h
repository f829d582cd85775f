/* SPDX-License-Identifier: MIT */
/* `listen`: where requests are heard, and what is answered there. Internal to config/. */
#pragma once

#include "config/load.h"

/* An address alone, like http://0.0.0.0:8307. */
bool parse_listener(struct load *load, const struct node *node, struct listener *out);

/* listen: the value of this key, NULL where it is absent. proxies: that of trusted_proxies,
 * without which nobody could be answered on a listener with `answer: decision`. */
bool read_listen(struct load *load, const struct node *listen, const struct node *proxies);
