/* SPDX-License-Identifier: MIT */
/* A folder for a store that goes away afterwards, and short ways to say what tests say. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

int fixture_begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *temporary = getenv("TMPDIR");
    snprintf(f->folder, sizeof(f->folder), "%.40s/detour-store-XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    if (f == NULL || mkdtemp(f->folder) == NULL) {
        return -1;
    }
    snprintf(f->file, sizeof(f->file), "%s/store.mdb", f->folder);
    arena_init(&f->arena, 0);
    *state = f;
    return 0;
}

int fixture_end(void **state)
{
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "store.mdb.new"};
    struct fixture *f = *state;
    store_close(&f->store);
    arena_fini(&f->arena);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
        unlink(path);
    }
    int result = rmdir(f->folder);
    free(f);
    return result;
}

void fixture_open(struct fixture *f)
{
    if (store_open(f->folder, &f->store, f->reason) != ERR_NONE) {
        fail_msg("%s", f->reason);
    }
}

void fixture_reopen(struct fixture *f)
{
    store_close(&f->store);
    arena_fini(&f->arena);
    fixture_open(f);
}

/* ---- content ---- */

static void mix(uint64_t *sum, struct span bytes)
{
    *sum = XXH3_64bits_withSeed(bytes.ptr, bytes.len, *sum + bytes.len);
}

static void mix_number(uint64_t *sum, uint64_t number)
{
    mix(sum, span_of(&number, sizeof(number)));
}

static void mix_value(uint64_t *sum, const struct store_value *value)
{
    mix_number(sum, value->kind);
    mix_number(sum, value->stanza);
    mix(sum, value->json);
}

static void mix_overrides(uint64_t *sum, struct fixture *f)
{
    struct store_override *items;
    size_t count;
    assert_int_equal(store_overrides(f->store, &f->arena, &items, &count), ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        mix(sum, items[i].key);
        mix_value(sum, &items[i].value);
        mix_number(sum, items[i].number);
        mix_number(sum, (uint64_t)items[i].created_ns);
        mix_number(sum, (uint64_t)items[i].changed_ns);
    }
}

static uint64_t mix_history(uint64_t *sum, struct fixture *f, uint64_t below)
{
    struct store_change *items;
    size_t count;
    assert_int_equal(store_history(f->store, below, store_page_max, &f->arena, &items, &count),
                     ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        mix_number(sum, items[i].number);
        mix_number(sum, (uint64_t)items[i].time_ns);
        mix(sum, items[i].key);
        mix(sum, items[i].why);
        mix_value(sum, &items[i].before);
        mix_value(sum, &items[i].after);
    }
    return count > 0 ? items[count - 1].number : 1;
}

static void mix_tokens(uint64_t *sum, struct fixture *f)
{
    struct store_token *items;
    size_t count;
    assert_int_equal(store_tokens(f->store, &f->arena, &items, &count), ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        mix(sum, items[i].name);
        mix_number(sum, items[i].scope);
    }
}

bool fixture_find(struct fixture *f, const char *key, struct store_override *out)
{
    struct store_override *items;
    size_t count;
    assert_int_equal(store_overrides(f->store, &f->arena, &items, &count), ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        if (span_eq(items[i].key, span_cstr(key))) {
            *out = items[i];
            return true;
        }
    }
    return false;
}

uint64_t fixture_digest(struct fixture *f)
{
    uint64_t sum = 0;
    uint64_t below = 0;
    mix_overrides(&sum, f);
    do {
        below = mix_history(&sum, f, below);
    } while (below > 1);
    mix_tokens(&sum, f);
    arena_fini(&f->arena);
    return sum;
}

struct span fixture_read_file(const struct fixture *f)
{
    struct stat status = {0};
    int fd = open(f->file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &status) == 0);
    size_t len = (size_t)status.st_size;
    uint8_t *bytes = malloc(len + 1);
    assert_int_equal(read(fd, bytes, len), status.st_size);
    close(fd);
    return span_of(bytes, len);
}

void fixture_write_file(const struct fixture *f, struct span bytes)
{
    int fd = open(f->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
    close(fd);
}

/* ---- changes ---- */

static struct store_change change(const char *key)
{
    return (struct store_change){
        .time_ns = 1790000000000000000,
        .who = {.via = STORE_VIA_SOCKET, .uid = 1000, .name = SPAN("anna")},
        .owner = SPAN("payments"),
        .why = SPAN("database upgrade"),
        .key = span_cstr(key),
    };
}

struct store_change change_set(const char *key, const char *json, uint64_t stanza)
{
    struct store_change made = change(key);
    made.after = (struct store_value){STORE_SET, span_cstr(json), stanza};
    return made;
}

struct store_change change_off(const char *key, uint64_t stanza)
{
    struct store_change made = change(key);
    made.after = (struct store_value){.kind = STORE_OFF, .stanza = stanza};
    return made;
}

struct store_change change_none(const char *key)
{
    return change(key);
}

uint64_t apply_one(struct fixture *f, struct store_change change)
{
    uint64_t number = 0;
    assert_int_equal(store_apply(f->store, &change, 1, &number), ERR_NONE);
    return number;
}
