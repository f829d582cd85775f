/* SPDX-License-Identifier: MIT */
/* What is told when, for lives of a detour: each step is a look at a time, with the schedule as
 * it is then. */
#include "events/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { steps_max = 10 };

#define S(n) ((int64_t)(n)*1000000000)
#define DAY 86400
#define NEVER SCHEDULE_NEVER

/* A window, in seconds. */
static const struct schedule from_1000_to_5000 = {.from_ns = S(1000), .until_ns = S(5000)};
static const struct schedule ever_to_5000 = {.from_ns = SCHEDULE_EVER, .until_ns = S(5000)};
static const struct schedule to_9000 = {.from_ns = S(1000), .until_ns = S(9000)};
static const struct schedule open_end = {.from_ns = S(1000), .until_ns = NEVER};
static const struct schedule shorter = {.from_ns = S(1000), .until_ns = S(1600)};
static const struct schedule held = {.from_ns = S(1000), .until_ns = S(5000), .hold = true};
static const struct schedule returns = {
    .from_ns = S(1000), .until_ns = S(5000), .return_over_ns = S(1000)};
static const struct schedule later = {.from_ns = S(7000), .until_ns = S(9000)};

struct step {
    int64_t at_s;
    const struct schedule *schedule; /* NULL: there is none */
    const char *told;                /* "kind@seconds[!]", with '!': somebody changed it */
    int64_t next_s;                  /* -1: never */
};

