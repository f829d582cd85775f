/* SPDX-License-Identifier: MIT */
/* What run time says, above a file of its own: texts between NULs, first the configuration, then
 * a key and what is said of it, and so on; an empty text: switched off, or removed. A model or an
 * error, never both; every override is looked at; a model has what was said, and no pool is left
 * without a server that gets somebody. */
#include "config/model.h"

#include "base/clock.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { overrides_max = 8 };

static struct span take(struct span *rest)
{
    size_t end = span_find(*rest, 0, 0);
    struct span text = span_slice(*rest, 0, end);
    *rest = span_from(*rest, end < rest->len ? end + 1 : end);
    return text;
}

/* Every other one was set above a stanza that the file does not have any more. */
static bool stands(const struct model_override *override, uint64_t stanza_now)
{
    return override->stanza == 0 || stanza_now == 0;
}

static bool is_named(const struct model_pool *pool, struct span key)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        struct span identity = pool->servers[i].identity;
        if (span_eq(identity, span_from(key, 1)) && pool->servers[i].live) {
            return true;
        }
    }
    return false;
}

static void check(const struct model *model, const struct model_overrides *overrides)
{
    for (size_t i = 0; i < model->pool_count; i++) {
        const struct model_pool *pool = &model->pools[i];
        uint64_t weights = 0;
        for (size_t k = 0; k < pool->server_count; k++) {
            weights += pool->servers[k].weight;
            assert(pool->servers[k].json.len > 0 && pool->servers[k].url.len > 0);
        }
        assert(weights > 0);
    }
    for (size_t i = 0; i < overrides->count; i++) {
        const struct model_override *override = &overrides->items[i];
        bool live = false;
        assert(override->seen);
        for (size_t k = 0; k < model->pool_count && override_is_server(override->key); k++) {
            live = live || is_named(&model->pools[k], override->key);
        }
        assert(!live || (override->stands && !override->off));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_override items[overrides_max] = {0};
    struct model_overrides overrides = {.items = items, .stands = stands};
    struct span rest = span_of(data, size);
    struct span text = take(&rest);
    struct arena arena;
    struct problems problems;
    while (rest.len > 0 && overrides.count < overrides_max) {
        struct model_override *one = &items[overrides.count];
        one->key = take(&rest);
        one->json = take(&rest);
        one->off = one->json.len == 0;
        one->stanza = overrides.count % 2;
        bool twice = one->key.len == 0; /* the store has no such key, and each once */
        for (size_t i = 0; i < overrides.count; i++) {
            twice = twice || span_eq(items[i].key, one->key);
        }
        overrides.count += !twice;
    }
    arena_init(&arena, 64 << 20);
    problems_init(&problems, &arena, "fuzz.yaml");
    const struct model *model =
        model_load_live(text, &overrides, INT64_C(1795000000) * NS_PER_SECOND, &problems);
    assert((model == NULL) == (problems.error_count > 0));
    if (model != NULL) {
        check(model, &overrides);
    }
    arena_fini(&arena);
    return 0;
}
