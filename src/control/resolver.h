/* SPDX-License-Identifier: MIT */
/* Addresses of names, asked for again and again while the program runs: getaddrinfo(3) in
 * threads of its own, so that /etc/hosts and whatever else this system asks count, and nobody
 * waits. What was found once is kept until something else is found; a failure changes nothing.
 * Only control has one: workers know addresses alone. */
#pragma once

#include "base/error.h"
#include "config/model.h"

#include <ev.h>

enum {
    resolver_names_max = 16384,
    resolver_lookups_max = 8, /* at a time */
};

struct resolver;

/* changed: the addresses of a name are others than before, or a name was asked for the first
 * time and has none. Called from the loop. ERR_MEMORY. */
enum err resolver_new(struct ev_loop *loop, void (*changed)(void *context), void *context,
                      struct resolver **out);
/* Does not wait for lookups that are under way. NULL is allowed. */
void resolver_free(struct resolver **resolver);

/* A set of names begins, is told one by one, and ends: then nobody asks for the others any
 * more. Without resolver_begin a name is added to those that there are. A name that is new is
 * asked for at once. ERR_MEMORY; ERR_LIMIT: too many names. */
void resolver_begin(struct resolver *resolver);
enum err resolver_want(struct resolver *resolver, struct span text, uint32_t interval_ms);
void resolver_end(struct resolver *resolver);
/* Addresses that a name had, until it is looked up. ERR_MEMORY; ERR_LIMIT. */
enum err resolver_remember(struct resolver *resolver, struct span text,
                           const struct origin_address *addresses, size_t count);

/* Whether each name has been answered once, be it with a failure. */
bool resolver_settled(const struct resolver *resolver);
/* Whether this one has been. */
bool resolver_was_told(const struct resolver *resolver, struct span text);
/* Gives how many addresses are known, in the order to try them; 0: none, or no such name. */
size_t resolver_find(const struct resolver *resolver, struct span text,
                     struct origin_address out[origin_addresses_max]);
