/* SPDX-License-Identifier: MIT */
/* Reads, seals, and watches. */
#include "control/files/places.h"

#include "base/log.h"
#include "control/confine.h"
#include "control/files/named.h"
#include "control/publish.h"
#include "geo/mmdb.h"
#include "uri/location.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert((int)geo_files_max == (int)model_geo_files_max, "files of `geo`");

enum { names_interval_ms = 300000 };
static const double watch_pause_s = 60;

/* Which file it was. */
struct identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct file {
    char *path;
    struct identity identity;
};

struct block {
    struct file files[geo_files_max]; /* that it was made of */
    size_t file_count;                /* 0: there is none */
    int fd;                           /* -1: they could not be read */
    const struct geo_head *head;
    size_t bytes;
};

struct places {
    struct ev_loop *loop;
    void (*changed)(void *context);
    void *context;
    ev_timer watch;
    ev_async done;
    struct block current;
    struct block next;
    bool has_next;

    /* The thread's, from when it is started until `done`. */
    pthread_t thread;
    bool running;
    enum err err;
    struct geo_fault fault;
    struct block read;
};

static void block_drop(struct block *block)
{
    for (size_t i = 0; i < block->file_count; i++) {
        free(block->files[i].path);
    }
    if (block->head != NULL) {
        munmap((void *)(uintptr_t)block->head, block->bytes);
    }
    if (block->fd >= 0) {
        close(block->fd);
    }
    *block = (struct block){.fd = -1};
}

static bool identify(const char *path, struct identity *out)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return false;
    }
    *out = (struct identity){.device = status.st_dev,
                             .inode = status.st_ino,
                             .size = status.st_size,
                             .changed = status.st_mtim};
    return true;
}

