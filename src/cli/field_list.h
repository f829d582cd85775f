/* SPDX-License-Identifier: MIT */
/* The fields of a request as the command line gives them, -H and the options that stand for one. */
#pragma once

#include "base/arena.h"
#include "cli/options.h"

#include <detour/detour.h>

struct field_list {
    const char *command; /* who complains */
    struct arena *arena;
    const struct option_list *given; /* -H */
    struct detour_field *fields;
    size_t count;
    size_t capacity;
};

/* value NULL: nothing is added. */
void field_list_add(struct field_list *list, const char *name, const char *value);
/* The same, unless a -H speaks of it. */
void field_list_default(struct field_list *list, const char *name, const char *value);
/* "user:password" as Basic credentials (RFC 7617); NULL: nothing. */
int field_list_user(struct field_list *list, const char *user);
/* What -H says: "Name: value", "Name;" for an empty one; "Name:" takes a default away. */
int field_list_given(struct field_list *list);
/* Whether what -H says of the content's length is true: a server that is told another one takes
 * the rest for the next request (RFC 9112, 6.3). bytes: of the content; 0: there is none; -1:
 * nobody knows before its end. */
int field_list_framing(const struct field_list *list, int64_t bytes);
