/* SPDX-License-Identifier: MIT */
/* A trace as JSON: what it says is what detour-trace(1) describes, and does not change. */
#include "cli/json.h"
#include "cli/trace.h"

static json_t *text_or_null(struct detour_text text)
{
    return text.ptr != NULL ? json_text(span_of(text.ptr, text.len)) : json_null();
}

static json_t *cstring_or_null(const char *text)
{
    return text != NULL && text[0] != 0 ? json_text(span_cstr(text)) : json_null();
}

static json_t *milliseconds(int64_t us)
{
    return json_real((double)us / 1000);
}

/* A list of [name, value]: names may repeat, and their order counts. */
static json_t *fields_json(const struct detour_field *fields, size_t count, bool mask)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        bool secret = mask && trace_is_secret(&fields[i]);
        json_array_append_new(
            list, json_pack("[o,o]", text_or_null(fields[i].name),
                            secret ? json_string("(hidden)") : text_or_null(fields[i].value)));
    }
    return list;
}

json_t *trace_json_request(const struct detour_next *next)
{
    const struct detour_request *request = next->request;
    static const char *const bodies[] = {"none", "replayable", "once"};
    return json_pack("{s:i, s:{s:o, s:o, s:o, s:s}}", "number", (int)next->number, "request",
                     "method", text_or_null(request->method), "url", text_or_null(next->url->href),
                     "fields", fields_json(request->fields, request->field_count, true), "body",
                     bodies[request->body]);
}

static json_t *heads_json(const struct walk_head *heads, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list,
                              json_pack("{s:i, s:o}", "status", heads[i].status, "fields",
                                        fields_json(heads[i].fields, heads[i].field_count, false)));
    }
    return list;
}

static json_t *notes_json(const struct detour_verdict *verdict)
{
    json_t *list = json_array();
    for (size_t i = 0; verdict != NULL && i < verdict->note_count; i++) {
        const struct detour_note *note = &verdict->notes[i];
        char text[1024];
        detour_note_write(note, text, sizeof(text));
        bool because = note->because != DETOUR_BECAUSE_NONE;
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:I}", "kind", detour_note_name(note->kind),
                            "text", json_text(span_cstr(text)), "because",
                            because ? json_string(detour_because_name(note->because)) : json_null(),
                            "subject", text_or_null(note->subject), "detail",
                            text_or_null(note->detail), "number", (json_int_t)note->number));
    }
    return list;
}

static json_t *cache_json(const struct detour_verdict *verdict)
{
    const struct detour_freshness *freshness = verdict != NULL ? verdict->freshness : NULL;
    if (freshness == NULL) {
        return json_null();
    }
    bool told = freshness->cache == DETOUR_CACHE_FRESH || freshness->cache == DETOUR_CACHE_STALE;
    bool ends = told && freshness->lifetime_s != INT64_MAX;
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "verdict", detour_cache_name(freshness->cache),
                     "text", detour_cache_text(freshness->cache), "age_s",
                     told ? json_integer(freshness->age_s) : json_null(), "lifetime_s",
                     ends ? json_integer(freshness->lifetime_s) : json_null(), "fresh_until_s",
                     ends ? json_integer(freshness->fresh_until_s) : json_null());
}

static json_t *times_json(const struct walk_times *times)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "dns", milliseconds(times->dns_us),
                     "connect", milliseconds(times->connect_us), "tls", milliseconds(times->tls_us),
                     "first_byte", milliseconds(times->wait_us), "content",
                     milliseconds(times->content_us), "total", milliseconds(times->total_us));
}

static json_t *failure_json(enum walk_failure failure, const char *text)
{
    if (failure == walk_failure_none) {
        return json_null();
    }
    return json_pack("{s:s, s:o}", "kind", walk_failure_name(failure), "text",
                     cstring_or_null(text));
}

/* What the policy says; all null where no head came. */
static void add_verdict(json_t *object, const struct detour_verdict *verdict)
{
    const struct detour_text none = {0};
    bool reason = verdict != NULL && verdict->reason != DETOUR_REASON_NONE;
    const struct detour_url *resolved = verdict != NULL ? verdict->resolved : NULL;
    json_object_set_new(object, "location",
                        text_or_null(verdict != NULL ? verdict->location : none));
    json_object_set_new(object, "resolved", text_or_null(resolved != NULL ? resolved->href : none));
    json_object_set_new(object, "action",
                        verdict != NULL ? json_string(detour_action_name(verdict->action))
                                        : json_null());
    json_object_set_new(object, "reason",
                        reason ? json_string(detour_reason_name(verdict->reason)) : json_null());
    json_object_set_new(object, "cache", cache_json(verdict));
    json_object_set_new(object, "notes", notes_json(verdict));
}

void trace_json_hop(json_t *object, const struct walk_hop *hop)
{
    const struct walk_head *head = &hop->head;
    bool answered = head->status != 0;
    json_object_set_new(object, "from_store", json_boolean(hop->from_store));
    json_object_set_new(object, "status", answered ? json_integer(head->status) : json_null());
    json_object_set_new(object, "class",
                        answered ? json_string(trace_class(head->status)) : json_null());
    json_object_set_new(object, "protocol",
                        head->http != 0 ? json_string(trace_version(head->http)) : json_null());
    json_object_set_new(object, "address", cstring_or_null(hop->address));
    json_object_set_new(object, "port", hop->port != 0 ? json_integer(hop->port) : json_null());
    json_object_set_new(object, "reused", json_boolean(hop->reused));
    json_object_set_new(object, "times_ms", times_json(&hop->times));
    json_object_set_new(object, "sent_bytes", json_integer(hop->sent_bytes));
    json_object_set_new(object, "content_bytes", json_integer(hop->content_bytes));
    json_object_set_new(object, "interim", heads_json(hop->interim, hop->interim_count));
    json_object_set_new(object, "fields", fields_json(head->fields, head->field_count, false));
    add_verdict(object, hop->verdict);
    json_object_set_new(object, "failure", failure_json(hop->failure, hop->reason));
}

json_t *trace_json_end(const struct walk_end *end, const struct trace_way *way)
{
    static const char *const outcomes[] = {"delivered", "refused", "failed"};
    bool reason = end->reason != DETOUR_REASON_NONE;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:s, s:o}", "outcome",
                     outcomes[end->outcome], "reason",
                     reason ? json_string(detour_reason_name(end->reason)) : json_null(), "text",
                     reason ? json_string(detour_reason_text(end->reason)) : json_null(), "failure",
                     failure_json(end->failure, end->text), "status",
                     end->status != 0 ? json_integer(end->status) : json_null(), "url",
                     text_or_null(end->url), "redirects", (int)end->redirects, "way",
                     trace_way_name(way), "total_ms", milliseconds(end->total_us));
}
