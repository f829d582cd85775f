/* SPDX-License-Identifier: MIT */
/* Notes as sentences. A sentence is a pattern: {s} and {d} stand for subject and detail, {n} for
 * the number, {t} for the number as a time, {b} for why. */
#include "client/text.h"

#include "http/date.h"

#include <stdio.h>

static const char *const sentences[] = {
    [DETOUR_NOTE_TEMPORARY] = "temporary ({n}): the old URL stays the one to use",
    [DETOUR_NOTE_PERMANENT] = "permanent ({n}): the new URL is the one to use from now on",
    [DETOUR_NOTE_METHOD_CHANGED] = "{s} becomes {d}",
    [DETOUR_NOTE_BODY_DROPPED] = "the body is not sent on",
    [DETOUR_NOTE_BODY_RESENT] = "the body is sent again",
    [DETOUR_NOTE_UNSAFE_RESENT] = "{s}, which changes something, is sent again",
    [DETOUR_NOTE_FIELD_DROPPED] = "{s} is dropped: {b}",
    [DETOUR_NOTE_FIELD_SET] = "{s} is now {d}: {b}",
    [DETOUR_NOTE_CREDENTIALS_DROPPED] = "{s} is dropped for good: {d} is another origin",
    [DETOUR_NOTE_CREDENTIALS_SENT] = "{s} goes to another origin, {d}, as was asked for",
    [DETOUR_NOTE_SECRET_SENT] = "{s} sounds like a secret, and goes to another origin, {d}",
    [DETOUR_NOTE_ORIGIN_CHANGED] = "from {s} to another origin, {d}",
    [DETOUR_NOTE_DOWNGRADE] = "from https to http: what follows can be read and changed on the way",
    [DETOUR_NOTE_UPGRADE] = "from http to https",
    [DETOUR_NOTE_USERINFO_DROPPED] = "the user name and password in the URL of {s} are not used",
    [DETOUR_NOTE_FRAGMENT_INHERITED] = "the fragment #{s} goes along",
    [DETOUR_NOTE_FRAGMENT_CROSSED] = "the fragment #{s} goes along to another origin",
    [DETOUR_NOTE_RETRY_AFTER] = "the server asks to wait {n} s before following",
    [DETOUR_NOTE_LOOP] = "a loop: {s} {d} was requested before with the same cookies",
    [DETOUR_NOTE_LOCATIONS_REPEATED] = "Location came several times, always the same",
    [DETOUR_NOTE_LOCATION_MISSING] = "there is no Location",
    [DETOUR_NOTE_LOCATION_MENDED] =
        "Location is no valid URI reference, and was read as browsers do",
    [DETOUR_NOTE_LOCATION_EMPTY] = "Location is empty, which means the same URL",
    [DETOUR_NOTE_STATUS_AS_300] = "{n} is a status nobody knows, and counts as 300",
    [DETOUR_NOTE_STATUS_RETIRED] = "{n} is out of use, and never followed",
    [DETOUR_NOTE_CACHEABLE] = "may be remembered {t}",
    [DETOUR_NOTE_CACHE_GUESS] =
        "public without a lifetime: a cache may keep it as long as it likes",
    [DETOUR_NOTE_FROM_STORE] = "was remembered; {n} s old",
};

/* As snprintf: what does not fit is counted all the same. */
struct line {
    char *out;
    size_t size;
    size_t len;
};

static void put(struct line *line, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (line->len + 1 < line->size) {
            line->out[line->len] = c < 0x20 || c > 0x7E ? '?' : (char)c;
        }
        line->len++;
    }
}

static void put_number(struct line *line, int64_t number)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%lld", (long long)number);
    put(line, span_cstr(digits));
}

/* "until Sun, 06 Nov 1994 08:49:37 GMT"; a year of more than four digits is as good as never. */
static void put_time(struct line *line, int64_t seconds)
{
    const int64_t year_10000 = INT64_C(253402300800);
    uint8_t date[date_bytes];
    if (seconds < 0 || seconds >= year_10000) {
        put(line, SPAN("until it is forgotten"));
        return;
    }
    date_format(seconds, date);
    put(line, SPAN("until "));
    put(line, span_of(date, sizeof(date)));
}

static void put_part(struct line *line, char letter, const struct detour_note *note)
{
    switch (letter) {
    case 's':
        put(line, span_of_text(note->subject));
        break;
    case 'd':
        put(line, span_of_text(note->detail));
        break;
    case 'n':
        put_number(line, note->number);
        break;
    case 't':
        put_time(line, note->number);
        break;
    default:
        put(line, span_cstr(detour_because_text(note->because)));
        break;
    }
}

size_t detour_note_write(const struct detour_note *note, char *out, size_t size)
{
    struct line line = {.out = out, .size = size};
    size_t kind = (size_t)note->kind;
    const char *sentence = NULL;
    if (kind < sizeof(sentences) / sizeof(sentences[0])) {
        sentence = sentences[kind];
    }
    if (sentence == NULL) {
        sentence = "something that this version does not know";
    }
    for (const char *at = sentence; *at != '\0'; at++) {
        if (*at == '{') {
            put_part(&line, at[1], note);
            at += 2;
        } else {
            put(&line, span_of(at, 1));
        }
    }
    if (size > 0) {
        out[line.len < size ? line.len : size - 1] = '\0';
    }
    return line.len;
}