static const struct life {
    const char *name;
    bool first; /* the first look is the first of all */
    bool new;   /* it was not there at the look before */
    struct step steps[steps_max];
} lives[] = {
    {.name = "an ordinary one",
     .steps = {{500, &from_1000_to_5000, "", 1000},
               {1000, &from_1000_to_5000, "started@1000 ", 4400},
               {1001, &from_1000_to_5000, "", 4400},
               {4400, &from_1000_to_5000, "ending@4400 ", 5000},
               {4400, &from_1000_to_5000, "", 5000},
               {5000, &from_1000_to_5000, "ended@5000 ", -1},
               {6000, &from_1000_to_5000, "", -1},
               {6001, NULL, "", -1}}},
    {.name = "looked at late, each time",
     .steps = {{2000, &from_1000_to_5000, "started@1000 ", 4400},
               {4900, &from_1000_to_5000, "ending@4400 ", 5000},
               {9000, &from_1000_to_5000, "ended@5000 ", -1}}},
    {.name = "begun within the last minutes",
     .steps = {{4800, &from_1000_to_5000, "started@1000 ending@4400 ", 5000}}},
    {.name = "nobody looked while it was open",
     .steps = {{500, &from_1000_to_5000, "", 1000}, {6000, &from_1000_to_5000, "", -1}}},
    {.name = "its ending was slept through",
     .steps = {{2000, &from_1000_to_5000, "started@1000 ", 4400},
               {6000, &from_1000_to_5000, "ended@5000 ", -1}}},
    {.name = "switched on now, since ever",
     .steps = {{2000, &ever_to_5000, "started@2000! ", 4400},
               {4400, &ever_to_5000, "ending@4400 ", 5000}}},
    {.name = "switched on while its window was open",
     .new = true,
     .steps = {{2000, &from_1000_to_5000, "started@2000! ", 4400}}},
    {.name = "switched off, and on again",

     .steps = {{500, &from_1000_to_5000, "", 1000},
               {1000, &from_1000_to_5000, "started@1000 ", 4400},
               {2000, NULL, "ended@2000! ", -1},
               {2000, NULL, "", -1},
               {3000, &from_1000_to_5000, "started@3000! ", 4400}}},
    {.name = "taken away after its end",
     .steps = {{1000, &from_1000_to_5000, "started@1000 ", 4400}, {6000, NULL, "ended@5000 ", -1}}},
    {.name = "no longer than the warning",
     .steps = {{1000, &shorter, "started@1000 ", 1600}, {1600, &shorter, "ended@1600 ", -1}}},
    {.name = "extended before and after the warning",
     .steps = {{1000, &from_1000_to_5000, "started@1000 ", 4400},
               {4400, &from_1000_to_5000, "ending@4400 ", 5000},
               {4500, &to_9000, "", 8400},
               {8400, &to_9000, "ending@8400 ", 9000},
               {8500, &open_end, "", -1},
               {9999, &open_end, "", -1},
               {9999, &from_1000_to_5000, "ended@9999! ", -1}}},
    {.name = "shortened to now, by somebody",
     .steps = {{1000, &to_9000, "started@1000 ", 8400},
               {6000, &from_1000_to_5000, "ended@6000! ", -1},
               {6001, &from_1000_to_5000, "", -1}}},
    {.name = "extended when it was over",
     .steps = {{1000, &from_1000_to_5000, "started@1000 ", 4400},
               {5000, &from_1000_to_5000, "ended@5000 ", -1},
               {6000, &to_9000, "started@6000! ", 8400},
               {9000, &to_9000, "ended@9000 ", -1}}},
    {.name = "begun before its time",
     .steps = {{500, &later, "", 7000}, {2000, &from_1000_to_5000, "started@2000! ", 4400}}},
    {.name = "put off while it is open",
     .steps = {{1000, &from_1000_to_5000, "started@1000 ", 4400},
               {2000, &later, "ended@2000! ", 7000},
               {7000, &later, "started@7000 ", 8400}}},
    {.name = "another window, and nobody looked between",
     .steps = {{1000, &from_1000_to_5000, "started@1000 ", 4400},
               {7500, &later, "ended@5000 started@7500! ", 8400}}},
    {.name = "held",
     .steps = {{1000, &held, "started@1000 ", 4400},
               {4400, &held, "ending@4400 ", 5000},
               {5000, &held, "overdue@5000 ", 5000 + DAY},
               {6000, &held, "", 5000 + DAY},
               {5000 + DAY, &held, "overdue@91400 ", 5000 + 2 * DAY},
               {6000 + 4 * DAY, &held, "overdue@350600 ", 5000 + 5 * DAY},
               {6001 + 4 * DAY, NULL, "ended@351601! ", -1}}},
    {.name = "held, then extended",
     .steps = {{5500, &held, "started@1000 overdue@5000 ", 5000 + DAY},
               {5600, &to_9000, "", 8400},
               {8400, &to_9000, "ending@8400 ", 9000}}},
    {.name = "lets people go over a time",
     .steps = {{1000, &returns, "started@1000 ", 4400},
               {5000, &returns, "", 6000},
               {6000, &returns, "ended@6000 ", -1}}},
    {.name = "the clock is set back over each edge",
     .steps = {{1000, &from_1000_to_5000, "started@1000 ", 4400},
               {900, &from_1000_to_5000, "", 1000},
               {1000, &from_1000_to_5000, "", 4400},
               {4400, &from_1000_to_5000, "ending@4400 ", 5000},
               {4300, &from_1000_to_5000, "", 4400},
               {4400, &from_1000_to_5000, "", 5000},
               {5000, &from_1000_to_5000, "ended@5000 ", -1},
               {4000, &from_1000_to_5000, "", 4400},
               {4400, &from_1000_to_5000, "", 5000},
               {5000, &from_1000_to_5000, "", -1}}},
    {.name = "the clock is set back over a day of being overdue",
     .steps = {{5000 + DAY, &held, "started@1000 overdue@91400 ", 5000 + 2 * DAY},
               {5000, &held, "", 5000 + 2 * DAY},
               {5000 + DAY, &held, "", 5000 + 2 * DAY}}},
    {.name = "open at the first look of all",
     .first = true,
     .steps = {{2000, &from_1000_to_5000, "", 4400},
               {4400, &from_1000_to_5000, "ending@4400 ", 5000},
               {5000, &from_1000_to_5000, "ended@5000 ", -1}}},
    {.name = "in its last minutes at the first look of all",
     .first = true,
     .steps = {{4500, &from_1000_to_5000, "", 5000},
               {5000, &from_1000_to_5000, "ended@5000 ", -1}}},
    {.name = "overdue at the first look of all",
     .first = true,
     .steps = {{6000, &held, "overdue@5000 ", 5000 + DAY}, {6001, NULL, "ended@6001! ", -1}}},
};

