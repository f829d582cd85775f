/* SPDX-License-Identifier: MIT */
/* Origins, as control knows them. */
#include "control/origins.h"

#include "base/log.h"
#include "sandbox/sandbox.h"
#include "snapshot/snapshot.h"

#include <assert.h>
#include <sys/mman.h>
#include <sys/stat.h>

static_assert((int)model_origin_ports_max == (int)sandbox_ports_max, "ports of origins");

void origins_ports(const struct model *model, struct buffer *out)
{
    uint32_t next = 1;
    while (next <= UINT16_MAX) {
        uint32_t least = UINT32_MAX;
        for (size_t i = 0; i < model->origin_count; i++) {
            uint32_t port = model->origins[i].port;
            least = port >= next && port < least ? port : least;
        }
        if (least == UINT32_MAX) {
            return;
        }
        if (out->len > 0) {
            buffer_byte(out, ',');
        }
        buffer_decimal(out, least);
        next = least + 1;
    }
}

/* ---- names ---- */

static bool has_name(const struct model_origin *origin)
{
    uint8_t address[16];
    struct span host = origin->host;
    bool v6 = host.len > 0 && host.ptr[0] == '[';
    return host.len > 0 && !v6 && !address_parse(host, address);
}

void origins_want(struct resolver *resolver, const struct model *model)
{
    for (size_t i = 0; i < model->origin_count; i++) {
        const struct model_origin *origin = &model->origins[i];
        if (!has_name(origin)) {
            continue;
        }
        enum err err = resolver_want(resolver, origin->host, origin->resolve_interval_ms);
        if (err != ERR_NONE) {
            log_error("cannot look up %.*s: %s", SPAN_ARG(origin->host), err_text(err));
        }
    }
}

static const struct model_origin *find_origin_of(const struct model *model, struct span identity)
{
    for (size_t i = 0; i < model->origin_count; i++) {
        if (span_eq(model->origins[i].identity, identity)) {
            return &model->origins[i];
        }
    }
    return NULL;
}

void origins_carry(const struct model *from, const struct model *to)
{
    for (size_t i = 0; from != to && i < to->origin_count; i++) {
        const struct model_origin *origin = &to->origins[i];
        const struct model_origin *known = find_origin_of(from, origin->identity);
        if (known != NULL && known->live != origin->live) {
            origin->live->failing = known->live->failing;
        }
    }
}

static void remember_one(struct resolver *resolver, const struct snapshot *snapshot,
                         const struct snap_origin *origin)
{
    struct origin_address known[origin_addresses_max];
    uint32_t count;
    const struct snap_address *addresses = snapshot_addresses(snapshot, origin, &count);
    struct span authority = snapshot_text(snapshot, origin->authority);
    struct span host = span_slice(authority, 0, span_find(authority, 0, ':'));
    if (count == 0 || count > origin_addresses_max || host.len == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        known[i] = (struct origin_address){.scope = addresses[i].scope};
        memcpy(known[i].bytes, addresses[i].bytes, sizeof(known[i].bytes));
    }
    enum err err = resolver_remember(resolver, host, known, count);
    if (err != ERR_NONE) {
        log_error("cannot remember where %.*s is: %s", SPAN_ARG(host), err_text(err));
    }
}

void origins_remember(struct resolver *resolver, int snapshot_fd)
{
    struct stat status;
    if (snapshot_fd < 0 || fstat(snapshot_fd, &status) != 0 || status.st_size <= 0) {
        return;
    }
    size_t bytes = (size_t)status.st_size;
    void *memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, snapshot_fd, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    /* It may be another version's, after an upgrade in place. */
    const struct snapshot *snapshot = snapshot_open(span_of(memory, bytes));
    for (uint32_t i = 0; snapshot != NULL && i < snapshot->origins.count; i++) {
        remember_one(resolver, snapshot, snapshot_origin(snapshot, i));
    }
    munmap(memory, bytes);
}

static bool fill_addresses(const struct model_origin *origin, const struct resolver *resolver)
{
    struct origin_address found[origin_addresses_max];
    struct origin_live *live = origin->live;
    size_t count = has_name(origin) ? resolver_find(resolver, origin->host, found) : 0;
    bool same = count == live->address_count &&
                memcmp(found, live->addresses, count * sizeof(found[0])) == 0;
    if (!has_name(origin) || same || count == 0) {
        return false; /* what was good goes on */
    }
    memcpy(live->addresses, found, count * sizeof(found[0]));
    live->address_count = count;
    return true;
}

static bool fill_failing(const struct model_origin *origin, struct servers_map *servers,
                         int64_t now_ns)
{
    uint32_t slot;
    struct schedule_trigger *failing = &origin->live->failing;
    bool down = origin->health.enabled && servers != NULL &&
                servers_slot(servers, origin->identity, &slot) == ERR_NONE &&
                server_live_state(&servers_live(servers)[slot]) == SERVER_DOWN;
    if (down == failing->pulled) {
        return false;
    }
    *failing = (struct schedule_trigger){.pulled = down, .since_ns = now_ns};
    return true;
}

bool origins_fill(const struct model *model, const struct resolver *resolver,
                  struct servers_map *servers, int64_t now_ns)
{
    bool changed = false;
    for (size_t i = 0; i < model->origin_count; i++) {
        changed = fill_addresses(&model->origins[i], resolver) || changed;
        changed = fill_failing(&model->origins[i], servers, now_ns) || changed;
    }
    return changed;
}
