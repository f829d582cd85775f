/* SPDX-License-Identifier: MIT */
/* Three forms of a date, read by patterns: a letter stands for a part of the date. */
#include "client/date.h"

#include "base/calendar.h"

/* Y, M, D, h, m, s: a digit of the year and so on. b: the name of a month. w: letters of a weekday,
 * any number of them. _: a space or a digit of the day. All else stands for itself. */
static const char *const forms[] = {
    "w, DD b YYYY hh:mm:ss GMT", /* Sun, 06 Nov 1994 08:49:37 GMT */
    "w, DD-b-YY hh:mm:ss GMT",   /* Sunday, 06-Nov-94 08:49:37 GMT */
    "w b _D hh:mm:ss YYYY",      /* Sun Nov  6 08:49:37 1994 */
};

struct parts {
    int64_t year;
    int year_digits;
    unsigned month; /* 1..12 */
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
};

static bool month_read(struct span text, size_t *at, unsigned *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.len - *at < 3) {
        return false;
    }
    for (unsigned i = 0; i < 12; i++) {
        if (memcmp(text.ptr + *at, months + (size_t)3 * i, 3) == 0) {
            *out = i + 1;
            *at += 3;
            return true;
        }
    }
    return false;
}

static bool weekday_skip(struct span text, size_t *at)
{
    size_t from = *at;
    while (*at < text.len && ascii_is_alpha(text.ptr[*at])) {
        (*at)++;
    }
    return *at - from >= 3 && *at - from <= 9;
}

static unsigned *part_of(struct parts *parts, char letter)
{
    switch (letter) {
    case '_':
    case 'D':
        return &parts->day;
    case 'h':
        return &parts->hour;
    case 'm':
        return &parts->minute;
    default:
        return &parts->second;
    }
}

static bool digit_read(struct span text, size_t *at, char letter, struct parts *parts)
{
    uint8_t c = text.ptr[(*at)++];
    if (letter == '_' && c == ' ') {
        return true;
    }
    if (!ascii_is_digit(c)) {
        return false;
    }
    if (letter == 'Y') {
        parts->year = parts->year * 10 + (c - '0');
        parts->year_digits++;
    } else {
        unsigned *part = part_of(parts, letter);
        *part = *part * 10 + (unsigned)(c - '0');
    }
    return true;
}

static bool form_read(struct span text, const char *form, struct parts *parts)
{
    size_t at = 0;
    for (; *form != '\0'; form++) {
        bool good;
        if (*form == 'w') {
            good = weekday_skip(text, &at);
        } else if (*form == 'b') {
            good = month_read(text, &at, &parts->month);
        } else if (at == text.len) {
            good = false;
        } else if (strchr("YD_hms", *form) != NULL) {
            good = digit_read(text, &at, *form, parts);
        } else {
            good = text.ptr[at++] == (uint8_t)*form;
        }
        if (!good) {
            return false;
        }
    }
    return at == text.len;
}

static unsigned days_in_month(const struct parts *parts)
{
    return (unsigned)(days_from_civil(parts->year, parts->month + 1, 1) -
                      days_from_civil(parts->year, parts->month, 1));
}

/* RFC 9110, 5.6.7: two digits that seem to be more than 50 years ahead mean the past. */
static void widen_year(struct parts *parts, int64_t now)
{
    if (parts->year_digits == 2) {
        int64_t this_year = civil_from_days(now / seconds_per_day).year;
        parts->year += this_year - this_year % 100;
        if (parts->year > this_year + 50) {
            parts->year -= 100;
        } else if (parts->year + 100 <= this_year + 50) {
            parts->year += 100;
        }
    }
}

bool date_parse(struct span text, int64_t now, int64_t *out)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct parts parts = {0};
        if (!form_read(text, forms[i], &parts)) {
            continue;
        }
        widen_year(&parts, now);
        /* 60 is a leap second. */
        if (parts.day == 0 || parts.day > days_in_month(&parts) || parts.hour > 23 ||
            parts.minute > 59 || parts.second > 60) {
            return false;
        }
        int64_t days = days_from_civil(parts.year, parts.month, parts.day);
        *out = days * seconds_per_day + parts.hour * 3600 + parts.minute * 60 + parts.second;
        return true;
    }
    return false;
}
