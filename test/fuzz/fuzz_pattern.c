/* SPDX-License-Identifier: MIT */
/* Compiles the first line as a pattern, of a host when a '.' stands before it, and matches
 * the other lines. Groups lie within the subject, the budget only falls, and twice the same
 * comes out. Then a byte of the block is changed: what still passes verify is matched too. */
#include "base/buffer.h"
#include "uri/pattern.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_groups(const struct pattern *p, const struct pattern_groups *groups, size_t len)
{
    assert(groups->count == pattern_group_count(p));
    for (size_t i = 0; i < groups->count; i++) {
        uint32_t from = groups->at[i].from;
        uint32_t to = groups->at[i].to;
        assert((from == UINT32_MAX && to == UINT32_MAX) || (from <= to && to <= len));
    }
}

static void match(const struct pattern *p, const struct regex *regex, struct span subject)
{
    struct regex_budget once = {.steps = regex_steps_per_request};
    struct regex_budget again = once;
    struct pattern_groups groups;
    struct pattern_groups other;
    enum match first = pattern_match(p, regex, subject, &once, &groups);
    enum match second = pattern_match(p, regex, subject, &again, &other);
    assert(first == second && once.steps == again.steps);
    assert(once.steps <= regex_steps_per_request && (first != MATCH_LIMIT || once.steps == 0));
    if (first == MATCH_YES) {
        check_groups(p, &groups, subject.len);
        assert(memcmp(groups.at, other.at, groups.count * sizeof(groups.at[0])) == 0);
    }
}

/* A literal subject, where the segments tell all of it, matches. */
static void check_segments(const struct pattern *p, const struct regex *regex)
{
    static uint8_t memory[1 << 16];
    struct buffer subject = buffer_over(memory, sizeof(memory));
    struct span text;
    enum segment_kind kind = SEGMENT_ANY;
    for (size_t i = 0; kind != SEGMENT_END && i < 8192; i++) {
        kind = pattern_segment(p, i, &text);
        if (kind == SEGMENT_REST) {
            return;
        }
        if (kind != SEGMENT_END) {
            buffer_byte(&subject, '/');
            buffer_put(&subject, kind == SEGMENT_ANY ? SPAN("x") : text);
        }
    }
    struct regex_budget budget = {.steps = UINT32_MAX};
    struct pattern_groups groups;
    assert(pattern_match(p, regex, buffer_span(&subject), &budget, &groups) == MATCH_YES);
}

static void match_lines(const struct pattern *p, const struct regex *regex, struct span lines)
{
    while (lines.len > 0) {
        size_t end = span_find(lines, 0, '\n');
        match(p, regex, span_slice(lines, 0, end));
        lines = span_from(lines, end < lines.len ? end + 1 : end);
    }
    match(p, regex, SPAN(""));
}

/* Whatever verify takes, the other functions bear. */
static void hostile(const struct pattern *p, const struct regex *regex, struct arena *arena,
                    struct span rest)
{
    size_t size = pattern_size(p);
    uint8_t *block = arena_alloc(arena, size);
    if (block == NULL || rest.len < 3) {
        return;
    }
    memcpy(block, p, size);
    block[(rest.ptr[0] | (size_t)rest.ptr[1] << 8) % size] ^= rest.ptr[2];
    const struct pattern *changed = (const struct pattern *)(const void *)block;
    if (!pattern_verify(block, size) || (pattern_regex(changed).len > 0 && regex == NULL)) {
        return;
    }
    struct span text;
    for (size_t i = 0; i < 64; i++) {
        pattern_segment(changed, i, &text);
    }
    for (size_t i = 0; i < pattern_group_count(changed); i++) {
        struct span name = pattern_group_name(changed, i);
        assert(name.ptr >= block && name.ptr + name.len <= block + size);
    }
    match_lines(changed, regex, span_from(rest, 3));
}

static void use(const struct pattern *p, struct arena *arena, struct span rest)
{
    struct regex *regex = NULL;
    const char *reason = NULL;
    struct span source = pattern_regex(p);
    assert(pattern_verify(p, pattern_size(p)));
    assert(pattern_group_count(p) <= pattern_groups_max);
    if (source.len > 0) {
        enum err err = regex_compile(source, &regex, &reason);
        assert(err == ERR_NONE);
    }
    match_lines(p, regex, rest);
    check_segments(p, regex);
    hostile(p, regex, arena, rest);
    regex_free(&regex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    size_t end = span_find(input, 0, '\n');
    struct span source = span_slice(input, 0, end);
    struct span rest = span_from(input, end < size ? end + 1 : end);
    bool host = span_starts(source, SPAN("."));
    struct arena arena;
    arena_init(&arena, 0);
    const struct pattern *p = NULL;
    struct pattern_error error;
    source = span_from(source, host ? 1 : 0);
    enum err err = pattern_compile(host ? PATTERN_HOST : PATTERN_PATH, source, &arena, &p, &error);
    if (err == ERR_NONE) {
        use(p, &arena, rest);
    } else {
        assert(err == ERR_SYNTAX && error.offset <= source.len && error.reason[0] != '\0');
    }
    arena_fini(&arena);
    return 0;
}
