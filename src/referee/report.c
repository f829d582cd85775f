/* SPDX-License-Identifier: MIT */
/* Text and JSON of the cases and of the table. */
#include "referee/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { url_bytes_max = 512 };

static const char *url_of(const struct test_case *test, const struct case_names *names,
                          char out[url_bytes_max])
{
    struct buffer text = buffer_over(out, url_bytes_max - 1);
    case_url(test, names, &text);
    out[text.len] = '\0';
    return out;
}

/* ---- the cases ---- */

static void put_curl(const struct test_case *test, const char *url, struct buffer *out)
{
    const char *method = test->method;
    if (test->content_bytes > content_small) {
        buffer_printf(out, "yes '%s' | tr -d '\\n' | head -c %u | ", CONTENT_PATTERN,
                      test->content_bytes);
    }
    buffer_printf(out, "curl -sSL%s", case_needs_tls(test) ? " -k" : "");
    if (strcmp(method, "HEAD") == 0) {
        buffer_printf(out, " -I");
    } else if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0) {
        buffer_printf(out, " -X %s", method);
    }
    for (size_t i = 0; i < case_fields_max && test->fields[i] != NULL; i++) {
        buffer_printf(out, " -H '%s'", test->fields[i]);
    }
    if (test->content_bytes > 0) {
        buffer_printf(out, " --data-binary %s",
                      test->content_bytes > content_small ? "@-" : "'" CONTENT_PATTERN "'");
    }
    buffer_printf(out, "%s", test->jar ? " -b ''" : "");
    for (unsigned i = 0; i < (test->times > 1 ? test->times : 1u); i++) {
        buffer_printf(out, " -o /dev/null '%s'", url);
    }
}

void report_cases(const struct case_names *names, struct buffer *out)
{
    char url[url_bytes_max];
    for (size_t i = 0; i < test_case_count; i++) {
        const struct test_case *test = &test_cases[i];
        buffer_printf(out, "%s: %s\n  right: %s (%s)\n  ", test->id, test->title, test->right,
                      test->section);
        put_curl(test, url_of(test, names, url), out);
        buffer_printf(out, "\n\n");
    }
    buffer_printf(out, "then: curl http://%.*s/report/%.*s\n", SPAN_ARG(names->places[PLACE_HERE]),
                  SPAN_ARG(names->key));
}

/* NULL: no memory. */
static json_t *fields_json(const struct test_case *test)
{
    json_t *object = json_object();
    for (size_t i = 0; i < case_fields_max && test->fields[i] != NULL; i++) {
        struct span field = span_cstr(test->fields[i]);
        size_t colon = span_find(field, 0, ':');
        json_t *value = json_string(test->fields[i] + colon + 2);
        if (json_object_setn_new(object, test->fields[i], colon, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *case_json(const struct test_case *test, const struct case_names *names)
{
    char url[url_bytes_max];
    char command[2048];
    struct buffer curl = buffer_over(command, sizeof(command));
    put_curl(test, url_of(test, names, url), &curl);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:i, s:i, s:b, s:b, s:b, s:s%}",
                     "id", test->id, "group", test->group, "title", test->title, "right",
                     test->right, "section", test->section, "method", test->method, "url", url,
                     "fields", fields_json(test), "content", CONTENT_PATTERN, "content_bytes",
                     (int)test->content_bytes, "times", test->times > 1 ? test->times : 1, "jar",
                     test->jar, "navigate", test->navigate, "secure", case_needs_tls(test), "curl",
                     command, curl.len);
}

/* Takes the object over. */
static enum err put_json(json_t *object, struct buffer *out)
{
    char *text = object != NULL ? json_dumps(object, JSON_INDENT(1)) : NULL;
    json_decref(object);
    if (text == NULL) {
        return ERR_MEMORY;
    }
    buffer_put(out, span_cstr(text));
    buffer_byte(out, '\n');
    free(text);
    return ERR_NONE;
}

enum err report_cases_json(const struct case_names *names, struct buffer *out)
{
    json_t *list = json_array();
    for (size_t i = 0; i < test_case_count; i++) {
        if (json_array_append_new(list, case_json(&test_cases[i], names)) != 0) {
            json_decref(list);
            return ERR_MEMORY;
        }
    }
    return put_json(json_pack("{s:s%, s:o}", "key", names->key.ptr, names->key.len, "cases", list),
                    out);
}

/* ---- the table ---- */

struct tally {
    struct finding findings[case_count_max];
    unsigned counts[verdict_count];
};

static void tally_of(const struct session *session, struct tally *out)
{
    *out = (struct tally){0};
    for (size_t i = 0; i < test_case_count; i++) {
        judge(&session->evidence[i], &out->findings[i]);
        out->counts[out->findings[i].verdict]++;
    }
}

void report_table(const struct session *session, struct buffer *out)
{
    struct tally tally;
    tally_of(session, &tally);
    buffer_printf(out, "%s: %s\n%u as the standard says, %u allowed, %u wrong, %u unseen\n\n",
                  session->key, session->client[0] != '\0' ? session->client : "(no name)",
                  tally.counts[VERDICT_STANDARD], tally.counts[VERDICT_ALLOWED],
                  tally.counts[VERDICT_WRONG], tally.counts[VERDICT_UNSEEN]);
    for (size_t i = 0; i < test_case_count; i++) {
        const struct test_case *test = &test_cases[i];
        const struct finding *finding = &tally.findings[i];
        buffer_printf(out, "%-20s %-8s  %s", test->id, verdict_name(finding->verdict),
                      finding->text);
        if (finding->verdict == VERDICT_WRONG) {
            buffer_printf(out, "; right: %s (%s)", test->right, test->section);
        }
        buffer_byte(out, '\n');
    }
}

static json_t *finding_json(const struct evidence *evidence, const struct finding *finding)
{
    const struct test_case *test = evidence->test;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "id", test->id, "group",
                     test->group, "title", test->title, "right", test->right, "section",
                     test->section, "verdict", verdict_name(finding->verdict), "saw", finding->text,
                     "requests", (int)evidence->count);
}

static json_t *findings_json(const struct session *session, const struct tally *tally)
{
    json_t *list = json_array();
    for (size_t i = 0; i < test_case_count; i++) {
        if (json_array_append_new(list, finding_json(&session->evidence[i], &tally->findings[i])) !=
            0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

enum err report_table_json(const struct session *session, struct buffer *out)
{
    struct tally tally;
    tally_of(session, &tally);
    json_t *list = findings_json(session, &tally);
    return put_json(json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:o}", "key", session->key, "client",
                              session->client, "standard", (int)tally.counts[VERDICT_STANDARD],
                              "allowed", (int)tally.counts[VERDICT_ALLOWED], "wrong",
                              (int)tally.counts[VERDICT_WRONG], "unseen",
                              (int)tally.counts[VERDICT_UNSEEN], "cases", list),
                    out);
}
