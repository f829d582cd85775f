/* SPDX-License-Identifier: MIT */
/* IMF-fixdate without strftime: names of days and months must not follow a locale. */
#include "http/date.h"

enum { seconds_per_day = 86400, days_per_era = 146097 };

struct civil {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
};

/* The Gregorian calendar repeats every 400 years. Years are counted from 1 March, so
 * that the leap day is the last one and months before it have fixed lengths. */
static struct civil civil_from_days(int64_t days)
{
    int64_t shifted = days + 719468; /* since 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - (days_per_era - 1)) / days_per_era;
    int64_t day_of_era = shifted - era * days_per_era;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    return (struct civil){
        .year = year_of_era + era * 400 + (month >= 10 ? 1 : 0),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

static void put_digits(uint8_t *out, unsigned value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
}

void date_format(int64_t seconds, uint8_t out[date_bytes])
{
    static const char days_of_week[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t days = seconds / seconds_per_day;
    int64_t rest = seconds % seconds_per_day;
    if (rest < 0) {
        rest += seconds_per_day;
        days--;
    }
    struct civil civil = civil_from_days(days);
    int64_t weekday = ((days + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    unsigned second = (unsigned)rest;

    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", date_bytes);
    memcpy(out, days_of_week + 3 * weekday, 3);
    put_digits(out + 5, civil.day, 2);
    memcpy(out + 8, months + 3 * (civil.month - 1), 3);
    put_digits(out + 12, (unsigned)(civil.year % 10000), 4);
    put_digits(out + 17, second / 3600, 2);
    put_digits(out + 20, second / 60 % 60, 2);
    put_digits(out + 23, second % 60, 2);
}
