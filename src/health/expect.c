/* SPDX-License-Identifier: MIT */
/* Ranges of status codes, and a text in another. */
#include "health/expect.h"

bool expect_status(const struct expect *expect, long status)
{
    if (expect->range_count == 0) {
        return status >= 200 && status <= 299;
    }
    for (size_t i = 0; i < expect->range_count; i++) {
        if (status >= expect->ranges[i].from && status <= expect->ranges[i].to) {
            return true;
        }
    }
    return false;
}

bool expect_body(const struct expect *expect, struct span body)
{
    return expect->body.len == 0 ||
           (body.len > 0 && memmem(body.ptr, body.len, expect->body.ptr, expect->body.len) != NULL);
}
