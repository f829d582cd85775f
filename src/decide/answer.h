/* SPDX-License-Identifier: MIT */
/* A decision as a response: Location, freshness, Vary, CORS fields, the short note or a
 * problem document (RFC 9457). No I/O. */
#pragma once

#include "decide/decide.h"

struct answer_scratch {
    uint8_t body[location_bytes_max * 6 + 512];
    uint8_t text[4096];  /* Cache-Control, Vary, Retry-After */
    uint8_t policy[512]; /* Content-Security-Policy of pages */
};

/* Spans of *response point into the snapshot, the scratch, the context and the request.
 * decision->reason REASON_BAD_REQUEST: request may be partial. */
void answer_from_decision(const struct decide_context *context, const struct request *request,
                          const struct decision *decision, struct answer_scratch *scratch,
                          struct response *response);
