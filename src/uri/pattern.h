/* SPDX-License-Identifier: MIT */
/* WHATWG URLPattern, for the path and for the host: "/blog/:slug", "/docs/{star}",
 * "/v:n(\\d+)/{star}", "/shop{/{star}}?", "{:sub.}?example.com" ({star} stands for an
 * asterisk here, which would end this comment).
 * https://urlpattern.spec.whatwg.org/
 *
 * A compiled pattern is one flat block without pointers, 8-aligned: it is copied into a
 * snapshot as it is and read there in place. Literals in it are already normalised the
 * way path_normalise and host_from_request normalise their input. No I/O. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "uri/regex.h"

enum pattern_kind { PATTERN_PATH, PATTERN_HOST };
enum { pattern_groups_max = 32, pattern_bytes_max = 4096 };

struct pattern; /* the flat block */

/* Why a pattern does not compile, and at which byte of its source. */
struct pattern_error {
    size_t offset;
    char reason[160];
};

/* source is UTF-8. ERR_SYNTAX: *error says why. The block lives in arena. */
enum err pattern_compile(enum pattern_kind kind, struct span source, struct arena *arena,
                         const struct pattern **out, struct pattern_error *error);

/* Size of the block in bytes, a multiple of 8. */
size_t pattern_size(const struct pattern *pattern);
/* Whether len bytes at block, 8-aligned, are a pattern that is safe to read. For
 * snapshots: nothing in the block is believed. */
bool pattern_verify(const void *block, size_t len);

size_t pattern_group_count(const struct pattern *pattern);
/* The name of group i, "0" and up for those without one. Points into the block. */
struct span pattern_group_name(const struct pattern *pattern, size_t group);

/* The whole regular expression, when matching needs one; else an empty span. Names the
 * expression too: equal sources are equal expressions. */
struct span pattern_regex(const struct pattern *pattern);

/* How an index can narrow the search (snapshot/): the leading run of whole segments.
 * A segment that is a fixed text is LITERAL (text without slashes, normalised), a
 * segment that is exactly one ":name" is ANY (matches one or more bytes, no slash).
 * REST: what follows is not that simple (or may match several or no segments); END: the
 * pattern matches nothing beyond the segments returned so far. at counts from 0.
 * "/a/:b/c" gives LITERAL a, ANY, LITERAL c, END. "/a/{star}" gives LITERAL a, REST. "/a/"
 * gives LITERAL a, LITERAL "", END. */
enum segment_kind { SEGMENT_LITERAL, SEGMENT_ANY, SEGMENT_REST, SEGMENT_END };
enum segment_kind pattern_segment(const struct pattern *pattern, size_t at, struct span *text);

/* Where groups were found in the subject. */
struct pattern_groups {
    uint32_t count;
    struct {
        uint32_t from; /* UINT32_MAX: took no part */
        uint32_t to;
    } at[pattern_groups_max];
};

static inline bool pattern_group_found(const struct pattern_groups *groups, size_t group)
{
    return group < groups->count && groups->at[group].from != UINT32_MAX;
}

/* subject: path.norm, or a canonical host. regex: the compiled pattern_regex(), NULL when
 * there is none. Both the regex and our own matcher draw on the budget.
 * *groups is written only on MATCH_YES. */
enum match pattern_match(const struct pattern *pattern, const struct regex *regex,
                         struct span subject, struct regex_budget *budget,
                         struct pattern_groups *groups);
