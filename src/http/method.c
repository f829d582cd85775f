/* SPDX-License-Identifier: MIT */
/* Methods by name and back. */
#include "http/method.h"

static const struct span names[METHOD_OTHER] = {
    [METHOD_GET] = {(const uint8_t *)"GET", 3},
    [METHOD_HEAD] = {(const uint8_t *)"HEAD", 4},
    [METHOD_POST] = {(const uint8_t *)"POST", 4},
    [METHOD_PUT] = {(const uint8_t *)"PUT", 3},
    [METHOD_DELETE] = {(const uint8_t *)"DELETE", 6},
    [METHOD_CONNECT] = {(const uint8_t *)"CONNECT", 7},
    [METHOD_OPTIONS] = {(const uint8_t *)"OPTIONS", 7},
    [METHOD_TRACE] = {(const uint8_t *)"TRACE", 5},
    [METHOD_PATCH] = {(const uint8_t *)"PATCH", 5},
};

enum method method_find(struct span name)
{
    for (int method = METHOD_GET; method < METHOD_OTHER; method++) {
        if (span_eq(names[method], name)) {
            return (enum method)method;
        }
    }
    return METHOD_OTHER;
}

struct span method_name(enum method method)
{
    return method < METHOD_OTHER ? names[method] : span_of(NULL, 0);
}

bool method_is_safe(enum method method)
{
    return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS ||
           method == METHOD_TRACE;
}

bool method_is_idempotent(enum method method)
{
    return method_is_safe(method) || method == METHOD_PUT || method == METHOD_DELETE;
}