static void say(const struct event_look *look, char out[256])
{
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < look->count; i++) {
        const struct event *e = &look->events[i];
        len += (size_t)snprintf(out + len, 256 - len, "%s@%lld%s ", event_kind_text(e->kind),
                                (long long)(e->time_ns / S(1)), e->by_schedule ? "" : "!");
    }
}

/* What is remembered goes through its bytes, as between two processes. */
static void keep(struct event_mark *mark)
{
    uint8_t bytes[event_mark_bytes];
    if (mark->told) {
        event_mark_encode(mark, bytes);
        assert_true(event_mark_decode(span_of(bytes, sizeof(bytes)), mark));
    }
}

static void test_lives(void **state)
{
    for (size_t i = 0; i < sizeof(lives) / sizeof(*lives); i++) {
        const struct life *life = &lives[i];
        struct event_mark mark = {0};
        struct event_times times = {.due_ns = life->new ? NEVER : SCHEDULE_EVER,
                                    .ending_ns = S(600)};
        for (size_t k = 0; k < steps_max && life->steps[k].told != NULL; k++) {
            const struct step *step = &life->steps[k];
            struct event_look look;
            char told[256];
            times.now_ns = S(step->at_s);
            if (life->first && k == 0) {
                event_look_first(step->schedule, &times, &look);
            } else {
                event_look(step->schedule, &mark, &times, &look);
            }
            say(&look, told);
            print_message("%s, step %zu\n", life->name, k + 1);
            assert_string_equal(told, step->told);
            assert_int_equal(look.next_ns, step->next_s < 0 ? NEVER : S(step->next_s));
            mark = look.mark;
            keep(&mark);
            times.due_ns = look.opens_ns;
        }
    }
}

/* One that a probe pulls has no window before it. */
static void test_triggered(void **state)
{
    struct schedule_trigger trigger = {0};
    const struct schedule schedule = {
        .from_ns = SCHEDULE_EVER, .until_ns = NEVER, .trigger = &trigger};
    struct event_times times = {.now_ns = S(100), .due_ns = NEVER, .ending_ns = S(600)};
    struct event_mark mark = {0};
    struct event_look look;
    char told[256];
    event_look(&schedule, &mark, &times, &look);
    assert_int_equal(look.count, 0);
    trigger.pulled = true;
    trigger.since_ns = S(200);
    times.now_ns = S(200);
    event_look(&schedule, &look.mark, &times, &look);
    say(&look, told);
    assert_string_equal(told, "started@200! ");
    trigger.pulled = false;
    times.now_ns = S(300);
    mark = look.mark;
    event_look(&schedule, &mark, &times, &look);
    say(&look, told);
    assert_string_equal(told, "ended@300! ");
}

static void test_bytes(void **state)
{
    const struct event_mark mark = {.told = true,
                                    .ending = true,
                                    .days = 77,
                                    .opened_ns = SCHEDULE_EVER,
                                    .closes_ns = -5,
                                    .gone_ns = NEVER};
    struct event_mark back;
    uint8_t bytes[event_mark_bytes];
    event_mark_encode(&mark, bytes);
    assert_true(event_mark_decode(span_of(bytes, sizeof(bytes)), &back));
    assert_int_equal(back.days, 77);
    assert_true(back.ending && !back.ended && back.told);
    assert_true(back.opened_ns == mark.opened_ns && back.closes_ns == -5 && back.gone_ns == NEVER);
    assert_false(event_mark_decode(span_of(bytes, sizeof(bytes) - 1), &back));
    bytes[29] = 1;
    assert_false(event_mark_decode(span_of(bytes, sizeof(bytes)), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_triggered),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
