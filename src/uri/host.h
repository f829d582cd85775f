/* SPDX-License-Identifier: MIT */
/* Host names: from the configuration (IDN allowed) and from requests (strict). */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

enum {
    host_bytes_max = 255,
    host_port_bytes_max = host_bytes_max + 6, /* with ":65535" */
};

/* What a configuration may hold: "Bücher.example", "*.shop.example.com", "[::1]",
 * "192.0.2.1". Gives the lower-case ASCII form (UTS 46 by libidn2), a trailing dot
 * taken away; a leading "*." is kept. The copy lives in arena.
 * ERR_SYNTAX: no host name, userinfo, a port, a star elsewhere. */
enum err host_from_config(struct span text, struct arena *arena, struct span *out);

/* host and port as they came in Host, :authority or an absolute target. */
struct host_port {
    struct span host; /* lower case, without a trailing dot; an IPv6 literal keeps its brackets */
    int32_t port;     /* -1: none was given */
};

/* Parses uri-host [":" port] (RFC 9110, 7.2; RFC 3986, 3.2.2), letters, digits, '-', '.',
 * '_' and IP literals only: whatever could be read as userinfo, path or quote is
 * ERR_SYNTAX; so are an empty host or label, a host of more than host_bytes_max, a port of
 * more than five digits or 65535. "host:" has no port. out->host points into text when it is
 * already canonical, else into lower, which holds host_bytes_max bytes. */
enum err host_from_request(struct span text, uint8_t *lower, struct host_port *out);

/* The same of a host, a host with a port, or a whole http or https URL, of which only the origin
 * counts: its port is then the scheme's own where it names none. */
enum err host_from_reference(struct span text, uint8_t *lower, struct host_port *out);

/* "host:port", or "host" where there is no port: at most host_port_bytes_max. */
void host_port_put(const struct host_port *host, struct buffer *out);
