/* SPDX-License-Identifier: MIT */
/* kill -9 at any moment: what was answered is there, and nothing is half done. The number of
 * kills can be given, for longer runs by hand. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { delay_us_max = 20000 };
static int kills = 200;

/* Three overrides that always change together, so that a half is seen. */
static const char *const keys[] = {"s/a", "s/b", "s/c"};
enum { keys_count = 3 };

static uint64_t apply_round(struct store *store, uint64_t round)
{
    char json[64];
    uint64_t first = 0;
    struct store_change batch[keys_count];
    snprintf(json, sizeof(json), "{\"round\":%llu}", (unsigned long long)round);
    for (size_t i = 0; i < keys_count; i++) {
        batch[i] = change_set(keys[i], json, round);
        batch[i].time_ns = (int64_t)round;
    }
    return store_apply(store, batch, keys_count, &first) == ERR_NONE ? first : 0;
}

/* Answers go up the pipe as control's would go to a client: only once the store has said so. */
static _Noreturn void child_main(struct fixture *f, int out)
{
    struct store_override item;
    uint64_t round = 0;
    if (store_open(f->folder, &f->store, f->reason) != ERR_NONE) {
        fprintf(stderr, "%s\n", f->reason);
        _exit(1);
    }
    if (fixture_find(f, "s/a", &item)) {
        round = item.value.stanza;
    }
    for (;;) {
        round++;
        if (apply_round(f->store, round) != keys_count * (round - 1) + 1 ||
            write(out, &round, sizeof(round)) != (ssize_t)sizeof(round)) {
            _exit(1);
        }
    }
}

static uint64_t last_answer(int in, uint64_t before)
{
    uint64_t round = before;
    uint64_t next;
    while (read(in, &next, sizeof(next)) == (ssize_t)sizeof(next)) {
        assert_true(next == round + 1);
        round = next;
    }
    return round;
}

/* The round that the store is in, whole. */
static uint64_t check_store(struct fixture *f)
{
    struct store_override *items;
    struct store_change *changes;
    size_t count;
    fixture_reopen(f);
    assert_int_equal(store_overrides(f->store, &f->arena, &items, &count), ERR_NONE);
    if (count == 0) {
        store_close(&f->store);
        return 0;
    }
    assert_int_equal(count, keys_count);
    uint64_t round = items[0].value.stanza;
    assert_int_equal(store_history(f->store, 0, 30, &f->arena, &changes, &count), ERR_NONE);
    for (size_t i = 0; i < keys_count; i++) {
        assert_int_equal(items[i].value.stanza, round);
        assert_int_equal(items[i].number, keys_count * (round - 1) + 1 + i);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t number = keys_count * round - i;
        assert_int_equal(changes[i].number, number);
        assert_int_equal(changes[i].time_ns, (number + keys_count - 1) / keys_count);
    }
    store_close(&f->store);
    return round;
}

/* Kills it at some moment from its start on, or from its first answer on. True when it had
 * answered something. */
static bool kill_once(struct fixture *f, bool at_work, unsigned *seed, uint64_t *round)
{
    int ends[2];
    int status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        child_main(f, ends[1]);
    }
    close(ends[1]);
    uint64_t answered = *round;
    if (at_work) {
        assert_int_equal(read(ends[0], &answered, sizeof(answered)), sizeof(answered));
        assert_int_equal(answered, *round + 1);
    }
    usleep((useconds_t)rand_r(seed) % delay_us_max);
    assert_int_equal(kill(child, SIGKILL), 0);
    answered = last_answer(ends[0], answered);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    bool worked = answered != *round;
    *round = check_store(f);
    /* The last one may be there without having been answered. */
    assert_true(*round == answered || *round == answered + 1);
    return worked;
}

static void nothing_that_was_answered_is_lost(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 1;
    uint64_t round = 0;
    int worked = 0;
    for (int i = 0; i < kills; i++) {
        worked += kill_once(f, i % 2 != 0, &seed, &round);
    }
    assert_true(worked >= kills / 2);
}

int main(int argc, char **argv)
{
    kills = argc > 1 ? atoi(argv[1]) : kills;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_that_was_answered_is_lost, fixture_begin,
                                        fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
