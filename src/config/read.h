/* SPDX-License-Identifier: MIT */
/* Typed readers of nodes. Each writes its output and gives true, or reports what is wrong
 * and how to mend it, and gives false with the output untouched. */
#pragma once

#include "config/load.h"

/* How messages show a text: no more of it than helps. */
enum { show_bytes_max = 80 };
#define SHOW(s) (int)((s).len > show_bytes_max ? show_bytes_max : (s).len), (const char *)(s).ptr

/* "`weight` must be <wanted>, not "x"". Always false. */
bool read_refuse(struct load *load, const struct node *node, const char *wanted);

bool node_is(const struct node *node, enum node_kind kind);
bool node_is_word(const struct node *node, const char *word);

/* Not empty, no NUL. The copy lives in the model's arena. */
bool read_string(struct load *load, const struct node *node, struct span *out);
/* The same, and may be empty. */
bool read_text(struct load *load, const struct node *node, struct span *out);
/* A name of a site, route, pool, server or detour: printable ASCII without spaces, slashes
 * and quotes, so that it can stand in identities, fields and metrics. */
bool read_name(struct load *load, const struct node *node, struct span *out);
bool read_bool(struct load *load, const struct node *node, bool *out);
bool read_integer(struct load *load, const struct node *node, uint64_t min, uint64_t max,
                  uint64_t *out);
/* 500ms, 30s, 5m, 1h30m, 1d. */
bool read_duration_ms(struct load *load, const struct node *node, uint32_t min_ms, uint32_t max_ms,
                      uint32_t *out);
/* The same in whole seconds, 0 to ten years. */
bool read_duration_s(struct load *load, const struct node *node, int64_t *out);
/* 4096, 64KiB, 1MiB, 1GiB, and kB, MB, GB. */
bool read_size(struct load *load, const struct node *node, uint64_t max, uint64_t *out);
/* 60%, 0.5%, at most four digits after the point. */
bool read_percent_ppm(struct load *load, const struct node *node, uint32_t *out);
bool read_cidrs(struct load *load, const struct node *node, const struct cidr **out,
                size_t *count_out);

/* A list, or one item without its list. For each: item = list_first(node); item != NULL;
 * item = list_next(node, item). A NODE_NULL is an empty list. */
const struct node *list_first(const struct node *node);
const struct node *list_next(const struct node *list, const struct node *item);
size_t list_count(const struct node *node);
/* Reports a node that is neither a list nor nothing. */
bool read_is_list(struct load *load, const struct node *node);

/* A map whose keys are keys[0..count): at[i] becomes the value of keys[i], NULL where it is
 * absent. A NULL in keys is a number that is not used here. Unknown keys are reported, and
 * do not make the result false; a node that is no map does. what: "a route". */
bool read_map(struct load *load, const struct node *node, const char *what, const char *const *keys,
              size_t count, const struct node **at);
