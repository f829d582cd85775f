/* SPDX-License-Identifier: MIT */
/* Slots, compilation, and the seals. */
#include "control/publish.h"

#include "base/log.h"
#include "compile/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct slot_maps {
    struct counters_map *counters;
    struct servers_map *servers;
    const struct places *places;
    const struct resolver *resolver;
};

static uint32_t rule_slot(void *context, struct span identity)
{
    const struct slot_maps *maps = context;
    uint32_t slot = counters_slot_overflow;
    if (counters_slot(maps->counters, identity, &slot) != ERR_NONE) {
        log_warning("rule %.*s is counted together with others: there are no counters left",
                    SPAN_ARG(identity));
    }
    return slot;
}

static uint32_t server_slot(void *context, struct span identity)
{
    const struct slot_maps *maps = context;
    uint32_t slot = servers_slot_overflow;
    if (servers_slot(maps->servers, identity, &slot) != ERR_NONE) {
        log_warning("server %.*s is always up: there are no slots left", SPAN_ARG(identity));
    }
    return slot;
}

static bool server_point(void *context, struct span url, float out[3])
{
    const struct slot_maps *maps = context;
    return places_point(maps->places, maps->resolver, url, out);
}

void publish_note_rules(struct configuration *configuration, struct counters_map *counters)
{
    struct slot_maps maps = {.counters = counters};
    for (size_t i = 0; i < configuration->rule_count && !configuration->rules_noted; i++) {
        struct metrics_rule *rule = &configuration->rules[i];
        rule->slot = rule_slot(&maps, rule->identity);
    }
    configuration->rules_noted = true;
}

static void note_servers(struct configuration *configuration, struct slot_maps *maps)
{
    for (size_t i = 0; i < configuration->server_count; i++) {
        struct metrics_server *server = &configuration->servers[i];
        server->slot = server_slot(maps, server->identity);
    }
}

static enum err write_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR) {
            return ERR_IO;
        }
        bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return ERR_NONE;
}

enum err publish_sealed(const char *name, struct span bytes, int *fd_out)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return ERR_IO;
    }
    if (write_all(fd, bytes) != ERR_NONE || fcntl(fd, F_ADD_SEALS, seals) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return ERR_IO;
    }
    *fd_out = fd;
    return ERR_NONE;
}

enum err publish_snapshot(struct configuration *configuration, struct counters_map *counters,
                          struct servers_map *servers, const struct places *places,
                          const struct resolver *resolver, uint64_t generation, int64_t now_ns,
                          uint64_t *content_inout, int *fd_out)
{
    struct slot_maps maps = {
        .counters = counters, .servers = servers, .places = places, .resolver = resolver};
    struct compile_slots slots = {
        .rule = rule_slot, .server = server_slot, .point = server_point, .context = &maps};
    uint8_t *bytes;
    size_t len;
    note_servers(configuration, &maps);
    enum err err = snapshot_compile(configuration->model, &slots, generation, now_ns, &bytes, &len);
    if (err != ERR_NONE) {
        return err;
    }
    uint64_t content = snapshot_content_hash(snapshot_open(span_of(bytes, len)));
    *fd_out = -1;
    if (content != *content_inout) {
        err = publish_sealed("detour-snapshot", span_of(bytes, len), fd_out);
    }
    free(bytes);
    if (err == ERR_NONE) {
        *content_inout = content;
    }
    return err;
}
