/* SPDX-License-Identifier: MIT */
/* The path that rules are matched against, and the way back to the bytes that were
 * sent. No I/O, no allocation; any thread.
 *
 * What is matched is the WHATWG URL path of the request: dot segments resolved (also
 * when they are escaped, "%2e%2E"), a backslash read as a slash, bytes that a path may
 * not hold percent-encoded; and beyond WHATWG: escapes of unreserved characters decoded
 * (RFC 3986, 6.2.2.2), the hex digits of the others in upper case (6.2.2.1), doubled
 * slashes folded. So "//shop" and "/%73hop" do not slip past a rule for "/shop".
 *
 * An empty segment is none to a ".." either: "/a//../b" is "/b", as with servers that fold
 * slashes. A stray '%' stays, and so does an escape that would make one whole: "%4%31".
 * "%2F" and "%5C" are no slashes. Normalising twice gives what once gave. */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum { path_bytes_max = 16384 };

struct path {
    struct span sent; /* as in the request line, without the query */
    struct span norm; /* what is matched; begins with '/' */
    /* For each byte of norm the place in sent where what it came from begins, and one
     * more entry for the end. Grows with each byte, but is the same for the three of a
     * "%XX". NULL: norm is sent, byte for byte. */
    const uint16_t *map;
};

/* Where a path that is not already normal is rewritten; one for each worker. */
struct path_scratch {
    uint8_t norm[path_bytes_max];
    uint16_t map[path_bytes_max + 1];
};

/* sent: begins with '/'. ERR_LIMIT: longer than path_bytes_max, as sent or rewritten.
 * ERR_SYNTAX: does not begin with '/'. *out points into sent and scratch. */
enum err path_normalise(struct span sent, struct path_scratch *scratch, struct path *out);

/* The bytes as they were sent behind norm[from, to): from where the first byte came
 * from, to the end of what the last one came from. Empty when from == to. Resolving a
 * slice of whole segments, from a slash or from behind one, never climbs above its
 * beginning, whatever dot segments it holds. */
struct span path_sent(const struct path *path, size_t from, size_t to);

/* Whether norm, a matched path, has dot segments for who takes "%2F" and "%5C" for slashes, as many
 * servers do: "/public/..%2Fsecret" is "/secret" to them. */
bool path_hides_dots(struct span norm);
