/* SPDX-License-Identifier: MIT */
/* What a client has to know besides redirects. */
#include "http/method.h"
#include "client/known.h"
#include "client/text.h"
#include "http/field.h"

bool detour_method_is_safe(struct detour_text method)
{
    return method_is_safe(method_find(span_of_text(method)));
}

bool detour_method_is_idempotent(struct detour_text method)
{
    return method_is_idempotent(method_find(span_of_text(method)));
}

static bool connection_says(const struct detour_answer *answer, struct span word)
{
    for (size_t i = 0; i < answer->field_count; i++) {
        struct span value = span_of_text(answer->fields[i].value);
        struct span member;
        if (known_find(span_of_text(answer->fields[i].name)) != KNOWN_CONNECTION) {
            continue;
        }
        while (field_list_next(&value, &member)) {
            if (span_eq_ci(member, word)) {
                return true;
            }
        }
    }
    return false;
}

enum detour_upload detour_upload_advice(const struct detour_answer *answer, int http_version,
                                        bool peer_stopped)
{
    bool interim = answer->status < 200 && answer->status != 101;
    bool closes = http_version < 11 ? !connection_says(answer, SPAN("keep-alive"))
                                    : connection_says(answer, SPAN("close"));
    bool stop = peer_stopped || (!interim && http_version < 20 && closes);
    return stop ? DETOUR_UPLOAD_STOP : DETOUR_UPLOAD_GO_ON;
}
