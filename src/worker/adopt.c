/* SPDX-License-Identifier: MIT */
/* New certificates, and a new snapshot: mapped, checked, its expressions compiled, then swapped in.
 * This runs between two events of the loop, and a request is answered within one event, so nothing
 * reads the old one any more when it is unmapped. */
#include "worker/internal.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { own_fds = 16 };

/* What a mapping must be able to rely on: that nobody changes or shortens the pages. */
static const int seals_needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

void drop_snapshot(struct worker_snapshot *dropped)
{
    regex_set_free(&dropped->regexes);
    pools_free(&dropped->pools);
    if (dropped->snapshot != NULL) {
        munmap((void *)(uintptr_t)dropped->snapshot, dropped->bytes);
    }
    *dropped = (struct worker_snapshot){0};
}

static enum err map_sealed(int fd, struct span *out)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || fstat(fd, &status) != 0) {
        return ERR_IO;
    }
    if ((seals & seals_needed) != seals_needed || status.st_size <= 0) {
        return ERR_SYNTAX;
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return errno == ENOMEM ? ERR_MEMORY : ERR_IO;
    }
    *out = span_of(bytes, (size_t)status.st_size);
    return ERR_NONE;
}

static enum err prepare_origins(struct worker *worker, const struct snapshot *snapshot)
{
    enum err err = ERR_NONE;
    if (worker->origins == NULL) {
        err = origins_new(worker->loop, worker->counters, &worker->origins);
    }
    return err == ERR_NONE ? origins_prepare(worker->origins, snapshot) : err;
}

/* The keys that the next snapshot is answered with. */
static const struct signing_keys *next_signing(const struct worker *worker)
{
    return worker->has_signing_next ? worker->signing_next : worker->signing;
}

static void drop_signing(const struct signing_keys **keys)
{
    if (*keys != NULL) {
        munmap((void *)(uintptr_t)*keys, signing_keys_bytes((*keys)->count));
        *keys = NULL;
    }
}

/* A pool whose clients every server would turn away is not answered with. */
static bool has_keys(const struct snapshot *snapshot, const struct signing_keys *keys)
{
    for (uint32_t i = 0; i < snapshot->pools.count; i++) {
        const struct snap_pool *pool = snapshot_pool(snapshot, i);
        if (pool->sign_param.len > 0 && signing_keys_find(keys, pool->sign_key) == NULL) {
            return false;
        }
    }
    return true;
}

/* Takes over what the one in use has compiled already, so this must be the last step that
 * can fail. */
static enum err make_ready(struct worker *worker, struct worker_snapshot *made)
{
    if (!has_keys(made->snapshot, next_signing(worker))) {
        return ERR_SYNTAX;
    }
    enum err err = prepare_origins(worker, made->snapshot);
    if (err != ERR_NONE) {
        return err;
    }
    struct pools_setting setting = {.live = servers_live(worker->servers),
                                    .epoch = servers_epoch(worker->servers),
                                    .worker = worker->index};
    err = pools_new(made->snapshot, &setting, worker->current.pools, &made->pools);
    if (err != ERR_NONE) {
        return err;
    }
    return regex_set_new(made->snapshot, worker->current.regexes, &made->regexes);
}

static enum err load_snapshot(struct worker *worker, int fd, struct worker_snapshot *out)
{
    struct span bytes;
    enum err err = map_sealed(fd, &bytes);
    if (err != ERR_NONE) {
        return err;
    }
    struct worker_snapshot made = {.snapshot = snapshot_open(bytes), .bytes = bytes.len};
    if (made.snapshot == NULL) {
        munmap((void *)(uintptr_t)bytes.ptr, bytes.len);
        return ERR_SYNTAX;
    }
    err = make_ready(worker, &made);
    if (err != ERR_NONE) {
        drop_snapshot(&made);
        return err;
    }
    *out = made;
    return ERR_NONE;
}

/* Without a descriptor to receive it with, a message of the supervisor is lost; so some are
 * kept from connections: for listeners, those that replace them, and the worker itself. What
 * remains clients and origins share. */
static uint32_t connections_room(const struct snapshot *snapshot)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return UINT32_MAX;
    }
    rlim_t kept = 2 * listeners_max + own_fds;
    rlim_t room = kept < limit.rlim_cur / 2 ? limit.rlim_cur - kept : limit.rlim_cur / 2;
    room = snapshot->origins.count > 0 ? room / 2 : room;
    return room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
}

static struct serve_limits serve_limits_of(const struct snapshot *snapshot)
{
    const struct snap_limits *limits = &snapshot->limits;
    uint32_t room = connections_room(snapshot);
    return (struct serve_limits){
        .header_timeout_ms = limits->header_timeout_ms,
        .idle_timeout_ms = limits->idle_timeout_ms,
        .write_timeout_ms = limits->write_timeout_ms,
        .linger_bytes = limits->lingering_bytes,
        .linger_idle_ms = limits->lingering_idle_ms,
        .linger_time_ms = limits->lingering_time_ms,
        .connections_max = room < limits->connections_max ? room : limits->connections_max,
    };
}

