/* SPDX-License-Identifier: MIT */
/* A trace for people, hop by hop while it goes on. */
#include "cli/show.h"
#include "cli/trace.h"
#include "http/status.h"

#include <stdlib.h>
#include <unistd.h>

#define RESET "\033[0m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define CYAN "\033[36m"

static bool draws_lines(FILE *out)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL && value[0] != 0) {
            return isatty(fileno(out)) == 1 &&
                   (strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL);
        }
    }
    return false;
}

void trace_text_init(struct trace_text *text, FILE *out, bool verbose)
{
    *text = (struct trace_text){
        .out = out, .colours = show_in_colours(out), .lines = draws_lines(out), .verbose = verbose};
}

static const char *paint(const struct trace_text *text, const char *colour)
{
    return text->colours ? colour : "";
}

/* What came from elsewhere: no byte of it is a command to the terminal. */
static void print_clean(FILE *out, struct detour_text bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = (uint8_t)bytes.ptr[i];
        if (c < 0x20 || c == 0x7F || (c >= 0x80 && c < 0xA0)) {
            fprintf(out, "\\x%02x", c);
        } else {
            putc(c < 0x80 ? c : '?', out);
        }
    }
}

static void begin_line(const struct trace_text *text)
{
    fprintf(text->out, "   %s%s%s ", paint(text, DIM), text->lines ? "│" : "|", paint(text, RESET));
}

static void print_fields(const struct trace_text *text, const char *mark,
                         const struct detour_field *fields, size_t count, bool mask)
{
    for (size_t i = 0; i < count; i++) {
        begin_line(text);
        fprintf(text->out, "%s%s ", paint(text, DIM), mark);
        print_clean(text->out, fields[i].name);
        fputs(": ", text->out);
        print_clean(text->out, mask && trace_is_secret(&fields[i]) ? detour_text_of("(hidden)")
                                                                   : fields[i].value);
        fprintf(text->out, "%s\n", paint(text, RESET));
    }
}

void trace_text_sending(struct trace_text *text, const struct detour_next *next)
{
    const struct detour_request *request = next->request;
    if (text->hops > 0) {
        fprintf(text->out, "   %s%s%s\n", paint(text, DIM), text->lines ? "▼" : "v",
                paint(text, RESET));
    }
    text->hops++;
    fprintf(text->out, "%2u %s", (unsigned)text->hops, paint(text, BOLD));
    print_clean(text->out, request->method);
    putc(' ', text->out);
    print_clean(text->out, next->url->href);
    fprintf(text->out, "%s\n", paint(text, RESET));
    if (text->verbose) {
        print_fields(text, ">", request->fields, request->field_count, true);
    }
    fflush(text->out);
}

static const char *status_colour(uint16_t status)
{
    return status >= 400 ? RED : status >= 300 ? YELLOW : GREEN;
}

static const char *class_text(uint16_t status)
{
    return status_redirects(status) ? trace_class(status) : NULL;
}

static void print_status(const struct trace_text *text, const struct walk_head *head,
                         const char *colour)
{
    struct span reason = status_reason(head->status);
    fprintf(text->out, "%s%u%s%.*s%s", paint(text, colour), head->status, reason.len > 0 ? " " : "",
            SPAN_ARG(reason), paint(text, RESET));
}

static void print_answer(const struct trace_text *text, const struct walk_hop *hop)
{
    const struct walk_head *head = &hop->head;
    const char *class = class_text(head->status);
    begin_line(text);
    print_status(text, head, status_colour(head->status));
    if (class != NULL) {
        fprintf(text->out, ", %s", class);
    }
    if (hop->from_store) {
        fputs(", remembered: nothing was sent\n", text->out);
        return;
    }
    fprintf(text->out, "; %s", trace_version(head->http));
    if (hop->address[0] != 0) {
        bool v6 = strchr(hop->address, ':') != NULL;
        fprintf(text->out, " from %s%s%s:%u%s", v6 ? "[" : "", hop->address, v6 ? "]" : "",
                hop->port, hop->reused ? ", the connection of before" : "");
    }
    putc('\n', text->out);
}

static void print_time(const struct trace_text *text, const char *name, int64_t us)
{
    if (us >= 50) {
        fprintf(text->out, "%s %.1f ms, ", name, (double)us / 1000);
    }
}

static void print_times(const struct trace_text *text, const struct walk_hop *hop)
{
    const struct walk_times *times = &hop->times;
    begin_line(text);
    fputs(paint(text, DIM), text->out);
    print_time(text, "dns", times->dns_us);
    print_time(text, "connect", times->connect_us);
    print_time(text, "tls", times->tls_us);
    print_time(text, "first byte", times->wait_us);
    print_time(text, "content", times->content_us);
    fprintf(text->out, "total %.1f ms", (double)times->total_us / 1000);
    if (hop->sent_bytes > 0) {
        fprintf(text->out, "; %lld bytes sent%s", (long long)hop->sent_bytes,
                hop->stopped ? ", and no more, since the answer was there" : "");
    }
    fprintf(text->out, "%s\n", paint(text, RESET));
}

