/* SPDX-License-Identifier: MIT */
/* JUnit's XML, which build servers read, and a page of HTML. One way of escaping serves both. */
#include "audit/report.h"

/* Characters that XML 1.0 cannot say, and bytes beyond ASCII, which no normal form of a URL has,
 * are written as '?'. */
static void put(struct span text, FILE *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        switch (c) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            putc(c < 0x20 || c >= 0x7F ? '?' : c, out);
            break;
        }
    }
}

static void put_text(const char *text, FILE *out)
{
    put(span_cstr(text), out);
}

/* ---- JUnit ---- */

static void put_failure(const struct audit_report *report, size_t index, FILE *out)
{
    const struct audit_result *result = &report->results[index];
    unsigned first = (unsigned)__builtin_ctz(result->findings);
    char detail[audit_detail_bytes];
    bool error = first == audit_failed;
    audit_detail(report, index, (enum audit_finding)first, detail);
    fprintf(out, "      <%s type=\"%s\" message=\"", error ? "error" : "failure",
            audit_finding_name((enum audit_finding)first));
    put_text(detail, out);
    fputs("\">", out);
    for (size_t k = 0; k < audit_finding_count; k++) {
        if ((result->findings >> k & 1) != 0) {
            audit_detail(report, index, (enum audit_finding)k, detail);
            fprintf(out, "%s: ", audit_finding_name((enum audit_finding)k));
            put_text(detail, out);
            putc('\n', out);
        }
    }
    for (size_t i = 0; i < result->hop_count; i++) {
        fprintf(out, "%u ", result->hops[i].status);
        put(result->hops[i].url, out);
        putc('\n', out);
    }
    fprintf(out, "</%s>\n", error ? "error" : "failure");
}

/* A row whose first finding is that there was no answer is an error, the others are failures. */
static size_t count_errors(const struct audit_report *report)
{
    size_t errors = 0;
    for (size_t i = 0; i < report->list->count; i++) {
        errors += report->results[i].findings >> audit_failed & 1;
    }
    return errors;
}

void audit_report_junit(const struct audit_report *report, FILE *out)
{
    size_t errors = count_errors(report);
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
            "  <testsuite name=\"detour audit\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
            "time=\"%.3f\">\n",
            report->list->count, report->faulty - errors, errors, (double)report->took_us / 1e6);
    for (size_t i = 0; i < report->list->count; i++) {
        const struct audit_result *result = &report->results[i];
        fprintf(out, "    <testcase classname=\"line %zu\" name=\"", report->list->rows[i].line);
        put(report->list->rows[i].source, out);
        fprintf(out, "\" time=\"%.3f\"", (double)result->total_us / 1e6);
        if (result->findings == 0) {
            fputs("/>\n", out);
            continue;
        }
        fputs(">\n", out);
        put_failure(report, i, out);
        fputs("    </testcase>\n", out);
    }
    fputs("  </testsuite>\n</testsuites>\n", out);
}

/* ---- HTML ---- */

static const char page_begin[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"referrer\" content=\"no-referrer\">\n"
    "<title>Redirects</title>\n<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; "
    "padding: 0 1rem; }\n"
    "table { border-collapse: collapse; width: 100%; }\n"
    "th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; "
    "border-bottom: 1px solid #8884; overflow-wrap: anywhere; }\n"
    "ol, ul { margin: 0; padding-left: 1.2rem; }\n"
    ".bad { color: #c22; } .good { color: #282; }\n"
    "@media (prefers-color-scheme: dark) { .bad { color: #f77; } .good { color: #7c7; } }\n"
    "</style>\n</head>\n<body>\n<h1>Redirects</h1>\n";

/* All URLs here are http or https, or were never asked for. */
static void put_link(struct span url, FILE *out)
{
    bool web = span_starts(url, SPAN("http://")) || span_starts(url, SPAN("https://"));
    if (web) {
        fputs("<a rel=\"noreferrer\" href=\"", out);
        put(url, out);
        fputs("\">", out);
    }
    put(url, out);
    fputs(web ? "</a>" : "", out);
}

static void put_summary(const struct audit_report *report, FILE *out)
{
    size_t count = report->list->count;
    fprintf(out,
            "<p>%zu checked, <span class=\"good\">%zu as expected</span>, <span "
            "class=\"bad\">%zu with faults</span>.</p>\n<ul>\n",
            count, count - report->faulty, report->faulty);
    for (size_t k = 0; k < audit_finding_count; k++) {
        if (report->counts[k] > 0) {
            fprintf(out, "<li>%zu &times; %s: ", report->counts[k],
                    audit_finding_name((enum audit_finding)k));
            put_text(audit_finding_text((enum audit_finding)k), out);
            fputs("</li>\n", out);
        }
    }
    fputs("</ul>\n", out);
}

static void put_row(const struct audit_report *report, size_t index, FILE *out)
{
    const struct audit_row *row = &report->list->rows[index];
    const struct audit_result *result = &report->results[index];
    fprintf(out, "<tr><td>%zu</td><td>", row->line);
    put_link(row->source, out);
    fputs("</td><td><ol>", out);
    for (size_t i = 0; i < result->hop_count; i++) {
        fprintf(out, "<li>%u ", result->hops[i].status);
        put_link(result->hops[i].url, out);
        fputs("</li>", out);
    }
    fputs(result->findings == 0 ? "</ol></td><td class=\"good\">as expected"
                                : "</ol></td><td class=\"bad\"><ul>",
          out);
    for (size_t k = 0; k < audit_finding_count; k++) {
        char detail[audit_detail_bytes];
        if ((result->findings >> k & 1) != 0) {
            audit_detail(report, index, (enum audit_finding)k, detail);
            fprintf(out, "<li><b>%s</b>: ", audit_finding_name((enum audit_finding)k));
            put_text(detail, out);
            fputs("</li>", out);
        }
    }
    fputs(result->findings == 0 ? "</td></tr>\n" : "</ul></td></tr>\n", out);
}

/* Rows with faults come first. */
void audit_report_html(const struct audit_report *report, FILE *out)
{
    fputs(page_begin, out);
    put_summary(report, out);
    fputs("<table>\n<thead><tr><th>Line</th><th>Source</th><th>Way</th><th>Verdict</th></tr>"
          "</thead>\n<tbody>\n",
          out);
    for (int good = 0; good < 2; good++) {
        for (size_t i = 0; i < report->list->count; i++) {
            if ((report->results[i].findings == 0) == (good == 1)) {
                put_row(report, i, out);
            }
        }
    }
    fputs("</tbody>\n</table>\n</body>\n</html>\n", out);
}
