/* SPDX-License-Identifier: MIT */
/* Reading field values: by name, as lists, cookies and query parameters. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "http/request.h"

/* The value of the first field of that name, without case; ptr NULL: none. */
struct span field_find(const struct request *request, struct span name);

/* Takes the next member off a comma-separated list (RFC 9110, 5.6.1), empty ones
 * skipped, commas in quoted strings kept. False: no more. */
bool field_list_next(struct span *list, struct span *member);

/* The value of the first cookie `name` in a Cookie field (RFC 6265, 4.2), with its quotes
 * if it has any; names are compared with case; ptr NULL: none. */
struct span cookie_find(struct span cookie_field, struct span name);

/* The value of the parameter `name` in a query, undecoded; ptr NULL: none; an empty
 * non-NULL span for "?name". Names are compared after decoding %XX and '+'. */
struct span query_find(struct span query, struct span name);
/* The same, and *query is what stands behind it: for one that stands there more than once. */
struct span query_take(struct span *query, struct span name);
/* The query without the parameter, each time it stands there: itself where it never does, else
 * what was appended to out, at most as long; ptr NULL: nothing is left. */
struct span query_without(struct span query, struct span name, struct buffer *out);
/* Appends a name or value with its escapes decoded, and a space for '+'. */
void query_decode(struct span value, struct buffer *out);

/* Whether value may stand in a field: no CR, LF, NUL or other control bytes than HTAB
 * (RFC 9110, 5.5). */
bool field_value_valid(struct span value);
/* Whether text is a token (RFC 9110, 5.6.2): the name of a field, a method, a cookie. */
bool token_valid(struct span text);
