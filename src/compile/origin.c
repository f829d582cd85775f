/* SPDX-License-Identifier: MIT */
/* Origins: where requests are passed on to. */
#include "compile/parts.h"

#include <assert.h>
#include <xxhash.h>

static_assert((int)snap_addresses_max == (int)origin_addresses_max, "addresses of an origin");

static uint32_t flags_of(const struct model_origin *from)
{
    return (from->secure ? SNAP_ORIGIN_TLS : 0u) | (from->verify ? SNAP_ORIGIN_VERIFY : 0u) |
           (from->own_host ? SNAP_ORIGIN_OWN_HOST : 0u);
}

static struct span authorities_of(const struct model_origin *from)
{
    bool needed = from->secure && from->verify;
    return needed ? from->live->authorities : (struct span){0};
}

static void hash_text(XXH3_state_t *state, struct span text)
{
    uint64_t len = text.len;
    XXH3_64bits_update(state, &len, sizeof(len));
    XXH3_64bits_update(state, text.ptr, text.len);
}

/* Of all that makes one connection another than the next. */
static uint64_t key_of(struct compile *compile, const struct model_origin *from)
{
    XXH3_state_t *state = XXH3_createState();
    uint32_t flags = flags_of(from);
    uint64_t key = 0;
    if (state == NULL || XXH3_64bits_reset(state) != XXH_OK) {
        compile->block.err = ERR_MEMORY;
    } else {
        XXH3_64bits_update(state, &flags, sizeof(flags));
        hash_text(state, from->url);
        hash_text(state, from->tls_name);
        hash_text(state, authorities_of(from));
        key = XXH3_64bits_digest(state);
    }
    XXH3_freeState(state);
    return key;
}

static struct snap_list compile_addresses(struct compile *compile, const struct model_origin *from)
{
    struct snap_address addresses[snap_addresses_max];
    const struct origin_live *live = from->live;
    for (size_t i = 0; i < live->address_count; i++) {
        addresses[i] = (struct snap_address){.port = from->port, .scope = live->addresses[i].scope};
        memcpy(addresses[i].bytes, live->addresses[i].bytes, sizeof(addresses[i].bytes));
    }
    return block_list(&compile->block, addresses, live->address_count, sizeof(addresses[0]));
}

static struct snap_origin compile_origin(struct compile *compile, const struct model_origin *from)
{
    struct block *block = &compile->block;
    return (struct snap_origin){
        .name = block_text(block, from->name),
        .url = block_text(block, from->url),
        .authority = block_text(block, from->authority),
        .tls_name = block_text(block, from->tls_name),
        .authorities = block_text(block, authorities_of(from)),
        .addresses = compile_addresses(compile, from),
        .key = key_of(compile, from),
        .flags = flags_of(from),
        .line = from->place.line,
        .connect_timeout_ms = from->connect_timeout_ms,
        .response_timeout_ms = from->response_timeout_ms,
        .idle_timeout_ms = from->idle_timeout_ms,
        .tunnel_timeout_ms = from->tunnel_timeout_ms,
        .keep_alive_ms = from->keep_alive_ms,
        .connections_max = from->connections_max,
    };
}

struct snap_list compile_origins(struct compile *compile)
{
    const struct model *model = compile->model;
    struct block *block = &compile->block;
    struct snap_list list = block_array(block, model->origin_count, sizeof(struct snap_origin));
    for (uint32_t i = 0; i < list.count; i++) {
        struct snap_origin origin = compile_origin(compile, &model->origins[i]);
        block_set(block, list, i, &origin, sizeof(origin));
    }
    return list;
}
