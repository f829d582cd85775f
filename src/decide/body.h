/* SPDX-License-Identifier: MIT */
/* The bodies that Detour writes itself. */
#pragma once

#include "base/buffer.h"
#include "decide/decide.h"

/* The short hypertext note with the link (RFC 9110, 15.4), escaped. */
void body_note(struct buffer *out, uint16_t status, struct span location);

/* Where a client would be sent that asked to be told: JSON. decision->json. */
void body_told(struct buffer *out, const struct decide_context *context,
               const struct request *request, const struct decision *decision);

/* A problem document (RFC 9457); an HTML page where decision->html says so. */
void body_problem(struct buffer *out, const struct decision *decision);
