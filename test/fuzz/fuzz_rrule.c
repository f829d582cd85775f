/* SPDX-License-Identifier: MIT */
/* Any text is a rule or has a reason why not, at a bounded cost; what a rule gives is in order,
 * on a clock that is never changed, and the same from the middle as from the beginning. */
#include "base/clock.h"
#include "schedule/schedule.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { occurrences = 40 };

static void check_occurrences(const struct recurrence *recurrence)
{
    struct recurrence_walk walk;
    int64_t found[occurrences];
    int64_t bound;
    size_t count = 0;
    recurrence_walk_init(&walk, recurrence, recurrence_first_ns(recurrence));
    while (count < occurrences && recurrence_next(&walk, &found[count], &bound)) {
        assert(bound <= found[count] && (count == 0 || found[count] > found[count - 1]));
        count++;
    }
    assert(count > 0 && found[0] == recurrence_first_ns(recurrence));
    assert(recurrence_spacing_ns(recurrence) > 0);
    size_t middle = count / 2;
    int64_t ns;
    recurrence_walk_init(&walk, recurrence, found[middle]);
    do {
        assert(recurrence_next(&walk, &ns, &bound));
    } while (ns < found[middle]);
    assert(ns == found[middle]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct recurrence_start start = {.local_s = INT64_C(1795000000), .offset_s = 3600};
    const struct recurrence *recurrence;
    const char *reason = NULL;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    enum err err = recurrence_read(span_of(data, size), &start, &arena, &recurrence, &reason);
    assert(reason != NULL || err == ERR_NONE);
    if (err == ERR_NONE) {
        check_occurrences(recurrence);
    }
    arena_fini(&arena);
    return 0;
}
