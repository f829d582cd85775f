/* SPDX-License-Identifier: MIT */
/* A disk that is full or read-only, for which a small file system is mounted where nobody
 * else sees it. Without the right to do that the tests are skipped. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum { exit_skipped = 77 };

static bool mount_small(const char *folder)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", folder, "tmpfs", 0, "size=1m,mode=700") == 0;
}

/* The namespace goes with the child. cmocka's assertions do not work across a fork, so a
 * check that fails ends the child with the number of its line. */
#define CHECK(condition)                                                           \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, f->reason); \
            _exit(1);                                                              \
        }                                                                          \
    } while (0)

static void run_mounted(struct fixture *f, void (*body)(struct fixture *f))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (!mount_small(f->folder)) {
            _exit(exit_skipped);
        }
        body(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == exit_skipped) {
        skip();
    }
    assert_int_equal(status, 0);
}

/* Takes all room but that of some pages. */
static void fill_disk(struct fixture *f, size_t pages_left)
{
    static const char zeros[4096];
    char path[128];
    snprintf(path, sizeof(path), "%s/filler", f->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    off_t size = 0;
    while (write(fd, zeros, sizeof(zeros)) > 0) {
        size += (off_t)sizeof(zeros);
    }
    CHECK(errno == ENOSPC);
    CHECK(ftruncate(fd, size - (off_t)pages_left * 4096) == 0);
    close(fd);
}

static void free_disk(struct fixture *f)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/filler", f->folder);
    CHECK(unlink(path) == 0);
}

static void fill_until_it_fails(struct fixture *f)
{
    char json[3000];
    enum err err = ERR_NONE;
    memset(json, 'x', sizeof(json) - 1);
    json[sizeof(json) - 1] = '\0';
    CHECK(store_open(f->folder, &f->store, f->reason) == ERR_NONE);
    for (size_t room = 0; room < 6; room++) {
        uint64_t digest = 0;
        fill_disk(f, room);
        for (unsigned i = 0; i < 1000 && err == ERR_NONE; i++) {
            char key[32];
            uint64_t number;
            snprintf(key, sizeof(key), "s/%zu-%u", room, i);
            digest = fixture_digest(f);
            const struct store_change change = change_set(key, json, i);
            err = store_apply(f->store, &change, 1, &number);
        }
        CHECK(err == ERR_IO && errno == ENOSPC && store_is_full(errno));
        CHECK(fixture_digest(f) == digest);
        store_close(&f->store);
        CHECK(store_open(f->folder, &f->store, f->reason) == ERR_NONE); /* even now */
        CHECK(fixture_digest(f) == digest);
        free_disk(f);
        uint64_t number;
        const struct store_change change = change_set("s/after", json, 1);
        err = store_apply(f->store, &change, 1, &number);
        CHECK(err == ERR_NONE);
        CHECK(fixture_digest(f) != digest);
    }
    store_close(&f->store);
}

static void a_full_disk_loses_nothing(void **state)
{
    run_mounted(*state, fill_until_it_fails);
}

static void begin_on_a_full_disk(struct fixture *f)
{
    fill_disk(f, 2);
    CHECK(store_open(f->folder, &f->store, f->reason) == ERR_IO);
    CHECK(errno == ENOSPC && f->store == NULL && strstr(f->reason, "make room") != NULL);
    CHECK(access(f->file, F_OK) != 0);
    free_disk(f);
    CHECK(store_open(f->folder, &f->store, f->reason) == ERR_NONE);
    store_close(&f->store);
}

static void a_full_disk_begins_no_store(void **state)
{
    run_mounted(*state, begin_on_a_full_disk);
}

static void make_it_read_only(struct fixture *f)
{
    CHECK(store_open(f->folder, &f->store, f->reason) == ERR_NONE);
    store_close(&f->store);
    CHECK(mount(NULL, f->folder, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK(store_open(f->folder, &f->store, f->reason) == ERR_IO);
    CHECK(errno == EROFS && strstr(f->reason, "possible to write") != NULL);
}

static void a_read_only_disk_is_named(void **state)
{
    run_mounted(*state, make_it_read_only);
}

#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_full_disk_loses_nothing),
        IN_FOLDER(a_full_disk_begins_no_store),
        IN_FOLDER(a_read_only_disk_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
