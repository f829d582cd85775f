/* SPDX-License-Identifier: MIT */
/* What the admin API shows: the model, the store and the pages of live state, as JSON. */
#pragma once

#include "config/model.h"
#include "store/store.h"

#include <jansson.h>

/* One detour as it is now. override: what run time says of it; NULL: nothing. NULL: no
 * memory, as of all of these. */
json_t *view_detour(const struct model *model, const struct model_detour *detour,
                    const struct store_override *override, int64_t now_ns);
/* One that is switched off: only the store knows it. */
json_t *view_off(const struct store_override *override);
/* One that the file does not fit. */
json_t *view_unfit(const struct store_override *override, const char *why);
/* Until when caches may hold what it answered up to now; null: they hold nothing of it. */
json_t *view_cached_until(const struct model_detour *detour, int64_t now_ns);
json_t *view_change(const struct store_change *change);
json_t *view_sites(const struct model *model);

/* RFC 3339 in UTC, or null for no time. */
json_t *view_time(int64_t ns);
json_t *view_text(struct span text);