static void print_interim(const struct trace_text *text, const struct walk_hop *hop)
{
    for (size_t i = 0; i < hop->interim_count; i++) {
        begin_line(text);
        print_status(text, &hop->interim[i], CYAN);
        putc('\n', text->out);
        if (text->verbose) {
            print_fields(text, "<", hop->interim[i].fields, hop->interim[i].field_count, false);
        }
    }
}

static void print_location(const struct trace_text *text, const struct detour_verdict *verdict)
{
    if (verdict->location.ptr == NULL) {
        return;
    }
    begin_line(text);
    fputs("Location: ", text->out);
    print_clean(text->out, verdict->location);
    putc('\n', text->out);
    if (verdict->resolved != NULL) {
        begin_line(text);
        fprintf(text->out, "      %s ", text->lines ? "  →" : " =>");
        print_clean(text->out, verdict->resolved->href);
        putc('\n', text->out);
    }
}

static bool alarms(enum detour_note_kind kind)
{
    return kind == DETOUR_NOTE_DOWNGRADE || kind == DETOUR_NOTE_CREDENTIALS_SENT ||
           kind == DETOUR_NOTE_SECRET_SENT || kind == DETOUR_NOTE_USERINFO_DROPPED ||
           kind == DETOUR_NOTE_LOOP || kind == DETOUR_NOTE_FRAGMENT_CROSSED;
}

/* What the answer's class and the lines above say already is not said twice. */
static bool is_said(const struct detour_note *note)
{
    return note->kind == DETOUR_NOTE_TEMPORARY || note->kind == DETOUR_NOTE_PERMANENT ||
           note->kind == DETOUR_NOTE_CACHEABLE || note->kind == DETOUR_NOTE_FROM_STORE;
}

static void print_notes(const struct trace_text *text, const struct detour_verdict *verdict)
{
    for (size_t i = 0; i < verdict->note_count; i++) {
        const struct detour_note *note = &verdict->notes[i];
        char sentence[1024];
        if (is_said(note)) {
            continue;
        }
        detour_note_write(note, sentence, sizeof(sentence));
        begin_line(text);
        fprintf(text->out, "%s%s %s%s\n", alarms(note->kind) ? paint(text, RED) : "",
                alarms(note->kind) ? "!" : "*", sentence, paint(text, RESET));
    }
}

static void print_cache(const struct trace_text *text, const struct detour_verdict *verdict)
{
    const struct detour_freshness *freshness = verdict->freshness;
    if (freshness == NULL || freshness->cache == DETOUR_CACHE_STATUS ||
        freshness->cache == DETOUR_CACHE_UNKNOWN) {
        return;
    }
    begin_line(text);
    fprintf(text->out, "cache: %s", detour_cache_text(freshness->cache));
    if (freshness->cache == DETOUR_CACHE_FRESH && freshness->lifetime_s == INT64_MAX) {
        fputs(", until it is forgotten", text->out);
    } else if (freshness->cache == DETOUR_CACHE_FRESH) {
        fprintf(text->out, ", for %lld s more",
                (long long)(freshness->lifetime_s - freshness->age_s));
    }
    putc('\n', text->out);
}

void trace_text_hop(struct trace_text *text, const struct walk_hop *hop)
{
    bool answered = hop->head.status != 0;
    print_interim(text, hop);
    if (answered) {
        print_answer(text, hop);
    }
    if (!hop->from_store) {
        print_times(text, hop);
    }
    if (answered && text->verbose) {
        print_fields(text, "<", hop->head.fields, hop->head.field_count, false);
    }
    if (hop->verdict != NULL) {
        print_location(text, hop->verdict);
        print_cache(text, hop->verdict);
        print_notes(text, hop->verdict);
    }
}

static void print_way(const struct trace_text *text, const struct walk_end *end,
                      const struct trace_way *way)
{
    const char *plural = end->redirects == 1 ? "" : "s";
    fprintf(text->out, "%s after %u redirect%s", end->outcome == walk_delivered ? "" : ";",
            end->redirects, plural);
    if (end->redirects > 0) {
        fprintf(text->out, " (%s)", trace_way_name(way));
    }
    fprintf(text->out, " in %.1f ms\n", (double)end->total_us / 1000);
}

void trace_text_end(struct trace_text *text, const struct walk_end *end,
                    const struct trace_way *way)
{
    const struct walk_head last = {.status = end->status};
    fputs(text->lines ? "   └ " : "   = ", text->out);
    switch (end->outcome) {
    case walk_delivered:
        print_status(text, &last, status_colour(end->status));
        break;
    case walk_refused:
        fprintf(text->out, "%srefused: %s%s", paint(text, RED), detour_reason_text(end->reason),
                paint(text, RESET));
        break;
    default:
        fprintf(text->out, "%sno answer: ", paint(text, RED));
        print_clean(text->out, detour_text_of(end->text));
        fputs(paint(text, RESET), text->out);
        break;
    }
    print_way(text, end, way);
    if (end->outcome == walk_delivered && end->reason != DETOUR_REASON_NONE) {
        fprintf(text->out, "     not followed: %s\n", detour_reason_text(end->reason));
    }
}
