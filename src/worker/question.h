/* SPDX-License-Identifier: MIT */
/* A listener with `answer: decision`: a proxy's questions about other requests, and its health
 * checks. Allocates nothing and makes no system call. */
#pragma once

#include "http/subrequest.h"
#include "worker/internal.h"

/* Decides what a question is about. Gives the request that was decided on, which is the
 * original one where it could be read; room is for that one. */
const struct request *question_decide(struct worker *worker, const struct serve_request *asked,
                                      struct subrequest *room, struct decision *decision);

/* What the proxy is told: *response holds the answer to the original request, or nothing for a
 * health check. */
void question_answer(struct worker *worker, const struct serve_request *asked,
                     const struct decision *decision, struct response *response);
