/* SPDX-License-Identifier: MIT */
/* IP addresses as the URL standard reads them.
 * https://url.spec.whatwg.org/#hosts-(domains-and-ip-addresses) */
#pragma once

#include "base/arena.h"
#include "base/error.h"

/* A domain may end with one dot, which stands for the root. */
static inline struct span url_without_last_dot(struct span domain)
{
    bool dot = domain.len > 0 && domain.ptr[domain.len - 1] == '.';
    return span_slice(domain, 0, domain.len - dot);
}

/* Whether the last label is a number, so that the host must be an IPv4 address. */
bool url_ends_in_number(struct span domain);
/* "0x7f.1" is 127.0.0.1. ERR_SYNTAX: out of range or no numbers. */
enum err url_ipv4_parse(struct span domain, struct arena *arena, struct span *out);

/* A literal "[::1]" in its one form: lower case, the first longest run of zeros compressed
 * (RFC 5952, 4), but nothing dotted. A zone ("%25eth0") means nothing on another machine:
 * ERR_SYNTAX, as all that is no address in brackets. */
enum { url_ipv6_bytes_max = 48 };
enum err url_ipv6_canonical(struct span literal, uint8_t out[url_ipv6_bytes_max], size_t *len_out);
