/* SPDX-License-Identifier: MIT */
/* Header blocks as octets (RFC 7541), for the tests of http/h2. */
#pragma once

#include "h2_peer.h"

#define B(text)                                   \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
#define METHOD_GET_ "\x82"
#define METHOD_POST_ "\x83"
#define SCHEME "\x86"
#define PATH "\x84"
#define AUTHORITY \
    "\x01\x09"    \
    "a.example"
#define GET METHOD_GET_ SCHEME PATH AUTHORITY
#define POST METHOD_POST_ SCHEME PATH AUTHORITY
/* A literal with a new name; each length is one octet. */
#define FIELD(name_len, name, value_len, value) "\0" name_len name value_len value
#define LENGTH(value_len, value) FIELD("\x0e", "content-length", value_len, value)
#define HEAD_GET(id)                  \
    {                                 \
        HEADERS, WHOLE, id, B(GET), 0 \
    }
#define HEAD_POST(id)                        \
    {                                        \
        HEADERS, END_HEADERS, id, B(POST), 0 \
    }
