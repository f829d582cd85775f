/* SPDX-License-Identifier: MIT */
/* A request as the choice of a server wants to know it. */
#include "decide/internal.h"

#include "http/field.h"

#include <xxhash.h>

static uint64_t key_hash(const struct asked *asked, const struct snap_pool *pool)
{
    struct span name = snapshot_text(asked->snapshot, pool->hash_name);
    struct span key = {0};
    switch ((enum snap_hash_key)pool->hash_key) {
    case SNAP_KEY_PATH:
        key = asked->path.norm;
        break;
    case SNAP_KEY_HEADER:
        key = field_find(asked->request, name);
        break;
    case SNAP_KEY_COOKIE:
        key = cookie_find(asked->request->known.cookie, name);
        break;
    case SNAP_KEY_CLIENT:
        break;
    }
    if (key.ptr == NULL) {
        return client_hash(&asked->decision->client, 0);
    }
    return XXH3_64bits(key.ptr, key.len);
}

void pool_client_init(const struct asked *asked, uint32_t pool, struct pool_client *out)
{
    const struct snap_pool *from = snapshot_pool(asked->snapshot, pool);
    const struct client *client = &asked->decision->client;
    *out = (struct pool_client){.address = client->address, .secure = client->secure};
    if (from->balance == SNAP_HASH) {
        out->key = key_hash(asked, from);
    } else if (from->balance == SNAP_NEAREST) {
        out->place = geo_find(asked->context->geo, client->address);
    }
    if (from->sticky.len > 0) {
        out->held =
            cookie_find(asked->request->known.cookie, snapshot_text(asked->snapshot, from->sticky));
    }
}
