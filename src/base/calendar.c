/* SPDX-License-Identifier: MIT */
/* The calendar repeats every 400 years, an era. Years are counted from 1 March, so that the
 * leap day is the last one and the months before it have fixed lengths. */
#include "base/calendar.h"

enum {
    days_per_era = 146097,
    epoch_days = 719468, /* from 0000-03-01 to 1970-01-01 */
};

static int64_t floor_div(int64_t number, int64_t by)
{
    return (number >= 0 ? number : number - (by - 1)) / by;
}

struct civil_date civil_from_days(int64_t days)
{
    int64_t era = floor_div(days + epoch_days, days_per_era);
    int64_t day_of_era = days + epoch_days - era * days_per_era;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    return (struct civil_date){
        .year = era * 400 + year_of_era + (month >= 10 ? 1 : 0),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(shifted, 400);
    int64_t year_of_era = shifted - era * 400;
    int64_t from_march = month > 2 ? (int64_t)month - 3 : (int64_t)month + 9;
    int64_t day_of_year = (153 * from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * days_per_era + day_of_era - epoch_days;
}
