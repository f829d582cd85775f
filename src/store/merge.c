/* SPDX-License-Identifier: MIT */
/* Who wins at a reload, the file or what was changed at run time. */
#include "store/store.h"

enum store_verdict store_merge(const struct store_value *value, uint64_t stanza_now)
{
    bool holds_nothing_off = value->kind == STORE_OFF && value->stanza == 0;
    if (value->kind == STORE_NONE || holds_nothing_off || value->stanza != stanza_now) {
        return STORE_DROPPED;
    }
    return STORE_STANDS;
}
