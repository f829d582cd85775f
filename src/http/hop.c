/* SPDX-License-Identifier: MIT */
/* Which fields end at this connection. */
#include "http/hop.h"

#include "http/field.h"
#include "http/scan.h"

static bool note_name(struct hops *hops, struct span option)
{
    if (hops->name_count == hop_names_max) {
        return false;
    }
    hops->names[hops->name_count++] = option;
    return true;
}

static bool note_options(struct hops *hops, struct span list)
{
    struct span option;
    while (field_list_next(&list, &option)) {
        if (span_eq_ci(option, SPAN("close"))) {
            hops->close = true;
        } else if (span_eq_ci(option, SPAN("keep-alive"))) {
            hops->keep_alive = true;
        } else if (span_eq_ci(option, SPAN("upgrade"))) {
            hops->upgrade = true;
        } else if (!note_name(hops, option)) {
            return false;
        }
    }
    return true;
}

bool hops_read(const struct field *fields, size_t count, struct hops *out)
{
    out->close = out->keep_alive = out->upgrade = false;
    out->name_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct span name = fields[i].name;
        if (name.len == 10 && scan_is(name.ptr, "connection", 10) &&
            !note_options(out, fields[i].value)) {
            return false;
        }
    }
    return true;
}

bool hop_always(struct span name)
{
    switch (name.len) {
    case 2:
        return span_eq_ci(name, SPAN("te"));
    case 7:
        return scan_is(name.ptr, "upgrade", 7);
    case 10:
        return scan_is(name.ptr, "connection", 10) || scan_is(name.ptr, "keep-alive", 10);
    case 14:
        return span_eq_ci(name, SPAN("HTTP2-Settings"));
    case 16:
        return scan_is(name.ptr, "proxy-connection", 16);
    case 17:
        return scan_is(name.ptr, "transfer-encoding", 17);
    default:
        return false;
    }
}

bool hops_hold(const struct hops *hops, struct span name)
{
    if (hop_always(name)) {
        return true;
    }
    for (size_t i = 0; i < hops->name_count; i++) {
        if (span_eq_ci(hops->names[i], name)) {
            return true;
        }
    }
    return false;
}
