/* SPDX-License-Identifier: MIT */
/* Writes wait pages. */
#include "page/wait.h"

#include "base/calendar.h"
#include "base/clock.h"
#include "page/embedded.h"

enum {
    ask_ms = 5000,     /* between two questions of a script, on the average */
    reload_s = 10,     /* without a script: at least, and … */
    reload_more_s = 5, /* two digits each time, so that HEAD is as long as GET */
    ns_per_ms = 1000000,
};

/* ---- text in HTML ---- */

static struct span entity_of(uint8_t c)
{
    switch (c) {
    case '&':
        return SPAN("&amp;");
    case '<':
        return SPAN("&lt;");
    case '>':
        return SPAN("&gt;");
    case '"':
        return SPAN("&quot;");
    case '\'':
        return SPAN("&#39;");
    default:
        return (struct span){0};
    }
}

static void put_text(struct buffer *out, struct span text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        struct span entity = entity_of(text.ptr[i]);
        if (entity.len > 0) {
            buffer_put(out, span_slice(text, from, i));
            buffer_put(out, entity);
            from = i + 1;
        }
    }
    buffer_put(out, span_from(text, from));
}

static void put(struct buffer *out, const char *text)
{
    buffer_put(out, span_cstr(text));
}

/* Cut off between two characters of UTF-8. */
static struct span shortened(struct span text, size_t max)
{
    if (text.len <= max) {
        return text;
    }
    while (max > 0 && (text.ptr[max] & 0xC0) == 0x80) {
        max--;
    }
    return span_slice(text, 0, max);
}

static void put_attribute(struct buffer *out, const char *name, struct span value)
{
    buffer_byte(out, ' ');
    put(out, name);
    put(out, "=\"");
    put_text(out, value);
    buffer_byte(out, '"');
}

/* ---- times ---- */

static int64_t floor_div(int64_t number, int64_t by)
{
    return number / by - (number % by < 0 ? 1 : 0);
}

/* Milliseconds since 1970 for a script; 0: none. */
static int64_t script_time(int64_t ns)
{
    return ns == INT64_MIN || ns == WAIT_NEVER ? 0 : floor_div(ns, ns_per_ms);
}

static void put_minute(struct buffer *out, int64_t ns, const char *between, const char *zone)
{
    int64_t s = floor_div(ns, NS_PER_SECOND);
    int64_t day = floor_div(s, seconds_per_day);
    struct civil_date date = civil_from_days(day);
    int minute = (int)((s - day * seconds_per_day) / 60);
    buffer_printf(out, "%04lld-%02u-%02u%s%02d:%02d%s", (long long)date.year, date.month, date.day,
                  between, minute / 60, minute % 60, zone);
}

/* How much of it is over, in percent; -1: that cannot be said. */
static int percent_done(const struct wait_page *page)
{
    if (page->from_ns == INT64_MIN || page->until_ns == WAIT_NEVER ||
        page->from_ns >= page->until_ns) {
        return -1;
    }
    int64_t from = script_time(page->from_ns);
    int64_t hundredth = (script_time(page->until_ns) - from) / 100;
    int64_t percent = (script_time(page->now_ns) - from) / (hundredth > 0 ? hundredth : 1);
    return percent < 0 ? 0 : percent > 100 ? 100 : (int)percent;
}

/* ---- the script ---- */

static void put_number(struct buffer *out, const char *name, int64_t number)
{
    buffer_printf(out, " %s=\"%lld\"", name, (long long)number);
}

/* A page without a key asks for itself: a reload says whether it is over. */
static void put_place(struct buffer *out, const struct wait_page *page, struct span base)
{
    if (page->ticket.len > 0) {
        buffer_put(out, base);
        buffer_put(out, page->ticket);
    } else {
        put_text(out, page->target);
    }
}

static void put_script(struct buffer *out, const struct wait_page *page, struct span reason)
{
    const struct words *words = page->words;
    put(out, "<noscript><meta http-equiv=\"refresh\" content=\"");
    buffer_decimal(out, reload_s + page->jitter % reload_more_s);
    put(out, "\"></noscript>\n<script data-status=\"");
    put_place(out, page, SPAN(WAIT_STATUS));
    buffer_byte(out, '"');
    put_attribute(out, "data-back", page->target);
    put_attribute(out, "data-reason", reason);
    put_attribute(out, "data-lang", span_cstr(words->tag));
    put_attribute(out, "data-waiting", span_cstr(words->waiting));
    put_attribute(out, "data-late", span_cstr(words->late));
    put_attribute(out, "data-over", span_cstr(words->over));
    put_number(out, "data-from", script_time(page->from_ns));
    put_number(out, "data-until", script_time(page->until_ns));
    put_number(out, "data-now", script_time(page->now_ns));
    put_number(out, "data-again", ask_ms);
    put(out, ">");
    buffer_put(out, wait_script);
    put(out, "</script>\n");
}

