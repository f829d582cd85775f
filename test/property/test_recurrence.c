/* SPDX-License-Identifier: MIT */
/* Rules that chance makes, against a model that asks each day; from the beginning, and from
 * the middle. */
#include "calendar_model.h"

enum { rules_max = 3000, years = 12, times_max = 40000 };

static uint64_t seed = 88172645463325252;

static int chance(int below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int)(seed % (uint64_t)below);
}

static int signed_place(int max)
{
    int place = chance(max) + 1;
    return chance(3) == 0 ? -place : place;
}

static void make_list(int *list, int max, bool negative)
{
    int count = chance(3) + 1;
    for (int i = 0; i < count; i++) {
        list[i] = negative ? signed_place(max) : chance(max) + 1;
    }
}

static void make_days(struct model_rule *rule)
{
    bool numbered = rule->frequency >= EVERY_MONTH && rule->week_numbers[0] == 0 && chance(2);
    int count = chance(3) + 1;
    for (int i = 0; i < count; i++) {
        rule->days[i].weekday = chance(7) + 1;
        rule->days[i].number = numbered ? signed_place(5) : 0;
    }
}

static void make_rule(struct model_rule *rule)
{
    *rule = (struct model_rule){.frequency = (enum model_frequency)chance(4),
                                .interval = chance(2) ? 1 : chance(4) + 1,
                                .hours = {-1},
                                .minutes = {-1},
                                .week_start = chance(7) + 1};
    enum model_frequency f = rule->frequency;
    if (chance(4) == 0) {
        make_list(rule->months, 12, false);
    }
    if (f != EVERY_WEEK && chance(4) == 0) {
        make_list(rule->month_days, 31, true);
    }
    if (f == EVERY_YEAR && chance(6) == 0) {
        make_list(rule->year_days, 366, true);
    }
    if (chance(2)) {
        make_days(rule);
    }
    if (chance(4) == 0) {
        int hour = chance(12);
        rule->hours[0] = hour;
        rule->hours[1] = chance(2) ? -1 : hour + 1 + chance(11);
        rule->hours[2] = -1;
    }
    if (chance(6) == 0) {
        rule->minutes[0] = chance(30);
        rule->minutes[1] = chance(2) ? -1 : 30 + chance(30);
        rule->minutes[2] = -1;
    }
    bool any = rule->months[0] || rule->month_days[0] || rule->days[0].weekday ||
               rule->year_days[0] || rule->hours[0] >= 0;
    if (any && chance(5) == 0) {
        rule->positions[0] = signed_place(4);
    }
}

static void compare(const struct model_rule *model, int64_t start_s, struct arena *arena)
{
    static int64_t times[times_max];
    char text[512];
    char shown[2][40];
    const struct recurrence *r;
    const char *reason;
    struct recurrence_start start = {.local_s = start_s};
    int64_t first_day = start_s / 86400;
    size_t count =
        model_times(model, start_s, first_day, first_day + years * 366, times, times_max);
    model_rule_text(model, text, sizeof(text));
    enum err err = recurrence_read(span_cstr(text), &start, arena, &r, &reason);
    if (err != ERR_NONE) {
        if (count > 0 || err != ERR_NOTFOUND) {
            fail_msg("%s: %s, but there are %zu", text, reason, count);
        }
        return;
    }
    for (int middle = 0; middle < 2 && count > 0; middle++) {
        struct recurrence_walk walk;
        size_t i = middle ? (size_t)chance((int)count) : 0;
        int64_t ns = 0;
        int64_t bound;
        recurrence_walk_init(&walk, r, times[i] * NS_PER_SECOND);
        for (int k = 0; k < 400 && i < count; i++, k++) {
            bool more = recurrence_next(&walk, &ns, &bound);
            while (more && k == 0 && i > 0 && ns < times[i] * NS_PER_SECOND) {
                more = recurrence_next(&walk, &ns, &bound);
            }
            if (!more || ns != times[i] * NS_PER_SECOND) {
                fail_msg("%s from %s: %s, not %s (%zu)", text,
                         instant_text(start_s * NS_PER_SECOND, shown[0]),
                         more ? instant_text(ns, shown[1]) : "none",
                         instant_text(times[i] * NS_PER_SECOND, (char[40]){0}), i);
            }
        }
    }
}

static void rules_are_as_each_day_says(void **state)
{
    for (int i = 0; i < rules_max; i++) {
        struct arena arena;
        struct model_rule model;
        arena_init(&arena, 0);
        make_rule(&model);
        compare(&model,
                clock_s("2020-01-01T00:00:00") + (int64_t)chance(365 * 8) * 86400 + chance(86400),
                &arena);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_as_each_day_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
