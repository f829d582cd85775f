/* SPDX-License-Identifier: MIT */
/* A store's file: it outlives who wrote it, two processes use it at once, and one that is damaged
 * or newer is refused and left alone, whatever byte was changed. */
#include "client/file.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW FIXTURE_NOW

static char folder[64];
static char path[96];
static char why[DETOUR_WHY_BYTES];

static int set_up(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/detour-file-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/redirects", folder);
    return 0;
}

static int tear_down(void **state)
{
    char lock[128];
    snprintf(lock, sizeof(lock), "%s-lock", path);
    unlink(lock);
    unlink(path);
    return rmdir(folder);
}

static struct detour_store *open_store(void)
{
    struct detour_store *store;
    enum detour_error error = detour_store_open(path, NULL, why, &store);
    if (error != DETOUR_OK) {
        fail_msg("%s: %s", detour_error_text(error), why);
    }
    return store;
}

/* status 308: kept; any other: the URL is forgotten. */
static enum detour_error learn(struct detour_store *store, int number, size_t length,
                               uint16_t status)
{
    static _Thread_local char location[40000];
    char url[64];
    memset(location, 'x', sizeof(location));
    snprintf(url, sizeof(url), "http://a.test/%d", number);
    struct detour_field field = {.name = detour_text_of("Location"), .value = {location, length}};
    struct detour_request request = {
        .size = sizeof(request), .method = detour_text_of("GET"), .url = detour_text_of(url)};
    struct detour_answer answer = {.size = sizeof(answer),
                                   .status = status,
                                   .fields = &field,
                                   .field_count = 1,
                                   .received_s = NOW};
    return detour_store_learn(store, &request, &answer, NULL);
}

static bool knows(struct detour_store *store, int number)
{
    char url[64];
    snprintf(url, sizeof(url), "http://a.test/%d", number);
    struct detour_request request = {
        .size = sizeof(request), .method = detour_text_of("GET"), .url = detour_text_of(url)};
    struct detour_hit *hit = NULL;
    assert_int_equal(detour_store_find(store, &request, NOW, &hit), DETOUR_OK);
    bool known = hit != NULL;
    detour_hit_free(&hit);
    return known;
}

static void it_outlives_who_wrote_it(void **state)
{
    struct stat status;
    struct detour_store *store = open_store();
    for (int i = 0; i < 300; i++) {
        assert_int_equal(learn(store, i, (size_t)i * 37, 308), DETOUR_OK);
    }
    for (int i = 0; i < 300; i += 3) {
        assert_int_equal(learn(store, i, 0, 200), DETOUR_OK);
    }
    detour_store_free(&store);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    store = open_store();
    size_t count;
    assert_int_equal(detour_store_count(store, &count), DETOUR_OK);
    assert_int_equal(count, 200);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(knows(store, i), i % 3 != 0);
    }
    detour_store_free(&store);
}

/* ---- two at once ---- */

static void write_some(int from, int to)
{
    struct detour_store *store = open_store();
    for (int i = from; i < to; i++) {
        if (learn(store, i, 500, 308) != DETOUR_OK) {
            _exit(1);
        }
    }
    detour_store_free(&store);
}

static void two_processes_use_it_at_once(void **state)
{
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            write_some(100 * i, 100 * i + 100);
            _exit(0);
        }
    }
    for (int i = 0; i < 2; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct detour_store *store = open_store();
    for (int i = 0; i < 200; i++) {
        assert_true(knows(store, i));
    }
    detour_store_free(&store);
}

static void one_sees_what_another_writes(void **state)
{
    struct detour_store *store = open_store();
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "writer", path, (char *)NULL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(knows(store, 7));
    assert_int_equal(learn(store, 8, 10, 308), DETOUR_OK);
    detour_store_free(&store);
}

static void *use(void *context)
{
    struct detour_store *store = context;
    for (int i = 0; i < 50; i++) {
        learn(store, i % 10, 100, i % 7 == 6 ? 200 : 308);
        struct detour_request request = {.size = sizeof(request),
                                         .method = detour_text_of("GET"),
                                         .url = detour_text_of("http://a.test/1")};
        struct detour_hit *hit = NULL;
        detour_store_find(store, &request, NOW, &hit);
        detour_hit_free(&hit);
    }
    return NULL;
}

