/* SPDX-License-Identifier: MIT */
/* All that control does with an open store, inside of its sandbox: a system call or a file
 * that is missing ends the process. */
#include "fixture.h"

#include "base/sanitizer.h"
#include "sandbox/sandbox.h"
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            _exit(1);                                               \
        }                                                           \
    } while (0)

static uint64_t apply_one_checked(struct fixture *f, struct store_change change)
{
    uint64_t number = 0;
    CHECK(store_apply(f->store, &change, 1, &number) == ERR_NONE);
    return number;
}

/* More than the map that it begins with. */
static void grow(struct fixture *f)
{
    char *json = malloc(store_value_bytes_max);
    memset(json, 'x', store_value_bytes_max - 1);
    json[store_value_bytes_max - 1] = '\0';
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof(key), "s/%d", i);
        apply_one_checked(f, change_set(key, json, 0));
    }
    free(json);
}

static void use(struct fixture *f)
{
    char text[store_token_text_bytes];
    uint8_t secret[store_secret_bytes];
    struct store_token token;
    struct store_change *items;
    size_t count = 0;
    struct store_change by = change_none("deploy");
    CHECK(apply_one_checked(f, change_set("s/d", "1", 0)) == 1);
    CHECK(store_secret(f->store, SPAN("tickets"), secret) == ERR_NONE);
    CHECK(store_token_add(f->store, &by, STORE_SCOPE_READ, text) == ERR_NONE);
    CHECK(store_token_check(f->store, span_cstr(text), &f->arena, &token) == ERR_NONE);
    grow(f);
    /* As after a disk that failed in the middle of a commit. */
    environment_close(f->store);
    apply_one_checked(f, change_none("s/1"));
    CHECK(store_history(f->store, 0, store_page_max, &f->arena, &items, &count) == ERR_NONE);
    CHECK(count == 103);
    store_close(&f->store);
}

static void run_sandboxed(struct fixture *f, enum sandbox_mode mode)
{
    const struct sandbox_policy policy = {.mode = mode};
    const struct sandbox_path paths[] = {{.path = "/etc"},
                                         {.path = "/usr"},
                                         {.path = f->folder},
                                         {.path = f->folder, .write = true}};
    int status;
    pid_t child = fork();
    if (child == 0) {
        CHECK(store_open(f->folder, &f->store, f->reason) == ERR_NONE);
        CHECK(sandbox_enter(&policy, SANDBOX_CONTROL, paths, 4) == ERR_NONE);
        use(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void the_store_works_confined(void **state)
{
    if (SANITIZED) {
        skip(); /* they make system calls of their own */
    }
    run_sandboxed(*state, SANDBOX_KILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_store_works_confined, fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
