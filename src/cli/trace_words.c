/* SPDX-License-Identifier: MIT */
/* Words that a trace for people and one for programs have in common. */
#include "cli/trace.h"
#include "http/status.h"

#include <strings.h>

bool trace_is_secret(const struct detour_field *field)
{
    static const char *const names[] = {"authorization", "cookie", "proxy-authorization"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (field->name.len == strlen(names[i]) &&
            strncasecmp(field->name.ptr, names[i], field->name.len) == 0) {
            return true;
        }
    }
    return (field->flags & DETOUR_FIELD_SENSITIVE) != 0;
}

static bool is_permanent(uint16_t status)
{
    return status == 301 || status == 308;
}

const char *trace_class(uint16_t status)
{
    if (status_redirects(status)) {
        return is_permanent(status) ? "permanent" : "temporary";
    }
    switch (status / 100) {
    case 2:
        return "success";
    case 4:
        return "client-error";
    case 5:
        return "server-error";
    default:
        return "other";
    }
}

const char *trace_version(uint8_t http)
{
    switch (http) {
    case 10:
        return "HTTP/1.0";
    case 11:
        return "HTTP/1.1";
    case 20:
        return "HTTP/2";
    default:
        return "HTTP/3";
    }
}

void trace_way_add(struct trace_way *way, uint16_t status)
{
    way->permanent += is_permanent(status);
    way->temporary += status_redirects(status) && !is_permanent(status);
}

const char *trace_way_name(const struct trace_way *way)
{
    if (way->permanent + way->temporary == 0) {
        return "none";
    }
    return way->permanent == 0 ? "temporary" : way->temporary == 0 ? "permanent" : "mixed";
}
