/* SPDX-License-Identifier: MIT */
/* What an answer to a probe has to be. Pure. */
#pragma once

#include "base/span.h"

enum {
    expect_ranges_max = 16,
    expect_body_bytes_max = 1024,
    expect_read_bytes_max = 64 << 10, /* of an answer, when its body counts */
};

struct expect_range {
    uint16_t from;
    uint16_t to; /* the last one that is good */
};

struct expect {
    struct expect_range ranges[expect_ranges_max];
    uint32_t range_count; /* 0: 200 to 299 */
    struct span body;     /* must occur in the answer's; empty: whatever it is */
};

bool expect_status(const struct expect *expect, long status);
/* Whether the body, or as much as was read of it, holds what it should. */
bool expect_body(const struct expect *expect, struct span body);