/* The server of the first snapshot stays; later ones only change its limits. */
static enum err set_up_server(struct worker *worker, const struct snapshot *snapshot)
{
    struct serve_limits limits = serve_limits_of(snapshot);
    if (worker->server != NULL) {
        server_set_limits(worker->server, &limits);
        return ERR_NONE;
    }
    enum err err = server_new(worker->loop, &limits, handle_request, worker, worker->counters,
                              &worker->server);
    if (err == ERR_NONE) {
        server_set_tls(worker->server, worker->tls);
        worker->tls = NULL;
    }
    return err;
}

static void swap_in(struct worker *worker, struct worker_snapshot *made)
{
    struct worker_snapshot old = worker->current;
    worker->current = *made;
    origins_adopt(worker->origins, made->snapshot);
    origins_set_limit(worker->origins, connections_room(made->snapshot));
    worker->decide.snapshot = made->snapshot;
    worker->decide.regexes = made->regexes;
    worker->decide.pools = made->pools;
    if (worker->has_signing_next) {
        drop_signing(&worker->signing);
        worker->signing = worker->signing_next;
        worker->signing_next = NULL;
        worker->has_signing_next = false;
    }
    worker->decide.signing = worker->signing;
    drop_snapshot(&old);
}

static void acknowledge(struct worker *worker, uint64_t generation)
{
    counter_set(&worker->counters->snapshot_generation, generation);
    struct message ack = {.type = MESSAGE_ACK, .number = worker->index, .generation = generation};
    enum err err = channel_send(channel_fd, &ack);
    if (err != ERR_NONE) {
        log_error("cannot acknowledge snapshot %llu: %s", (unsigned long long)generation,
                  err_text(err));
    }
}

static enum err adopt(struct worker *worker, struct message *message)
{
    struct worker_snapshot made;
    enum err err =
        message->fd_count > 0 ? load_snapshot(worker, message->fds[0], &made) : ERR_SYNTAX;
    if (err != ERR_NONE) {
        return err;
    }
    err = set_up_server(worker, made.snapshot);
    if (err != ERR_NONE) {
        drop_snapshot(&made);
        return err;
    }
    swap_in(worker, &made);
    return ERR_NONE;
}

void adopt_snapshot(struct worker *worker, struct message *message)
{
    enum err err = adopt(worker, message);
    if (err == ERR_NONE) {
        acknowledge(worker, message->generation);
        return;
    }
    log_error("snapshot %llu is not used: %s", (unsigned long long)message->generation,
              err_text(err));
}

static enum err load_tls(int fd, struct tls_context **out, const char **reason)
{
    struct span block;
    enum err err = map_sealed(fd, &block);
    if (err != ERR_NONE) {
        *reason = err_text(err);
        return err;
    }
    err = tls_context_new(block, out, reason);
    munmap((void *)(uintptr_t)block.ptr, block.len);
    return err;
}

void adopt_tls(struct worker *worker, struct message *message)
{
    struct tls_context *made = NULL;
    const char *reason = NULL;
    if (message->fd_count > 0 && load_tls(message->fds[0], &made, &reason) != ERR_NONE) {
        log_error("the new certificates are not used: %s", reason);
        return;
    }
    if (worker->server != NULL) {
        server_set_tls(worker->server, made);
        return;
    }
    tls_context_free(&worker->tls);
    worker->tls = made;
}

void adopt_secret(struct worker *worker, struct message *message)
{
    struct span secret;
    enum err err = message->fd_count > 0 ? map_sealed(message->fds[0], &secret) : ERR_SYNTAX;
    if (err != ERR_NONE) {
        log_error("the key of wait pages is not used: %s", err_text(err));
        return;
    }
    if (secret.len == sizeof(worker->ticket_key.bytes)) {
        memcpy(worker->ticket_key.bytes, secret.ptr, secret.len);
        worker->decide.ticket_key = &worker->ticket_key;
    }
    munmap((void *)(uintptr_t)secret.ptr, secret.len);
}

/* Decisions are made between two messages, so nobody reads the old one any more. */
void adopt_geo(struct worker *worker, struct message *message)
{
    struct span bytes = {0};
    if (message->fd_count > 0) {
        enum err err = map_sealed(message->fds[0], &bytes);
        if (err == ERR_NONE && geo_open(bytes) == NULL) {
            munmap((void *)(uintptr_t)bytes.ptr, bytes.len);
            err = ERR_SYNTAX;
        }
        if (err != ERR_NONE) {
            log_error("the new places are not used: %s", err_text(err));
            return;
        }
    }
    const struct geo_head *old = worker->decide.geo;
    worker->decide.geo = bytes.ptr != NULL ? geo_open(bytes) : NULL;
    if (old != NULL) {
        munmap((void *)(uintptr_t)old, old->size);
    }
}

void adopt_signing(struct worker *worker, struct message *message)
{
    struct span block;
    const struct signing_keys *keys = NULL;
    if (message->fd_count > 0) {
        enum err err = map_sealed(message->fds[0], &block);
        if (err == ERR_NONE && (keys = signing_keys_open(block)) == NULL) {
            munmap((void *)(uintptr_t)block.ptr, block.len);
            err = ERR_SYNTAX;
        }
        if (err != ERR_NONE) {
            log_error("the new keys of signed tickets are not used: %s", err_text(err));
            return;
        }
    }
    drop_signing(&worker->signing_next);
    worker->signing_next = keys;
    worker->has_signing_next = true;
}
