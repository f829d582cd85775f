/* SPDX-License-Identifier: MIT */
/* A naive model of recurrence rules: each day is asked whether the rule wants it. */
#pragma once

#include "../unit/schedule/clocks.h"

enum model_frequency { EVERY_DAY, EVERY_WEEK, EVERY_MONTH, EVERY_YEAR };

/* Lists end with 0; hours and minutes with -1. */
struct model_rule {
    enum model_frequency frequency;
    int interval;
    int months[4], month_days[4], year_days[4], week_numbers[4];
    int positions[3];
    struct {
        int number;  /* 0: each */
        int weekday; /* 1: Monday; 0: the end */
    } days[4];
    int hours[3], minutes[3];
    int week_start; /* 1: Monday */
};

void model_rule_text(const struct model_rule *rule, char *out, size_t size);

/* The local times of the days [day, end_day) at or after start_s, in ascending order. */
size_t model_times(const struct model_rule *rule, int64_t start_s, int64_t day, int64_t end_day,
                   int64_t *out, size_t out_max);
