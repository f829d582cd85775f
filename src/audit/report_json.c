/* SPDX-License-Identifier: MIT */
/* An audit as JSON, a row at a time: a long list is never a tree in memory. */
#include "audit/report.h"

#include <jansson.h>

static json_t *text(struct span bytes)
{
    json_t *string = json_stringn(bytes.len > 0 ? (const char *)bytes.ptr : "", bytes.len);
    return string != NULL ? string : json_null();
}

static json_t *text_or_null(struct span bytes)
{
    return bytes.len > 0 ? text(bytes) : json_null();
}

static json_t *number_or_null(unsigned number)
{
    return number > 0 ? json_integer(number) : json_null();
}

static json_t *expected_json(const struct audit_row *row)
{
    static const char *const classes[] = {"any", "permanent", "temporary"};
    return json_pack("{s:o, s:o, s:s}", "target", text_or_null(row->target), "status",
                     number_or_null(row->status), "class", classes[row->class_wanted]);
}

static json_t *findings_json(const struct audit_report *report, size_t index)
{
    json_t *list = json_array();
    for (size_t k = 0; k < audit_finding_count; k++) {
        char detail[audit_detail_bytes];
        if ((report->results[index].findings >> k & 1) == 0) {
            continue;
        }
        audit_detail(report, index, (enum audit_finding)k, detail);
        json_array_append_new(list, json_pack("{s:s, s:o}", "kind",
                                              audit_finding_name((enum audit_finding)k), "text",
                                              text(span_cstr(detail))));
    }
    return list;
}

static json_t *hops_json(const struct audit_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->hop_count; i++) {
        json_array_append_new(list, json_pack("{s:o, s:o}", "url", text(result->hops[i].url),
                                              "status", number_or_null(result->hops[i].status)));
    }
    return list;
}

static json_t *reason_json(const char *reason)
{
    char clean[audit_detail_bytes];
    if (reason == NULL) {
        return json_null();
    }
    snprintf(clean, sizeof(clean), "%s", reason);
    audit_clean(clean);
    return json_string(clean);
}

static json_t *row_json(const struct audit_report *report, size_t index)
{
    static const char *const outcomes[] = {"delivered", "refused", "failed"};
    const struct audit_row *row = &report->list->rows[index];
    const struct audit_result *result = &report->results[index];
    return json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:i, s:f}", "line", (json_int_t)row->line,
                     "source", text(row->source), "expected", expected_json(row), "outcome",
                     outcomes[result->outcome], "reason", reason_json(result->reason), "findings",
                     findings_json(report, index), "hops", hops_json(result), "tries",
                     (int)result->tries, "total_ms", (double)result->total_us / 1000);
}

static void put_counts(const struct audit_report *report, FILE *out)
{
    fprintf(out, "{\n  \"checked\": %zu,\n  \"faulty\": %zu,\n  \"total_ms\": %.3f,\n",
            report->list->count, report->faulty, (double)report->took_us / 1000);
    fputs("  \"findings\": {", out);
    const char *mark = "";
    for (size_t k = 0; k < audit_finding_count; k++) {
        fprintf(out, "%s\"%s\": %zu", mark, audit_finding_name((enum audit_finding)k),
                report->counts[k]);
        mark = ", ";
    }
    fputs("},\n  \"rows\": [", out);
}

void audit_report_json(const struct audit_report *report, FILE *out)
{
    put_counts(report, out);
    for (size_t i = 0; i < report->list->count; i++) {
        json_t *row = row_json(report, i);
        fputs(i > 0 ? ",\n    " : "\n    ", out);
        json_dumpf(row, out, JSON_REAL_PRECISION(7));
        json_decref(row);
    }
    fputs(report->list->count > 0 ? "\n  ]\n}\n" : "]\n}\n", out);
}
