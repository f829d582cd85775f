/* SPDX-License-Identifier: MIT */
/* Each file of test/golden/config/bad is refused and each of good is taken, with exactly
 * the messages that stand in its .expected file. UPDATE=1 in the environment writes them
 * anew; read the difference before you commit it. */
#include "config/model.h"

#include "base/clock.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW (INT64_C(1795000000) * NS_PER_SECOND) /* 2026-11-18 */

static struct span file_read(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return (struct span){0};
    }
    uint8_t *bytes = arena_alloc(arena, 1 << 18);
    assert_non_null(bytes);
    size_t len = fread(bytes, 1, 1 << 18, file);
    fclose(file);
    return span_of(bytes, len);
}

static struct span print(struct arena *arena, const struct problems *problems)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    problems_print(problems, out);
    fclose(out);
    struct span copy = arena_copy(arena, span_of(text, len));
    free(text);
    return copy;
}

static void update(const char *path, struct span text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(text.ptr, 1, text.len, file);
    fclose(file);
}

static bool check_file(const char *folder, const char *name, bool good)
{
    struct arena arena;
    struct problems problems;
    arena_init(&arena, 0);
    problems_init(&problems, &arena, name);
    char *path = arena_printf(&arena, "%s/%s/%s", GOLDEN, folder, name);
    char *expected_path = arena_printf(&arena, "%.*s.expected", (int)strlen(path) - 5, path);
    const struct model *model = model_load(file_read(&arena, path), NOW, &problems);
    struct span got = print(&arena, &problems);
    if (getenv("UPDATE") != NULL) {
        update(expected_path, got);
    }
    bool same = span_eq(got, file_read(&arena, expected_path)) && (model != NULL) == good &&
                (access(expected_path, R_OK) == 0);
    if (!same) {
        fprintf(stderr, "%s/%s gives%s:\n%.*s", folder, name, model != NULL ? " a model" : "",
                SPAN_ARG(got));
    }
    arena_fini(&arena);
    return same;
}

static void check_folder(const char *folder, bool good, size_t least)
{
    char path[512];
    size_t count = 0;
    bool all = true;
    snprintf(path, sizeof(path), "%s/%s", GOLDEN, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (span_ends(span_cstr(entry->d_name), SPAN(".yaml"))) {
            all = check_file(folder, entry->d_name, good) && all;
            count++;
        }
    }
    closedir(dir);
    assert_true(all);
    assert_true(count >= least);
}

static void test_bad_files(void **state)
{
    check_folder("bad", false, 20);
}

static void test_good_files(void **state)
{
    check_folder("good", true, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_good_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
