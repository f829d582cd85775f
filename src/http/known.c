/* SPDX-License-Identifier: MIT */
/* Expectations; see known.h for what is in line. */
#include "http/known.h"

#include "http/field.h"

void known_expect(struct expectations *expectations, struct span value)
{
    struct span member;
    while (field_list_next(&value, &member)) {
        if (span_eq_ci(member, SPAN("100-continue"))) {
            expectations->for_continue = true;
        } else {
            expectations->for_other = true;
        }
    }
}
