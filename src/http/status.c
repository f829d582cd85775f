/* SPDX-License-Identifier: MIT */
/* Status codes and their reason phrases. */
#include "http/status.h"

#include "http/status_list.h"

struct span status_reason(uint16_t status)
{
#define REASON(code, reason) \
    case code:               \
        return SPAN(reason);
    switch (status) {
        STATUS_LIST(REASON)
    default:
        return span_of(NULL, 0);
    }
#undef REASON
}

bool status_has_content(uint16_t status)
{
    return status >= 200 && status != 204 && status != 205 && status != 304;
}

bool status_redirects(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}
