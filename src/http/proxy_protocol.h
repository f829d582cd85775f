/* SPDX-License-Identifier: MIT */
/* The PROXY protocol, versions 1 and 2, as a listener's option; never guessed.
 * https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt. No I/O. */
#pragma once

#include "http/request.h"

enum proxy_result { PROXY_DONE, PROXY_MORE, PROXY_BAD };

enum { proxy_v1_bytes_max = 107, proxy_v2_bytes_max = 4096 };

/* bytes: what has arrived so far. PROXY_DONE: *used bytes are the header; *client is
 * changed to the source it names, or left alone for LOCAL, UNKNOWN and unix sockets.
 * Version 2's SSL TLV sets client->secure when it says that the client came over TLS;
 * other TLVs are stepped over, CRC32C is not computed. PROXY_MORE: wait; never for more
 * than proxy_v2_bytes_max. PROXY_BAD: close. Only PROXY_DONE writes the outputs, and the
 * result does not depend on how the bytes were split. */
enum proxy_result proxy_decode(struct span bytes, size_t *used, struct client *client);