static void several_threads_use_it_at_once(void **state)
{
    struct detour_store *store = open_store();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use, store), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(knows(store, 9));
    detour_store_free(&store);
    store = open_store();
    detour_store_free(&store);
}

/* ---- damage ---- */

static uint8_t *read_whole(size_t *len_out)
{
    struct stat status = {0};
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &status) == 0);
    uint8_t *bytes = malloc((size_t)status.st_size + 1);
    assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
    close(fd);
    *len_out = (size_t)status.st_size;
    return bytes;
}

static void write_whole(const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static enum detour_error check_bytes(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    why[0] = '\0';
    enum detour_error error = file_check(fd, why);
    close(fd);
    return error;
}

static void make_sample(void)
{
    struct detour_store *store = open_store();
    for (int i = 0; i < 120; i++) {
        assert_int_equal(learn(store, i, i % 10 == 0 ? 9000 : 100, 308), DETOUR_OK);
    }
    for (int i = 0; i < 30; i++) {
        assert_int_equal(learn(store, i, 0, 200), DETOUR_OK);
    }
    detour_store_free(&store);
}

/* Opens what was found sound, and uses all of it: whatever the change was, nothing may end the
 * process. */
static void use_all(void)
{
    struct detour_store *store;
    enum detour_error error = detour_store_open(path, NULL, why, &store);
    if (error != DETOUR_OK) {
        fprintf(stderr, "%s: %s\n", detour_error_text(error), why);
        _exit(1);
    }
    for (int i = 0; i < 130; i++) {
        error = learn(store, i, 700, i % 2 == 0 ? 308 : 200);
        if (error != DETOUR_OK) {
            fprintf(stderr, "%d: %s\n", i, detour_error_text(error));
            _exit(1);
        }
        knows(store, i);
    }
    detour_store_clear(store);
    detour_store_free(&store);
    _exit(0);
}

/* Changes bytes all over the file. Nearly each is seen; where one is not, since it lies in what
 * nobody reads, the file works. */
static void a_changed_byte_is_seen_or_harmless(void **state)
{
    make_sample();
    size_t len;
    size_t seen = 0;
    uint8_t *bytes = read_whole(&len);
    assert_int_equal(check_bytes(bytes, len), DETOUR_OK);
    unsigned random = 1;
    for (int i = 0; i < 1500; i++) {
        random = random * 1103515245 + 12345;
        /* The heads of pages and the meta pages more often than the rest. */
        size_t at = (random >> 8) % (len + 1);
        at = i % 3 == 0 ? (at & ~(size_t)4095) | (at & 63) : i % 3 == 1 ? at & 4351 : at;
        at = at < len ? at : 0;
        uint8_t old = bytes[at];
        bytes[at] ^= (uint8_t)(1 << (random >> 5) % 8);
        if (check_bytes(bytes, len) != DETOUR_OK) {
            assert_true(strlen(why) > 10);
            seen++;
        } else if (i % 10 == 0) {
            write_whole(bytes, len);
            pid_t child = fork();
            if (child == 0) {
                use_all();
            }
            int status;
            assert_int_equal(waitpid(child, &status, 0), child);
            if (status != 0) {
                fail_msg("byte %zu: %d", at, status);
            }
        }
        bytes[at] = old;
    }
    assert_true(seen > 300);
    free(bytes);
}

static void what_is_no_store_is_told_and_left_alone(void **state)
{
    static const struct {
        const char *text;
        size_t len; /* 0: of text */
    } cases[] = {
        {"hello", 0},
        {"# Not a store, but somebody's notes, which are to stay as they are.\n", 0},
        {"\0", 20000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static uint8_t bytes[20000];
        struct detour_store *store = NULL;
        size_t len = cases[i].len != 0 ? cases[i].len : strlen(cases[i].text);
        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes, cases[i].text, strlen(cases[i].text));
        write_whole(bytes, len);
        assert_int_equal(detour_store_open(path, NULL, why, &store), DETOUR_ERROR_DAMAGED);
        assert_null(store);
        assert_true(strlen(why) > 10);
        size_t left;
        uint8_t *again = read_whole(&left);
        assert_int_equal(left, len);
        assert_memory_equal(again, bytes, len);
        free(again);
    }
}

static void a_file_that_was_cut_is_told(void **state)
{
    make_sample();
    size_t len;
    uint8_t *bytes = read_whole(&len);
    for (size_t cut = 100; cut < len - 4096; cut += 5000) {
        assert_int_equal(check_bytes(bytes, cut), DETOUR_ERROR_DAMAGED);
    }
    free(bytes);
}

/* Through LMDB itself: a sound file that says something else. */
static void change_record(const char *key_text, size_t key_len, const void *value_bytes,
                          size_t value_len)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &table), 0);
    MDB_val key = {.mv_size = key_len, .mv_data = (void *)(uintptr_t)key_text};
    MDB_val value = {.mv_size = value_len, .mv_data = (void *)(uintptr_t)value_bytes};
    assert_int_equal(mdb_put(txn, table, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void a_newer_file_is_told(void **state)
{
    static const uint8_t newer[] = {2, 0, 0, 0, 'n', 'e', 'w'};
    struct detour_store *store = NULL;
    make_sample();
    change_record("m", 1, newer, sizeof(newer));
    assert_int_equal(detour_store_open(path, NULL, why, &store), DETOUR_ERROR_NEWER);
    assert_string_equal(why, "its format is 2, and this library knows 1");
    assert_int_equal(detour_store_open(path, NULL, NULL, &store), DETOUR_ERROR_NEWER);
}

static void a_record_of_somebody_else_is_told(void **state)
{
    static const struct {
        const char *key;
        size_t key_len;
        const char *value;
        size_t value_len;
        const char *why;
    } cases[] = {
        {"x", 1, "y", 1, "it holds what does not belong there"},
        {"u0123456789abcdef", 17, "0123456789", 10, "a record is damaged"},
        {"o01234567", 9, "x", 1, "a record is damaged"},
        {"a", 1, "y", 1, "it does not say its format"},
        {"m", 1, "\1\0\0\0xxx", 7, "its sums are damaged"},
        {"m", 1, "\1\0", 2, "it does not say its format"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detour_store *store = NULL;
        unlink(path);
        make_sample();
        change_record(cases[i].key, cases[i].key_len, cases[i].value, cases[i].value_len);
        assert_int_equal(detour_store_open(path, NULL, why, &store), DETOUR_ERROR_DAMAGED);
        assert_string_equal(why, cases[i].why);
    }
}

static void a_path_that_cannot_be_opened_is_told(void **state)
{
    struct detour_store *store = NULL;
    assert_int_equal(detour_store_open("/nonexistent/x", NULL, why, &store), DETOUR_ERROR_IO);
    assert_string_equal(why, strerror(ENOENT));
    assert_int_equal(detour_store_open(folder, NULL, why, &store), DETOUR_ERROR_IO);
    assert_int_equal(detour_store_open("/dev/null", NULL, why, &store), DETOUR_ERROR_DAMAGED);
}

/* Whoever made it died before the first record. */
static void a_file_without_records_is_taken_for_a_new_one(void **state)
{
    MDB_env *env;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    mdb_env_close(env);
    struct detour_store *store = open_store();
    assert_int_equal(learn(store, 1, 10, 308), DETOUR_OK);
    assert_true(knows(store, 1));
    detour_store_free(&store);
}

int main(int argc, char **argv)
{
    if (argc == 2) { /* the other process of one_sees_what_another_writes */
        snprintf(path, sizeof(path), "%s", argv[1]);
        write_some(0, 10);
        return 0;
    }
#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FILE_TEST(it_outlives_who_wrote_it),
        FILE_TEST(two_processes_use_it_at_once),
        FILE_TEST(one_sees_what_another_writes),
        FILE_TEST(several_threads_use_it_at_once),
        FILE_TEST(a_changed_byte_is_seen_or_harmless),
        FILE_TEST(what_is_no_store_is_told_and_left_alone),
        FILE_TEST(a_file_that_was_cut_is_told),
        FILE_TEST(a_newer_file_is_told),
        FILE_TEST(a_record_of_somebody_else_is_told),
        FILE_TEST(a_path_that_cannot_be_opened_is_told),
        FILE_TEST(a_file_without_records_is_taken_for_a_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
