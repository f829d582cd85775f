/* SPDX-License-Identifier: MIT */
/* Requests that are passed on to an origin: what becomes of them is counted and logged when
 * they end. */
#pragma once

#include "worker/internal.h"

/* Passes the request on as the decision says. False: it cannot be, and *decision is now the
 * refusal that answers it. */
bool pass_request(struct worker *worker, const struct serve_request *asked,
                  struct decision *decision);
