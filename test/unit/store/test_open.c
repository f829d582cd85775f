/* SPDX-License-Identifier: MIT */
/* A store that cannot be opened: what is said, and that nothing in it is touched. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_says(const struct fixture *f, const char *part)
{
    if (strstr(f->reason, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", f->reason, part);
    }
}

static enum err open_again(struct fixture *f)
{
    store_close(&f->store);
    return store_open(f->folder, &f->store, f->reason);
}

static void fill(struct fixture *f)
{
    char text[store_token_text_bytes];
    uint8_t secret[store_secret_bytes];
    char json[6000];
    struct store_change by = change_none("deploy");
    memset(json, 'x', sizeof(json) - 1);
    json[sizeof(json) - 1] = '\0';
    fixture_open(f);
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof(key), "s/%d", i % 30);
        apply_one(f, change_set(key, i % 5 == 0 ? json : "{\"a\":1}", (uint64_t)i));
    }
    assert_int_equal(store_token_add(f->store, &by, STORE_SCOPE_WRITE, text), ERR_NONE);
    assert_int_equal(store_secret(f->store, SPAN("tickets"), secret), ERR_NONE);
}

/* ---- the folder ---- */

static void it_is_made_for_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    assert_int_equal(rmdir(f->folder), 0);
    mode_t old = umask(0);
    fixture_open(f);
    umask(old);
    assert_int_equal(stat(f->folder, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(stat(f->file, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_folder_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/none/none", f->folder);
    assert_int_equal(store_open(path, &f->store, f->reason), ERR_IO);
    assert_int_equal(errno, ENOENT);
    assert_says(f, path);
    assert_says(f, "No such file");
    fixture_write_file(f, SPAN("x"));
    assert_int_equal(store_open(f->file, &f->store, f->reason), ERR_IO);
    assert_int_equal(errno, ENOTDIR);
    assert_says(f, "must name a folder");
    char *large = malloc(8000);
    memset(large, 'x', 7999);
    large[7999] = '\0';
    assert_int_equal(store_open(large, &f->store, f->reason), ERR_IO);
    assert_int_equal(errno, ENAMETOOLONG);
    free(large);
    assert_null(f->store);
}

static void a_folder_that_may_not_be_written(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(chmod(f->folder, 0500), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
            _exit(3);
        }
        enum err err = store_open(f->folder, &f->store, f->reason);
        _exit(err == ERR_IO && errno == EACCES && strstr(f->reason, "possible to write") != NULL
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(f->folder, 0700), 0);
}

/* What was begun and not ended by one that was killed is no store. */
static void what_was_half_made_is_made_anew(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s.new", f->file);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    fixture_open(f);
    apply_one(f, change_set("s/d", "1", 0));
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- two processes ---- */

static void only_one_process_has_it(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        enum err err = store_open(f->folder, &f->store, f->reason);
        _exit(err == ERR_NONE && write(ends[1], "x", 1) == 1 ? pause() : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(store_open(f->folder, &f->store, f->reason), ERR_AGAIN);
    assert_says(f, "another process");
    assert_says(f, f->folder);
    /* A predecessor that is killed while its successor waits. */
    pid_t killer = fork();
    if (killer == 0) {
        usleep(200000);
        _exit(kill(child, SIGKILL));
    }
    fixture_open(f);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(waitpid(killer, NULL, 0), killer);
    close(ends[0]);
    apply_one(f, change_set("s/d", "1", 0));
}

/* ---- the file ---- */

static void put_format(const char *path, uint8_t format)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    uint8_t bytes[4] = {format};
    MDB_val key = {6, (void *)(uintptr_t) "format"};
    MDB_val value = {4, bytes};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* Opening fails so, says so, and changes no byte. */
static void assert_refused(struct fixture *f, enum err wanted, const char *part)
{
    struct span before = fixture_read_file(f);
    assert_int_equal(open_again(f), wanted);
    assert_null(f->store);
    assert_says(f, part);
    assert_says(f, f->file);
    assert_says(f, "move");
    struct span after = fixture_read_file(f);
    assert_true(span_eq(before, after));
    free((void *)(uintptr_t)before.ptr);
    free((void *)(uintptr_t)after.ptr);
}

static void a_newer_format_is_left_alone(void **state)
{
    struct fixture *f = *state;
    fill(f);
    store_close(&f->store);
    put_format(f->file, 3);
    assert_refused(f, ERR_RANGE, "newer");
    put_format(f->file, 0);
    assert_refused(f, ERR_SYNTAX, "damaged");
    put_format(f->file, 2);
    assert_int_equal(open_again(f), ERR_NONE);
}

static void files_of_others_are_left_alone(void **state)
{
    struct fixture *f = *state;
    static const char zeros[16384];
    const struct span rows[] = {SPAN(""),
                                SPAN("not a store"),
                                {(const uint8_t *)zeros, 4096},
                                {(const uint8_t *)zeros, sizeof(zeros)}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        fixture_write_file(f, rows[i]);
        assert_refused(f, ERR_SYNTAX, "damaged");
    }
    assert_int_equal(unlink(f->file), 0);
    put_format(f->file, 1);
    assert_refused(f, ERR_SYNTAX, "another program");
    assert_int_equal(unlink(f->file), 0);
    assert_int_equal(open_again(f), ERR_NONE); /* the way out */
}

static void a_file_that_was_cut_is_known(void **state)
{
    struct fixture *f = *state;
    fill(f);
    store_close(&f->store);
    struct span bytes = fixture_read_file(f);
    size_t refused = 0;
    for (size_t len = 0; len < bytes.len; len += 4096) {
        fixture_write_file(f, span_slice(bytes, 0, len));
        enum err err = open_again(f);
        refused += err == ERR_SYNTAX;
        assert_true(err == ERR_NONE || err == ERR_SYNTAX);
    }
    /* Free pages at the end may be missed without harm, but never the others. */
    assert_true(refused >= bytes.len / 4096 / 2);
    fixture_write_file(f, bytes);
    assert_int_equal(open_again(f), ERR_NONE);
    free((void *)(uintptr_t)bytes.ptr);
}

/* The file with one bit turned is refused, or holds what it held; and it can be used then. */
static void turn_a_bit(struct fixture *f, struct span good, size_t at, unsigned bit,
                       uint64_t digest, size_t *refused)
{
    uint8_t *bytes = malloc(good.len);
    memcpy(bytes, good.ptr, good.len);
    bytes[at] ^= (uint8_t)(1u << bit);
    fixture_write_file(f, span_of(bytes, good.len));
    enum err err = open_again(f);
    if (err == ERR_NONE) {
        if (fixture_digest(f) != digest) {
            fail_msg("bit %u of byte %zu changed the content", bit, at);
        }
        apply_one(f, change_none("s/1"));
    } else {
        if (err != ERR_SYNTAX && err != ERR_RANGE) {
            fail_msg("bit %u of byte %zu: %s", bit, at, f->reason);
        }
        struct span now = fixture_read_file(f);
        assert_true(span_eq(now, span_of(bytes, good.len)));
        free((void *)(uintptr_t)now.ptr);
        (*refused)++;
    }
    free(bytes);
}

static void a_turned_bit_is_known_or_harmless(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 4;
    size_t refused = 0;
    size_t tried = 0;
    fill(f);
    uint64_t digest = fixture_digest(f);
    store_close(&f->store);
    struct span good = fixture_read_file(f);
    for (size_t page = 0; page < 2; page++) { /* the header pages */
        for (size_t at = 0; at < 160; at++, tried++) {
            turn_a_bit(f, good, page * 4096 + at, (unsigned)rand_r(&seed) % 8, digest, &refused);
        }
        for (unsigned bit = 0; bit < 8; bit++, tried++) { /* which of the two is the newer one */
            turn_a_bit(f, good, page * 4096 + 144, bit, digest, &refused);
        }
    }
    assert_in_range(refused, 60, tried);
    for (int i = 0; i < 200; i++, tried++) {
        turn_a_bit(f, good, (size_t)rand_r(&seed) % good.len, (unsigned)rand_r(&seed) % 8, digest,
                   &refused);
    }
    assert_in_range(refused, 80, tried);
    free((void *)(uintptr_t)good.ptr);
}

#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(it_is_made_for_its_owner_alone),    IN_FOLDER(a_folder_that_cannot_be),
        IN_FOLDER(a_folder_that_may_not_be_written),  IN_FOLDER(what_was_half_made_is_made_anew),
        IN_FOLDER(only_one_process_has_it),           IN_FOLDER(a_newer_format_is_left_alone),
        IN_FOLDER(files_of_others_are_left_alone),    IN_FOLDER(a_file_that_was_cut_is_known),
        IN_FOLDER(a_turned_bit_is_known_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
