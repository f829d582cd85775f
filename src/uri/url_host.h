/* SPDX-License-Identifier: MIT */
/* IP addresses as the URL standard reads them.
 * https://url.spec.whatwg.org/#hosts-(domains-and-ip-addresses) */
#pragma once

#include "base/arena.h"
#include "base/error.h"

/* Whether the last label is a number, so that the host must be an IPv4 address. */
bool url_ends_in_number(struct span domain);
/* "0x7f.1" is 127.0.0.1. ERR_SYNTAX: out of range or no numbers. */
enum err url_ipv4_parse(struct span domain, struct arena *arena, struct span *out);
/* text: without the brackets; *out has them and is compressed (RFC 5952, 4). */
enum err url_ipv6_parse(struct span text, struct arena *arena, struct span *out);
