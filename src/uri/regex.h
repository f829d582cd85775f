/* SPDX-License-Identifier: MIT */
/* Regular expressions of JavaScript's dialect, run by PCRE2 under a budget. A pattern
 * that PCRE2 would silently read otherwise (the `v` flag's sets: `&&`, `--`, nested
 * classes, \q{}) is refused at compile time.
 *
 * The snapshot holds expressions as source. A worker compiles those that are new, off
 * the request path, and keeps them in a regex_set; matching never allocates.
 *
 * One thread of a process uses this module: what a match needs is there once. */
#pragma once

#include "base/error.h"
#include "base/span.h"

struct regex;

enum { regex_source_max = 32768 };

/* ERR_SYNTAX: *reason says why (static text, or text that lives in the regex module until
 * the next call). source: with the `v` flag's syntax, in UTF-8; anchored where it says so. */
enum err regex_compile(struct span source, struct regex **out, const char **reason);
void regex_free(struct regex **regex);

/* What one request may spend on all of its expressions together, about 0.1 ms. A step is
 * one item of an expression that is tried at one place, or 16 bytes gone over. Steps are
 * counted, not timed: what a request costs does not depend on the machine's load. */
struct regex_budget {
    uint32_t steps;
};
enum { regex_steps_per_request = 4000 }; /* measured: doc/decisions/0005-regex-budget.md */

enum match { MATCH_NO, MATCH_YES, MATCH_LIMIT };

/* Offsets of group i in groups[2*i], groups[2*i+1]; SIZE_MAX: took no part. Group 0 is
 * the whole match. MATCH_LIMIT: the budget is spent; never to be taken for MATCH_NO. */
enum match regex_match(const struct regex *regex, struct span subject, struct regex_budget *budget,
                       size_t *groups, size_t group_max);
