/* SPDX-License-Identifier: MIT */
/* Random patterns without regular expressions of their own, and random subjects: our
 * matcher gives what PCRE2 gives for the expression that the standard generates. */
#include "uri/pattern_pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { rounds = 40000, subjects_of_pattern = 8, steps_enough = 1000000 };

static uint64_t seed = 0x9E3779B97F4A7C15;

/* xorshift64: the same numbers in each run. */
static uint32_t below(uint32_t bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % bound;
}

static void put(struct buffer *out, const char *text)
{
    buffer_put(out, span_cstr(text));
}

static void put_text(struct buffer *out, uint32_t most)
{
    static const char letters[] = "ab/.-";
    for (uint32_t count = below(most + 1); count > 0; count--) {
        buffer_byte(out, (uint8_t)letters[below(sizeof(letters) - 1)]);
    }
}

static void put_modifier(struct buffer *out)
{
    static const char *const modifiers[] = {"", "", "", "?", "*", "+"};
    put(out, modifiers[below(6)]);
}

static void put_pattern(struct buffer *out)
{
    uint32_t names = 0;
    put(out, below(4) == 0 ? "" : "/");
    for (uint32_t count = 1 + below(4); count > 0; count--) {
        put_text(out, 2);
        switch (below(5)) {
        case 0:
            put(out, "*");
            break;
        case 1:
            buffer_printf(out, ":n%u", names++);
            break;
        case 2:
            put(out, "{");
            put_text(out, 3);
            put(out, "}");
            break;
        default:
            put(out, "{");
            put_text(out, 2);
            if (below(2) == 0) {
                put(out, "*");
            } else {
                buffer_printf(out, ":n%u\\", names++);
                put(out, below(2) == 0 ? "a" : "/");
            }
            put_text(out, 1);
            put(out, "}");
        }
        put_modifier(out);
    }
    put_text(out, 2);
}

/* What PCRE2 says; a group that must not match nothing took no part (pattern_regex.c). */
static enum match by_regex(const struct pieces *pieces, const struct regex *regex,
                           const uint16_t *captures, struct span subject,
                           struct pattern_groups *groups)
{
    size_t ends[2 * (pattern_groups_max + 1)];
    struct regex_budget budget = {.steps = steps_enough};
    enum match match = regex_match(regex, subject, &budget, ends, pattern_groups_max + 1);
    groups->count = 0;
    for (size_t i = 0; match == MATCH_YES && i < pieces->count; i++) {
        const struct piece *piece = &pieces->items[i];
        if (!piece_is_group(piece)) {
            continue;
        }
        size_t from = ends[2 * captures[groups->count]];
        size_t to = ends[2 * captures[groups->count] + 1];
        bool there = from != SIZE_MAX && (from < to || !piece_may_vanish(piece));
        groups->at[groups->count].from = there ? (uint32_t)from : UINT32_MAX;
        groups->at[groups->count].to = there ? (uint32_t)to : UINT32_MAX;
        groups->count++;
    }
    return match;
}

struct tally {
    size_t patterns;
    size_t matches;
    size_t with_groups;
};

static void compare(struct span source, struct span subject, const struct pattern *pattern,
                    const struct pieces *pieces, const struct regex *regex,
                    const uint16_t *captures, struct tally *tally)
{
    struct pattern_groups own = {0};
    struct pattern_groups other = {0};
    struct regex_budget budget = {.steps = steps_enough};
    enum match mine = pattern_match(pattern, NULL, subject, &budget, &own);
    enum match theirs = by_regex(pieces, regex, captures, subject, &other);
    /* Each of the two may give up, on what takes exponential time. */
    if (mine == MATCH_LIMIT || theirs == MATCH_LIMIT) {
        return;
    }
    bool same = mine == theirs && own.count == other.count &&
                memcmp(own.at, other.at, own.count * sizeof(own.at[0])) == 0;
    if (!same) {
        fail_msg("%.*s on %.*s: %d and %d, or other groups", SPAN_ARG(source), SPAN_ARG(subject),
                 mine, theirs);
    }
    tally->matches += mine == MATCH_YES;
    tally->with_groups += mine == MATCH_YES && own.count > 0;
}

static void one_pattern(enum pattern_kind kind, struct tally *tally)
{
    uint8_t source_memory[256];
    uint8_t subject_memory[64];
    uint16_t captures[pattern_groups_max];
    struct buffer source = buffer_over(source_memory, sizeof(source_memory));
    struct arena arena;
    struct pattern_error error;
    const struct pattern *pattern = NULL;
    struct regex *regex = NULL;
    const char *reason = NULL;
    put_pattern(&source);
    arena_init(&arena, 0);
    struct pieces *pieces = arena_alloc(&arena, sizeof(*pieces));
    enum err err = pattern_compile(kind, buffer_span(&source), &arena, &pattern, &error);
    if (err == ERR_NONE) {
        assert_true(pattern_verify(pattern, pattern_size(pattern)));
        assert_int_equal(pattern_parse(kind, buffer_span(&source), &arena, pieces, &error), 0);
        struct span text = pattern_generate_regex(pieces, &arena, captures);
        assert_int_equal(regex_compile(text, &regex, &reason), ERR_NONE);
        tally->patterns++;
        for (size_t i = 0; i < subjects_of_pattern; i++) {
            struct buffer subject = buffer_over(subject_memory, sizeof(subject_memory));
            put(&subject, kind == PATTERN_PATH && below(4) > 0 ? "/" : "");
            put_text(&subject, 12);
            compare(buffer_span(&source), buffer_span(&subject), pattern, pieces, regex, captures,
                    tally);
        }
        regex_free(&regex);
    }
    arena_fini(&arena);
}

static void own_matcher_is_the_regex(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (size_t i = 0; i < rounds; i++) {
        one_pattern(below(4) == 0 ? PATTERN_HOST : PATTERN_PATH, &tally);
    }
    /* That it has seen something. */
    assert_true(tally.patterns > rounds / 4);
    assert_true(tally.matches > 1000);
    assert_true(tally.with_groups > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_matcher_is_the_regex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
