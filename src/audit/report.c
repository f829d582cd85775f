/* SPDX-License-Identifier: MIT */
/* Counts and sentences, and the form for people. */
#include "audit/report.h"

void audit_report_count(struct audit_report *report)
{
    report->faulty = 0;
    memset(report->counts, 0, sizeof(report->counts));
    for (size_t i = 0; i < report->list->count; i++) {
        uint32_t findings = report->results[i].findings;
        report->faulty += findings != 0;
        for (size_t k = 0; k < audit_finding_count; k++) {
            report->counts[k] += findings >> k & 1;
        }
    }
}

static const struct audit_hop *last_hop(const struct audit_result *result)
{
    return result->hop_count > 0 ? &result->hops[result->hop_count - 1] : NULL;
}

static void describe_status(const struct audit_row *row, uint16_t status,
                            char out[audit_detail_bytes])
{
    if (row->status != 0) {
        snprintf(out, audit_detail_bytes, "answers %u, not %u", status, row->status);
    } else {
        snprintf(out, audit_detail_bytes, "answers %u", status);
    }
}

void audit_clean(char *text)
{
    for (; *text != 0; text++) {
        uint8_t c = (uint8_t)*text;
        *text = c < 0x20 || c >= 0x7F ? '?' : *text;
    }
}

void audit_detail(const struct audit_report *report, size_t row, enum audit_finding finding,
                  char out[audit_detail_bytes])
{
    const struct audit_row *wanted = &report->list->rows[row];
    const struct audit_result *result = &report->results[row];
    const struct audit_hop *last = last_hop(result);
    uint16_t first_status = result->hop_count > 0 ? result->hops[0].status : 0;
    struct span end = last != NULL ? last->url : span_of("", 0);
    const char *reason = result->reason != NULL ? result->reason : "";
    switch (finding) {
    case audit_failed:
    case audit_refused:
        snprintf(out, audit_detail_bytes, "%s: %s", audit_finding_text(finding), reason);
        break;
    case audit_target:
        snprintf(out, audit_detail_bytes, "ends at %.*s, not at %.*s", SPAN_ARG(end),
                 SPAN_ARG(wanted->target));
        break;
    case audit_status:
        describe_status(wanted, first_status, out);
        break;
    case audit_no_redirect:
        snprintf(out, audit_detail_bytes, "does not redirect: answers %u", first_status);
        break;
    case audit_hops:
        snprintf(out, audit_detail_bytes, "%zu redirects; at most %u are allowed",
                 result->hop_count - 1, report->rules->hops_max);
        break;
    case audit_bad_end:
        snprintf(out, audit_detail_bytes, "ends with %u at %.*s",
                 last != NULL ? (unsigned)last->status : 0U, SPAN_ARG(end));
        break;
    default:
        snprintf(out, audit_detail_bytes, "%s", audit_finding_text(finding));
        break;
    }
    audit_clean(out);
}

static void put_way(const struct audit_result *result, FILE *out)
{
    for (size_t i = 0; i < result->hop_count; i++) {
        const struct audit_hop *hop = &result->hops[i];
        if (hop->status != 0) {
            fprintf(out, "      %u  %.*s\n", hop->status, SPAN_ARG(hop->url));
        } else {
            fprintf(out, "      ---  %.*s\n", SPAN_ARG(hop->url));
        }
    }
}

static void put_row(const struct audit_report *report, size_t index, bool colours, FILE *out)
{
    const struct audit_row *row = &report->list->rows[index];
    const struct audit_result *result = &report->results[index];
    fprintf(out, "%sline %zu%s  %.*s\n", colours ? "\033[1m" : "", row->line,
            colours ? "\033[0m" : "", SPAN_ARG(row->source));
    for (size_t k = 0; k < audit_finding_count; k++) {
        char detail[audit_detail_bytes];
        if ((result->findings >> k & 1) == 0) {
            continue;
        }
        audit_detail(report, index, (enum audit_finding)k, detail);
        fprintf(out, "    %s%s%s: ", colours ? "\033[31m" : "",
                audit_finding_name((enum audit_finding)k), colours ? "\033[0m" : "");
        fprintf(out, "%s\n", detail);
    }
    put_way(result, out);
}

void audit_report_text(const struct audit_report *report, bool colours, FILE *out)
{
    size_t count = report->list->count;
    for (size_t i = 0; i < count; i++) {
        if (report->results[i].findings != 0) {
            put_row(report, i, colours, out);
        }
    }
    fprintf(out, "%zu checked, %zu as expected, %zu with faults", count, count - report->faulty,
            report->faulty);
    const char *mark = ": ";
    for (size_t k = 0; k < audit_finding_count; k++) {
        if (report->counts[k] > 0) {
            fprintf(out, "%s%s %zu", mark, audit_finding_name((enum audit_finding)k),
                    report->counts[k]);
            mark = ", ";
        }
    }
    putc('\n', out);
}

/* ---- CSV ---- */

static void put_cell(struct span text, FILE *out)
{
    bool quote = false;
    for (size_t i = 0; i < text.len; i++) {
        quote = quote || strchr(",;\"\r\n\t ", text.ptr[i]) != NULL;
    }
    if (quote) {
        putc('"', out);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') {
            putc('"', out);
        }
        putc(text.ptr[i], out);
    }
    if (quote) {
        putc('"', out);
    }
    putc(',', out);
}

static void put_number(unsigned long number, FILE *out)
{
    if (number > 0) {
        fprintf(out, "%lu", number);
    }
    putc(',', out);
}

static const char *expected_text(const struct audit_row *row)
{
    if (row->status != 0) {
        return NULL;
    }
    return row->class_wanted == audit_class_permanent   ? "permanent"
           : row->class_wanted == audit_class_temporary ? "temporary"
                                                        : "";
}

static void put_findings(const struct audit_report *report, size_t index, bool details, FILE *out)
{
    char whole[4 * audit_detail_bytes];
    size_t len = 0;
    whole[0] = 0;
    for (size_t k = 0; k < audit_finding_count; k++) {
        char detail[audit_detail_bytes];
        enum audit_finding finding = (enum audit_finding)k;
        if ((report->results[index].findings >> k & 1) == 0) {
            continue;
        }
        audit_detail(report, index, finding, detail);
        int n =
            snprintf(whole + len, sizeof(whole) - len, "%s%s", len > 0 ? details ? "; " : " " : "",
                     details ? detail : audit_finding_name(finding));
        len += (size_t)n < sizeof(whole) - len ? (size_t)n : sizeof(whole) - len - 1;
    }
    put_cell(span_of(whole, len), out);
}

void audit_report_csv(const struct audit_report *report, FILE *out)
{
    fputs("line,source,expected_target,expected_status,status,final_status,final,redirects,"
          "findings,details,tries\r\n",
          out);
    for (size_t i = 0; i < report->list->count; i++) {
        const struct audit_row *row = &report->list->rows[i];
        const struct audit_result *result = &report->results[i];
        const struct audit_hop *last = last_hop(result);
        put_number(row->line, out);
        put_cell(row->source, out);
        put_cell(row->target, out);
        if (expected_text(row) != NULL) {
            put_cell(span_cstr(expected_text(row)), out);
        } else {
            put_number(row->status, out);
        }
        put_number(last != NULL ? result->hops[0].status : 0, out);
        put_number(last != NULL ? last->status : 0, out);
        put_cell(last != NULL ? last->url : span_of("", 0), out);
        fprintf(out, "%zu,", last != NULL ? result->hop_count - 1 : 0);
        put_findings(report, i, false, out);
        put_findings(report, i, true, out);
        fprintf(out, "%u\r\n", result->tries);
    }
}