/* ---- our own HTML ---- */

static void put_head(struct buffer *out, const struct words *words, struct span title)
{
    put(out, "<!doctype html>\n<html");
    put_attribute(out, "lang", span_cstr(words->tag));
    put(out, ">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
             "content=\"width=device-width, initial-scale=1\">\n<title>");
    put_text(out, title);
    put(out, "</title>\n<style>");
    buffer_put(out, wait_style);
    put(out, "</style>\n");
}

static void put_heading(struct buffer *out, struct span title)
{
    put(out, "</head>\n<body>\n<main>\n<h1>");
    put_text(out, title);
    put(out, "</h1>\n");
}

static void put_progress(struct buffer *out, const struct wait_page *page)
{
    int percent = percent_done(page);
    put(out, "<progress data-detour=\"progress\" max=\"100\"");
    put_attribute(out, "aria-label", span_cstr(page->words->progress));
    if (percent >= 0) {
        buffer_printf(out, " value=\"%d\"", percent);
    }
    put(out, "></progress>\n");
}

static void put_end(struct buffer *out, const struct wait_page *page)
{
    bool known = page->until_ns != WAIT_NEVER;
    put(out, known ? "<p data-detour=\"known\">" : "<p data-detour=\"known\" hidden>");
    put(out, page->words->until);
    put(out, " <time data-detour=\"until\"");
    if (known) {
        put(out, " datetime=\"");
        put_minute(out, page->until_ns, "T", "Z");
        put(out, "\">");
        put_minute(out, page->until_ns, " ", " UTC");
    } else {
        put(out, ">");
    }
    put(out, "</time> <span class=\"soft\" data-detour=\"left\"></span></p>\n");
    put(out, known ? "<p data-detour=\"unknown\" hidden>" : "<p data-detour=\"unknown\">");
    put(out, page->words->unknown);
    put(out, "</p>\n");
}

static void put_own_page(struct buffer *out, const struct wait_page *page, struct span reason)
{
    struct span title = page->title.len > 0 ? page->title : span_cstr(page->words->title);
    put_head(out, page->words, title);
    put_script(out, page, reason);
    put_heading(out, title);
    if (reason.len > 0) {
        put(out, "<p data-detour=\"reason\" dir=\"auto\">");
        put_text(out, reason);
        put(out, "</p>\n");
    }
    put(out, "<p>");
    put(out, page->words->lead);
    put(out, "</p>\n");
    put_progress(out, page);
    put_end(out, page);
    put(out, "<p class=\"soft\" role=\"status\" data-detour=\"state\"></p>\n<p><a "
             "data-detour=\"back\"");
    put_attribute(out, "href", page->target);
    put(out, ">");
    put(out, page->words->back);
    put(out, "</a></p>\n</main>\n</body>\n</html>\n");
}

void wait_page_write(const struct wait_page *page, struct buffer *out)
{
    struct span reason = shortened(page->reason, wait_reason_max);
    if (page->before.len + page->after.len == 0) {
        put_own_page(out, page, reason);
        return;
    }
    buffer_put(out, page->before);
    put_script(out, page, reason);
    buffer_put(out, page->after);
}

void wait_status_write(bool over, int64_t until_ns, struct buffer *out)
{
    put(out, over ? "{\"over\":true" : "{\"over\":false");
    int64_t until = script_time(until_ns);
    if (!over && until != 0) {
        buffer_printf(out, ",\"until\":%lld", (long long)until);
    }
    put(out, "}\n");
}

void wait_sent_write(const struct words *words, struct buffer *out)
{
    struct span title = span_cstr(words->sent_title);
    put_head(out, words, title);
    put_heading(out, title);
    put(out, "<p>");
    put(out, words->sent);
    put(out, "</p>\n</main>\n</body>\n</html>\n");
}

/* ---- what stands around it ---- */

void wait_policy_write(bool own, struct buffer *out)
{
    put(out, "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
             "frame-ancestors 'none'; script-src '");
    buffer_put(out, wait_script_hash);
    if (own) {
        put(out, "'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'");
        return;
    }
    put(out, "'; img-src 'self'; style-src '");
    buffer_put(out, wait_style_hash);
    put(out, "'");
}

int64_t wait_jittered_s(int64_t wanted_s, uint32_t jitter)
{
    int64_t more = wanted_s / 4;
    more = more < 4 ? 4 : more > 60 ? 60 : more;
    return wanted_s + jitter % (more + 1);
}
