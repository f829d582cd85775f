/* SPDX-License-Identifier: MIT */
/* Dates of the Gregorian calendar, backwards and forwards without end, counted in days since
 * 1970-01-01. Own code, since gmtime_r takes a lock and does not know the way back. */
#pragma once

#include <stdint.h>

enum { seconds_per_day = 86400 };

struct civil_date {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
};

struct civil_date civil_from_days(int64_t days);
/* month 13 is January of the next year; day may be any number. */
int64_t days_from_civil(int64_t year, unsigned month, unsigned day);
