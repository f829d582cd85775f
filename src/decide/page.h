/* SPDX-License-Identifier: MIT */
/* A page of ours, and what its script asks for, as a response. Internal to decide/. */
#pragma once

#include "decide/answer.h"

/* Kept out of the way of ordinary answers: inlined there they cost each of them registers, and
 * a buffer that they shared with them would stand in memory for all. */
#define PAGE_SELDOM __attribute__((cold, noinline))

/* The fields of whatever has to do with pages. */
PAGE_SELDOM
void page_add_fields(const struct decide_context *context, const struct request *request,
                     const struct decision *decision, struct answer_scratch *scratch,
                     struct response *response);

/* Writes the body and sets its type. False: this decision has nothing to do with pages. */
PAGE_SELDOM
bool page_add_body(const struct decide_context *context, const struct request *request,
                   const struct decision *decision, struct answer_scratch *scratch,
                   struct response *response);
