/* SPDX-License-Identifier: MIT */
/* Builds a Location in one pass into a bounded buffer, so that no input can change its
 * scheme, host or port, or add a field.
 *
 * By construction: a target begins with a literal scheme://authority (in which a
 * variable stands only for whole LDH labels), and what follows is "/", "?", "#", the end
 * or {+path}; expansion emits nothing but URI characters. And checked again before it is
 * sent: location_check reads the finished bytes as a stranger would. No I/O. */
#pragma once

#include "uri/template.h"

enum { location_bytes_max = 16384 };

/* What a configuration must satisfy. *error is filled on ERR_SYNTAX: no literal
 * http(s) scheme and authority, userinfo, a variable that is not a whole label or that
 * does not end before the path, control characters. */
enum err location_target_check(const struct template *target, struct template_error *error);

/* Which variables stand in the authority: bit i for variable i. Their values must be
 * chosen from a list; location_build checks only that each is one label (letters, digits,
 * '-', and '_', which some hosts have). {host} may be several labels, and an IPv6 address
 * in brackets where it is the whole host; whether it may be used is the caller's to say. */
uint32_t location_authority_vars(const struct template *target);

enum location_result {
    LOCATION_OK,
    LOCATION_LONG,    /* more than the buffer holds: 414 to the client */
    LOCATION_ESCAPES, /* the input would leave what was declared: 400 to the client */
};

/* target: passed location_target_check. query: the request's, without '?', appended
 * when it is not NULL and the target has none of its own; a fragment of the target stays
 * last. A value brings neither a query nor a fragment: in the path it has its '?' and '#'
 * encoded, behind it its '#'. A slash is neither doubled nor lost where literal and value
 * meet in the path. Dot segments that came in with a value must not climb out of the
 * literal prefix of the target's path; read strictly: "%2e" is a dot, "%2F" and "%5C"
 * separate too, "..;x" is "..", empty segments count for nothing.
 * out may hold bytes already; on LOCATION_ESCAPES it holds just them. */
enum location_result location_build(const struct template *target,
                                    const struct template_value *values, struct span query,
                                    struct buffer *out);

/* For a pool: the path and query of the request appended to a server's base URL
 * ("https://eu1.example.net/mirror": an authority, no query), with the same promises.
 * path: begins with '/' or is empty; anything else ("*") is LOCATION_ESCAPES. */
enum location_result location_append(struct span base, struct span path, struct span query,
                                     struct buffer *out);

/* Adds name=value to the query of the finished Location that begins at `from`, before its
 * fragment. Both hold nothing but what may stand in a query's parameter. full: it does not fit,
 * and the Location is as it was. */
void location_add_parameter(struct buffer *out, size_t from, struct span name, struct span value);

/* The second look: location begins with exactly the authority, which '/', '?', '#' or the
 * end follows, and holds nothing but the characters of a URI (RFC 3986, 2): no control
 * character, space, quote, backslash, '<' or '>', and nothing beyond ASCII. */
bool location_check(struct span location, struct span authority);

/* The literal "scheme://host:port" of a base URL. */
struct span location_authority(struct span url);
