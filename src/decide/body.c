/* SPDX-License-Identifier: MIT */
/* The note of a redirect, where to go as JSON, and problem documents. */
#include "decide/body.h"

#include "base/calendar.h"
#include "http/status.h"
#include "signing/ticket.h"

/* A Location holds URI characters only, and of those just these mean something in HTML. */
static void put_escaped(struct buffer *out, struct span text)
{
    if (span_find(text, 0, '&') == text.len && span_find(text, 0, '\'') == text.len) {
        buffer_put(out, text);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '&') {
            buffer_put(out, SPAN("&amp;"));
        } else if (text.ptr[i] == '\'') {
            buffer_put(out, SPAN("&#39;"));
        } else {
            buffer_byte(out, text.ptr[i]);
        }
    }
}

void body_note(struct buffer *out, uint16_t status, struct span location)
{
    buffer_put(out, SPAN("<a href=\""));
    put_escaped(out, location);
    buffer_put(out, SPAN("\">"));
    buffer_put(out, status_reason(status));
    buffer_put(out, SPAN("</a>\n"));
}

/* ---- where to go, as JSON: URLs and tokens hold nothing that it escapes ---- */

/* RFC 3339. */
static void put_moment(struct buffer *out, int64_t s)
{
    int64_t day = s / seconds_per_day;
    struct civil_date date = civil_from_days(day);
    int second = (int)(s - day * seconds_per_day);
    buffer_printf(out, "%04lld-%02u-%02uT%02d:%02d:%02dZ", (long long)date.year, date.month,
                  date.day, second / 3600, second / 60 % 60, second % 60);
}

/* With which a client that is sent there goes on. A HEAD is about what a GET would be told
 * (RFC 9110, 9.3.2). */
static struct span method_there(const struct request *request, uint16_t status)
{
    bool head = request->method == METHOD_HEAD;
    return signing_method_after(head ? SPAN("GET") : request->method_name, status);
}

static void put_alternatives(struct buffer *out, const struct decide_alternative *at,
                             uint32_t count)
{
    buffer_put(out, SPAN(",\"alternatives\":["));
    for (uint32_t i = 0; i < count; i++) {
        buffer_put(out, i > 0 ? SPAN(",{\"url\":\"") : SPAN("{\"url\":\""));
        buffer_put(out, at[i].url);
        buffer_put(out, SPAN("\",\"priority\":"));
        buffer_decimal(out, at[i].priority);
        buffer_byte(out, '}');
    }
    buffer_byte(out, ']');
}

void body_told(struct buffer *out, const struct decide_context *context,
               const struct request *request, const struct decision *decision)
{
    buffer_put(out, SPAN("{\"url\":\""));
    buffer_put(out, decision->location);
    buffer_put(out, SPAN("\",\"status\":"));
    buffer_decimal(out, decision->status);
    buffer_put(out, SPAN(",\"method\":\""));
    buffer_put(out, method_there(request, decision->status));
    buffer_byte(out, '"');
    if (decision->expires_s > 0) {
        buffer_put(out, SPAN(",\"expires\":\""));
        put_moment(out, decision->expires_s);
        buffer_byte(out, '"');
    }
    put_alternatives(out, context->alternatives.at, decision->alternative_count);
    buffer_put(out, SPAN("}\n"));
}

/* ---- problems ---- */

static struct span detail(const struct decision *decision)
{
    switch (decision->reason) {
    case REASON_PAGE_OTHERS:
        return SPAN("This service is under maintenance, so the request was not carried out. Try "
                    "again later.");
    case REASON_POOL_EMPTY:
        return SPAN("No server is able to serve this now. Try again later.");
    case REASON_POOL_LACKS:
        return SPAN("No server is known to have this. Try again later.");
    case REASON_LOOP:
        return SPAN("All servers that could have this have sent the client back, and so has the "
                    "last resort.");
    case REASON_REGEX_LIMIT:
        return SPAN("Matching this request took too long.");
    case REASON_NO_SITE:
        return SPAN("This server does not answer for that host.");
    case REASON_MISDIRECTED:
        return SPAN("An https URI was asked for over a connection that is not secure.");
    case REASON_TICKET:
        return SPAN("This link leads back from a page that was shown for a while, and it is not "
                    "good any more. Go to where you wanted to go once more.");
    case REASON_LOCATION_LONG:
        return SPAN("The target of this redirect would be too long.");
    case REASON_LOCATION_ESCAPES:
        return SPAN("This path would lead outside of where it may be redirected.");
    case REASON_ORIGIN_REFUSED:
        return SPAN("The server that this one passes requests on to cannot be reached. Try again "
                    "later.");
    case REASON_ORIGIN_BAD:
        return SPAN("The server that this one passes requests on to gave no answer that can be "
                    "understood. Whether the request was carried out is not known.");
    case REASON_ORIGIN_LATE:
        return SPAN("The server that this one passes requests on to did not answer in time. "
                    "Whether the request was carried out is not known.");
    case REASON_ORIGIN_BUSY:
        return SPAN("Too many requests wait for the server that this one passes them on to. Try "
                    "again later.");
    case REASON_ORIGIN_NOT:
        return SPAN("This request cannot be passed on.");
    case REASON_UNTRUSTED:
        return SPAN("Whoever asks here about requests of others must stand under trusted_proxies.");
    case REASON_NO_ORIGINAL:
        return SPAN("This is asked about other requests, and the fields that say which one are "
                    "not there.");
    case REASON_ORIGINAL_DIFFERS:
        return SPAN("The fields that say which request this is about do not agree.");
    default:
        return (struct span){0};
    }
}

static void put_html(struct buffer *out, const struct decision *decision)
{
    struct span title = status_reason(decision->status);
    buffer_put(out, SPAN("<!doctype html>\n<title>"));
    buffer_put(out, title);
    buffer_put(out, SPAN("</title>\n<h1>"));
    buffer_put(out, title);
    buffer_put(out, SPAN("</h1>\n<p>"));
    buffer_put(out, detail(decision));
    buffer_put(out, SPAN("</p>\n"));
}

void body_problem(struct buffer *out, const struct decision *decision)
{
    if (decision->html) {
        put_html(out, decision);
        return;
    }
    struct span title = status_reason(decision->status);
    struct span more = detail(decision);
    buffer_put(out, SPAN("{\"type\":\"about:blank\",\"status\":"));
    buffer_decimal(out, decision->status);
    if (title.len > 0) { /* a status that is not registered has no phrase to call it by */
        buffer_put(out, SPAN(",\"title\":\""));
        buffer_put(out, title);
        buffer_byte(out, '"');
    }
    if (more.len > 0) {
        buffer_put(out, SPAN(",\"detail\":\""));
        buffer_put(out, more);
        buffer_byte(out, '"');
    }
    buffer_put(out, SPAN("}\n"));
}
