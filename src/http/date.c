/* SPDX-License-Identifier: MIT */
/* IMF-fixdate without strftime: names of days and months must not follow a locale. */
#include "http/date.h"

#include "base/calendar.h"

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
    struct civil_date date = civil_from_days(days);
    int64_t weekday = ((days + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    unsigned second = (unsigned)rest;

    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", date_bytes);
    memcpy(out, days_of_week + 3 * weekday, 3);
    put_digits(out + 5, date.day, 2);
    memcpy(out + 8, months + 3 * (date.month - 1), 3);
    put_digits(out + 12, (unsigned)(date.year % 10000), 4);
    put_digits(out + 17, second / 3600, 2);
    put_digits(out + 20, second / 60 % 60, 2);
    put_digits(out + 23, second % 60, 2);
}
