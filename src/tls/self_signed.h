/* SPDX-License-Identifier: MIT */
/* A certificate that nobody vouches for, for a server on loopback that is gone in a while. */
#pragma once

#include "tls/tls.h"

/* For 127.0.0.1, [::1] and localhost; a new key each time, which is written nowhere. Holds for a
 * month. ERR_MEMORY; ERR_IO: there are no random numbers. */
enum err tls_self_signed(struct tls_context **out);
