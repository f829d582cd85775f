/* SPDX-License-Identifier: MIT */
/* The PROXY protocol, versions 1 and 2, as a listener's option; never guessed.
 * https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt. No I/O. */
#pragma once

#include "http/request.h"

enum proxy_result { PROXY_DONE, PROXY_MORE, PROXY_BAD };

/* bytes: what has arrived so far. PROXY_DONE: *used bytes are the header; *client is
 * changed to the source it names, or left alone for LOCAL and UNKNOWN (version 2's SSL
 * TLV sets client->secure). PROXY_MORE: wait; never for more than 4,096 bytes. */
enum proxy_result proxy_decode(struct span bytes, size_t *used, struct client *client);
