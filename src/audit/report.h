/* SPDX-License-Identifier: MIT */
/* What an audit found, in five forms. Each writes all of it; whether that went well, ferror of the
 * stream says. */
#pragma once

#include "audit/run.h"

#include <stdio.h>

struct audit_report {
    const struct audit_list *list;
    const struct audit_rules *rules;
    const struct audit_result *results;
    int64_t took_us;
    /* audit_report_count fills these. */
    size_t faulty;
    size_t counts[audit_finding_count];
};

void audit_report_count(struct audit_report *report);

enum { audit_detail_bytes = 1024 };

/* What came from elsewhere, as the subject of a certificate in a reason, may hold what a terminal
 * obeys: all that is no printable ASCII becomes '?'. URLs are in normal form, which is ASCII. */
void audit_clean(char *text);

/* A clean sentence about one finding of a row, without a full stop; longer ones are cut. */
void audit_detail(const struct audit_report *report, size_t row, enum audit_finding finding,
                  char out[audit_detail_bytes]);

/* For people: rows with faults, then a summary. */
void audit_report_text(const struct audit_report *report, bool colours, FILE *out);
/* One object, as detour-audit(1) says. */
void audit_report_json(const struct audit_report *report, FILE *out);
/* A table with a header (RFC 4180). */
void audit_report_csv(const struct audit_report *report, FILE *out);
/* A test suite, a test for each row. */
void audit_report_junit(const struct audit_report *report, FILE *out);
/* A page that needs nothing else. */
void audit_report_html(const struct audit_report *report, FILE *out);
