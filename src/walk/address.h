/* SPDX-License-Identifier: MIT */
/* Which addresses are somebody's own. */
#pragma once

#include "base/span.h"

#include <sys/socket.h>

/* Whether it is an address of the public internet: none of those that IANA sets apart for one
 * machine, one link, one site, for documentation, groups or tests (RFC 6890). IPv4 within IPv6
 * (mapped, NAT64, 6to4) counts as what it leads to. Other families are never public. */
bool address_is_public(const struct sockaddr *address);
