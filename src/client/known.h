/* SPDX-License-Identifier: MIT */
/* The fields that mean something for a redirect, found by name. */
#pragma once

#include "base/span.h"

enum known {
    KNOWN_NONE,
    KNOWN_AGE,
    KNOWN_AUTHORIZATION,
    KNOWN_CACHE_CONTROL,
    KNOWN_CONNECTION,
    KNOWN_CONTENT, /* describes content: Content-Type and its like */
    KNOWN_CONTENT_LOCATION,
    KNOWN_COOKIE,
    KNOWN_DATE,
    KNOWN_EXPECT,
    KNOWN_EXPIRES,
    KNOWN_HOP, /* of one connection: Keep-Alive and its like */
    KNOWN_HOST,
    KNOWN_LOCATION,
    KNOWN_ORIGIN,
    KNOWN_PRAGMA,
    KNOWN_PROXY, /* all that begin with "Proxy-" */
    KNOWN_REFERER,
    KNOWN_REFERRER_POLICY,
    KNOWN_RETRY_AFTER,
    KNOWN_SECRET, /* nobody says that it is one, but its name does: X-Api-Key and its like */
    KNOWN_SET_COOKIE,
    KNOWN_VALIDATOR, /* If-None-Match, If-Modified-Since */
    KNOWN_VARY,
};

/* Without case. KNOWN_NONE: any other. */
enum known known_find(struct span name);
