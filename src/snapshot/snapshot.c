/* SPDX-License-Identifier: MIT */
/* Opening a block, and finding the site of a host in it. */
#include "snapshot/snapshot.h"

#include <arpa/inet.h>
#include <xxhash.h>

uint32_t snapshot_host_hash(struct span host)
{
    return (uint32_t)XXH3_64bits(host.ptr, host.len);
}

uint32_t snapshot_edge_hash(uint32_t node, struct span segment)
{
    return (uint32_t)XXH3_64bits_withSeed(segment.ptr, segment.len, node);
}

const struct snapshot *snapshot_open(struct span bytes)
{
    const struct snapshot *snapshot = (const void *)bytes.ptr;
    if (bytes.len < sizeof(*snapshot) || (uintptr_t)bytes.ptr % 8 != 0 ||
        snapshot->magic != SNAP_MAGIC || snapshot->version != snap_version ||
        snapshot->header_bytes != sizeof(*snapshot) || snapshot->size != bytes.len) {
        return NULL;
    }
    struct snapshot header = *snapshot;
    header.header_hash = 0;
    return XXH3_64bits(&header, sizeof(header)) == snapshot->header_hash ? snapshot : NULL;
}

uint64_t snapshot_content_hash(const struct snapshot *snapshot)
{
    struct snapshot header = *snapshot;
    header.header_hash = header.generation = 0;
    header.built_ns = 0;
    uint64_t seed = XXH3_64bits(&header, sizeof(header));
    const uint8_t *rest = (const uint8_t *)snapshot + sizeof(header);
    uint64_t hash = XXH3_64bits_withSeed(rest, snapshot->size - sizeof(header), seed);
    return hash != 0 ? hash : 1;
}

static uint32_t find_host(const struct snapshot *snapshot, struct span host)
{
    const struct snap_host *table = snapshot_at(snapshot, snapshot->hosts.off);
    uint32_t mask = snapshot->hosts.count - 1;
    for (uint32_t at = snapshot_host_hash(host) & mask;; at = (at + 1) & mask) {
        if (table[at].host.len == 0) {
            return SNAP_NONE;
        }
        if (span_eq(snapshot_text(snapshot, table[at].host), host)) {
            return table[at].site;
        }
    }
}

uint32_t snapshot_site_for(const struct snapshot *snapshot, struct span host)
{
    uint32_t site = SNAP_NONE;
    if (snapshot->hosts.count > 0 && host.len > 0) {
        site = find_host(snapshot, host);
        size_t dot = span_find(host, 0, '.');
        while (site == SNAP_NONE && dot < host.len && host.ptr[0] != '[') {
            site = find_host(snapshot, span_from(host, dot));
            dot = span_find(host, dot + 1, '.');
        }
    }
    return site != SNAP_NONE ? site : snapshot->catch_all;
}

socklen_t snapshot_socket_address(const struct snap_address *address,
                                  union snap_socket_address *out)
{
    *out = (union snap_socket_address){0};
    if (address_is_v4(address->bytes)) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)address->port);
        memcpy(&out->v4.sin_addr, address->bytes + 12, sizeof(out->v4.sin_addr));
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons((uint16_t)address->port);
    out->v6.sin6_scope_id = address->scope;
    memcpy(&out->v6.sin6_addr, address->bytes, sizeof(out->v6.sin6_addr));
    return sizeof(out->v6);
}
