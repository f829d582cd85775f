/* SPDX-License-Identifier: MIT */
/* What is printed: the list of cases, and the table for a client, as text and as JSON. */
#pragma once

#include "referee/session.h"

enum { report_bytes_max = 128 << 10 };

/* For people, with a command of curl for each case. Sticky, as buffers are. */
void report_cases(const struct case_names *names, struct buffer *out);
/* For programs that run the cases. ERR_MEMORY. */
enum err report_cases_json(const struct case_names *names, struct buffer *out);

void report_table(const struct session *session, struct buffer *out);
enum err report_table_json(const struct session *session, struct buffer *out);