static bool same_identity(const struct identity *a, const struct identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static enum err seal(uint8_t *bytes, size_t len, struct block *out)
{
    enum err err = publish_sealed("detour-places", span_of(bytes, len), &out->fd);
    if (err != ERR_NONE) {
        out->fd = -1;
        return err;
    }
    void *memory = mmap(NULL, len, PROT_READ, MAP_PRIVATE, out->fd, 0);
    if (memory == MAP_FAILED) {
        return ERR_MEMORY;
    }
    out->head = memory;
    out->bytes = len;
    return ERR_NONE;
}

static bool take_path(struct block *block, const char *path)
{
    struct file *file = &block->files[block->file_count];
    *file = (struct file){.path = strdup(path)};
    block->file_count += file->path != NULL;
    return file->path != NULL;
}

static bool same_files(const struct block *a, const struct block *b)
{
    bool same = a->file_count == b->file_count;
    for (size_t i = 0; i < a->file_count && same; i++) {
        same = strcmp(a->files[i].path, b->files[i].path) == 0;
    }
    return same;
}

/* None of its files was replaced. Those that are away are as they were. */
static bool is_as_it_was(const struct block *block)
{
    struct identity now;
    bool same = true;
    for (size_t i = 0; i < block->file_count && same; i++) {
        const struct file *file = &block->files[i];
        same = !identify(file->path, &now) || same_identity(&now, &file->identity);
    }
    return same;
}

static bool exist(const struct block *block)
{
    struct identity now;
    bool all = true;
    for (size_t i = 0; i < block->file_count; i++) {
        all = all && identify(block->files[i].path, &now);
    }
    return all;
}

/* Their identities are taken before they are read: one that is replaced meanwhile is read again.
 * What cannot be used keeps its files. */
static enum err block_read(struct block *block, struct geo_fault *fault_out)
{
    uint8_t *bytes;
    size_t len;
    const char *paths[geo_files_max];
    for (size_t i = 0; i < block->file_count; i++) {
        paths[i] = block->files[i].path;
        if (!identify(paths[i], &block->files[i].identity)) {
            *fault_out = (struct geo_fault){.file = i, .why = strerror(errno)};
            return ERR_IO;
        }
    }
    enum err err = geo_load_mmdb(paths, block->file_count, &bytes, &len, fault_out);
    if (err == ERR_NONE) {
        err = seal(bytes, len, block);
        *fault_out = (struct geo_fault){.why = err_text(err)};
        free(bytes);
    }
    return err;
}

/* ---- what is replaced while it is in use ---- */

static void *read_aside(void *context)
{
    struct places *places = context;
    places->err = block_read(&places->read, &places->fault);
    ev_async_send(places->loop, &places->done);
    return NULL;
}

static void on_done(struct ev_loop *loop, ev_async *async, int events)
{
    struct places *places = async->data;
    if (!places->running) {
        return;
    }
    pthread_join(places->thread, NULL);
    places->running = false;
    const char *path = places->read.files[places->fault.file].path;
    bool wanted = same_files(&places->current, &places->read) && !places->has_next;
    if (places->err != ERR_NONE) {
        log_error("cannot use %s: %s; the places of before stay in use", path, places->fault.why);
    } else if (wanted) {
        block_drop(&places->current);
        places->current = places->read;
        places->read = (struct block){.fd = -1};
        log_info("%s was replaced, and is in use", places->current.files[0].path);
        places->changed(places->context);
    }
    block_drop(&places->read);
}

/* One that is broken is looked at once. */
static void note_identities(struct block *block)
{
    for (size_t i = 0; i < block->file_count; i++) {
        identify(block->files[i].path, &block->files[i].identity);
    }
}

static void on_watch(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct places *places = timer->data;
    if (places->running || is_as_it_was(&places->current)) {
        return;
    }
    bool good = true;
    note_identities(&places->current);
    places->fault = (struct geo_fault){0};
    for (size_t i = 0; i < places->current.file_count && good; i++) {
        good = take_path(&places->read, places->current.files[i].path);
    }
    if (!good) {
        block_drop(&places->read);
        return;
    }
    places->running = pthread_create(&places->thread, NULL, read_aside, places) == 0;
    if (!places->running) {
        log_error("cannot read %s: no thread can be started", places->read.files[0].path);
        block_drop(&places->read);
    }
}

enum err places_new(struct ev_loop *loop, void (*changed)(void *context), void *context,
                    struct places **out)
{
    struct places *places = calloc(1, sizeof(*places));
    if (places == NULL) {
        return ERR_MEMORY;
    }
    places->loop = loop;
    places->changed = changed;
    places->context = context;
    places->current.fd = places->next.fd = places->read.fd = -1;
    ev_async_init(&places->done, on_done);
    places->done.data = places;
    ev_async_start(loop, &places->done);
    ev_timer_init(&places->watch, on_watch, watch_pause_s, watch_pause_s);
    places->watch.data = places;
    ev_timer_start(loop, &places->watch);
    *out = places;
    return ERR_NONE;
}

void places_free(struct places **places)
{
    struct places *freed = *places;
    *places = NULL;
    if (freed == NULL) {
        return;
    }
    if (freed->running) {
        pthread_join(freed->thread, NULL);
    }
    ev_async_stop(freed->loop, &freed->done);
    ev_timer_stop(freed->loop, &freed->watch);
    block_drop(&freed->current);
    block_drop(&freed->next);
    block_drop(&freed->read);
    free(freed);
}

/* ---- with a configuration ---- */

static void note_problem(struct configuration *configuration, enum err err,
                         const struct geo_fault *fault)
{
    const struct model_geo_file *file = &configuration->model->geo[fault->file];
    problems_error(
        &configuration->problems, file->place, "%.*s cannot be used: %s", SPAN_ARG(file->path),
        err == ERR_IO && errno == EACCES ? control_why(configuration, errno) : fault->why);
}

/* False: no memory, which is noted. */
static bool take_files(struct configuration *configuration, struct block *block)
{
    const struct model *model = configuration->model;
    for (size_t i = 0; i < model->geo_count; i++) {
        const char *path =
            named_path(&configuration->arena, configuration->problems.file, model->geo[i].path);
        if (path == NULL || !take_path(block, path)) {
            note_problem(configuration, ERR_MEMORY,
                         &(struct geo_fault){.file = i, .why = "out of memory"});
            return false;
        }
    }
    return true;
}

bool places_load(struct places *places, struct configuration *configuration)
{
    struct geo_fault fault;
    places_abandon(places);
    if (!take_files(configuration, &places->next)) {
        block_drop(&places->next);
        return false;
    }
    if (places->current.fd >= 0 && same_files(&places->current, &places->next) &&
        is_as_it_was(&places->current) && exist(&places->current)) {
        block_drop(&places->next);
        return true;
    }
    enum err err = places->next.file_count > 0 ? block_read(&places->next, &fault) : ERR_NONE;
    if (err != ERR_NONE) {
        note_problem(configuration, err, &fault);
        block_drop(&places->next);
        return false;
    }
    places->has_next = true;
    return true;
}

void places_watch(struct places *places, struct configuration *configuration)
{
    block_drop(&places->current);
    if (!take_files(configuration, &places->current)) {
        block_drop(&places->current);
    }
    note_identities(&places->current);
}

void places_commit(struct places *places)
{
    if (places->has_next) {
        block_drop(&places->current);
        places->current = places->next;
        places->next = (struct block){.fd = -1};
        places->has_next = false;
    }
}

void places_abandon(struct places *places)
{
    block_drop(&places->next);
    places->has_next = false;
}

static const struct block *newest(const struct places *places)
{
    return places->has_next ? &places->next : &places->current;
}

int places_fd(const struct places *places)
{
    return newest(places)->fd;
}

bool places_read(struct configuration *configuration, uint8_t **bytes_out, size_t *len_out)
{
    const struct model *model = configuration->model;
    const char *paths[geo_files_max] = {NULL};
    struct geo_fault fault = {.why = "out of memory"};
    enum err err = ERR_NONE;
    *bytes_out = NULL;
    *len_out = 0;
    for (size_t i = 0; i < model->geo_count && err == ERR_NONE; i++) {
        paths[i] =
            named_path(&configuration->arena, configuration->problems.file, model->geo[i].path);
        err = paths[i] != NULL ? ERR_NONE : ERR_MEMORY;
    }
    if (err == ERR_NONE && model->geo_count > 0) {
        err = geo_load_mmdb(paths, model->geo_count, bytes_out, len_out, &fault);
    }
    if (err != ERR_NONE) {
        note_problem(configuration, err, &fault);
    }
    return err == ERR_NONE;
}

/* ---- where servers are ---- */

/* "eu1.example.net", "192.0.2.1", "2001:db8::1" of a URL. */
static struct span host_of(struct span url)
{
    struct span authority = location_authority(url);
    size_t begin = 0;
    for (size_t i = 0; i + 2 < authority.len; i++) {
        if (memcmp(authority.ptr + i, "://", 3) == 0) {
            begin = i + 3;
        }
    }
    struct span host = span_from(authority, begin);
    if (host.len > 0 && host.ptr[0] == '[') {
        size_t end = span_find(host, 0, ']');
        return span_slice(host, 1, end < host.len ? end : host.len);
    }
    return span_slice(host, 0, span_find(host, 0, ':'));
}

bool places_point_in(const struct geo_head *geo, const struct resolver *resolver, struct span url,
                     float out[3])
{
    struct origin_address known[origin_addresses_max] = {0};
    struct span host = host_of(url);
    size_t count = 1;
    if (!address_parse(host, known[0].bytes)) {
        count = resolver != NULL ? resolver_find(resolver, host, known) : 0;
    }
    for (size_t i = 0; i < count; i++) {
        const struct geo_place *place = geo_find(geo, known[i].bytes);
        if (place->located != 0) {
            geo_point(place->latitude, place->longitude, out);
            return true;
        }
    }
    return false;
}

bool places_point(const struct places *places, const struct resolver *resolver, struct span url,
                  float out[3])
{
    return places_point_in(newest(places)->head, resolver, url, out);
}

void places_want(struct resolver *resolver, const struct model *model)
{
    uint8_t address[16];
    for (size_t i = 0; i < model->pool_count; i++) {
        const struct model_pool *pool = &model->pools[i];
        for (size_t k = 0; pool->balance == BALANCE_NEAREST && k < pool->server_count; k++) {
            const struct model_server *server = &pool->servers[k];
            struct span host = host_of(server->url);
            if (server->located || address_parse(host, address)) {
                continue;
            }
            enum err err = resolver_want(resolver, host, names_interval_ms);
            if (err != ERR_NONE) {
                log_error("cannot look up %.*s, so nobody knows where it is: %s; say `at`",
                          SPAN_ARG(host), err_text(err));
            }
        }
    }
}
