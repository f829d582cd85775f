/* SPDX-License-Identifier: MIT */
/* When control has to look again, wherever the clock stands or has been set to. */
#include "control/configuration.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Two that overlap, and one that has no end. */
static const struct model_detour windows[] = {
    {.schedule = {.from_ns = 1000, .until_ns = 2000}},
    {.schedule = {.from_ns = 1500, .until_ns = 5000}},
    {.schedule = {.from_ns = 4000, .until_ns = TIME_NEVER}},
};

static const struct {
    const char *what;
    int64_t now_ns;
    int64_t next_ns;
} cases[] = {
    {.what = "before all", .now_ns = 10, .next_ns = 1000},
    {.what = "just before an edge", .now_ns = 999, .next_ns = 1000},
    {.what = "an edge is over when it is reached", .now_ns = 1000, .next_ns = 1500},
    {.what = "the clock was set forward over two edges", .now_ns = 3000, .next_ns = 4000},
    {.what = "and on to the last", .now_ns = 4999, .next_ns = 5000},
    {.what = "and beyond all", .now_ns = 1000000, .next_ns = TIME_NEVER},
    {.what = "and back: windows that had closed come again", .now_ns = 1200, .next_ns = 1500},
    {.what = "and back before 1970", .now_ns = -1, .next_ns = 1000},
};

static void the_next_edge_depends_on_the_clock_alone(void **state)
{
    const struct model model = {.detours = windows,
                                .detour_count = sizeof(windows) / sizeof(*windows)};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t next = configuration_next_edge(&model, cases[i].now_ns);
        if (next != cases[i].next_ns) {
            fail_msg("%s: %lld", cases[i].what, (long long)next);
        }
    }
}

static void without_windows_there_is_none(void **state)
{
    const struct model model = {0};
    assert_int_equal(configuration_next_edge(&model, 0), TIME_NEVER);
}

enum { ramps = 1000, ramp_s = 600 };

/* They begin one after the other, and one window opens in the midst of them. */
static void ramps_wait_for_each_other_and_windows_do_not(void **state)
{
    static struct model_detour detours[ramps + 1];
    const int64_t edge_ns = 100 * NS_PER_SECOND + 123456789;
    for (int i = 0; i < ramps; i++) {
        int64_t from_ns = NS_PER_SECOND + i * INT64_C(7654321);
        detours[i].schedule = (struct schedule){
            .from_ns = from_ns, .until_ns = TIME_NEVER, .ramp_ns = ramp_s * NS_PER_SECOND};
    }
    detours[ramps].schedule = (struct schedule){.from_ns = edge_ns, .until_ns = TIME_NEVER};
    const struct model model = {.detours = detours, .detour_count = ramps + 1};
    size_t looks = 0;
    bool opened = false;
    int64_t last_ns = 0;
    for (int64_t at = configuration_next_edge(&model, 0); at != TIME_NEVER;
         at = configuration_next_edge(&model, at)) {
        assert_true(at > last_ns);
        last_ns = at;
        opened = opened || at == edge_ns;
        looks++;
    }
    assert_true(opened);
    /* Each opens when it is to open; from then on four a second, for all of them. */
    assert_in_range(looks, ramps, ramps + 4 * (ramp_s + 10));
    assert_true(last_ns >= detours[ramps - 1].schedule.from_ns + ramp_s * NS_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_edge_depends_on_the_clock_alone),
        cmocka_unit_test(without_windows_there_is_none),
        cmocka_unit_test(ramps_wait_for_each_other_and_windows_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
