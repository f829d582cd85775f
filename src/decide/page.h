/* SPDX-License-Identifier: MIT */
/* A page of ours, and what its script asks for, as a response. Internal to decide/. */
#pragma once

#include "decide/answer.h"

/* Whether the body is a page of ours. */
bool page_is_shown(const struct decision *decision);

/* The fields of whatever has to do with pages. text: room for values that are made here. */
void page_add_fields(const struct decide_context *context, const struct request *request,
                     const struct decision *decision, struct buffer *text,
                     struct response *response);

/* Writes the body and sets its type. False: this decision has nothing to do with pages. */
bool page_add_body(const struct decide_context *context, const struct request *request,
                   const struct decision *decision, struct buffer *body, struct response *response);
