/* SPDX-License-Identifier: MIT */
/* A way out: whom a client says that it cannot reach, in the field Detour-Avoid or in a parameter
 * of its query, and what a Location tells of where its client has been.
 *
 * With `carry` the parameter is the client's way so far: the names of the servers that it was sent
 * to, and "*pool" once it was sent to the last resort. Whoever sends it back here with its query
 * does not have to know anything of it. */
#include "decide/internal.h"

#include "http/field.h"
#include "uri/escape.h"
#include "uri/host.h"

#include <xxhash.h>

enum {
    avoid_members_max = 16, /* that are heeded */
    /* Servers that a client is sent to one after the other, since most clients follow 20 redirects:
     * two for each of these, and there is room for the last resort. */
    avoid_carried_max = 8,
};

/* What a client says. */
struct said {
    struct span members[avoid_members_max];
    unsigned count;
    unsigned carried; /* of them in the parameter: the first ones */
    bool more;        /* than are heeded */
    bool more_carried;
    uint8_t decoded[request_head_bytes_max];
};

static const struct snap_pool *pool_of(const struct pooled *pooled)
{
    return snapshot_pool(pooled->asked->snapshot, pooled->action->pool);
}

static struct span param_of(const struct pooled *pooled)
{
    return snapshot_text(pooled->asked->snapshot, pool_of(pooled)->avoid_param);
}

static bool has_param(const struct pooled *pooled)
{
    struct span param = param_of(pooled);
    return param.len > 0 && query_find(pooled->asked->request->query, param).ptr != NULL;
}

static bool says_any(const struct pooled *pooled)
{
    return pooled->asked->request->known.detour_avoid.ptr != NULL || has_param(pooled);
}

/* ---- what is said ---- */

/* Of a parameter each comma ends a member: what a Location carries is behind what was sent, and a
 * quotation mark that nothing closes would hide it. */
static bool parameter_next(struct span *list, struct span *member)
{
    do {
        size_t end = span_find(*list, 0, ',');
        *member = span_trim(span_slice(*list, 0, end));
        *list = span_from(*list, end < list->len ? end + 1 : end);
    } while (member->len == 0 && list->len > 0);
    return member->len > 0;
}

static void add_list(struct said *said, struct span list,
                     bool (*next)(struct span *list, struct span *member))
{
    struct span member;
    while (!said->more && next(&list, &member)) {
        if (member.len >= 2 && member.ptr[0] == '"' && member.ptr[member.len - 1] == '"') {
            member = span_slice(member, 1, member.len - 1);
        }
        if (said->count == avoid_members_max) {
            said->more = true;
        } else {
            said->members[said->count++] = member;
        }
    }
}

static void listen_to(const struct pooled *pooled, struct said *said)
{
    const struct request *request = pooled->asked->request;
    struct buffer decoded = buffer_over(said->decoded, sizeof(said->decoded));
    struct span rest = has_param(pooled) ? request->query : (struct span){0};
    struct span value;
    said->count = 0;
    said->more = false;
    while ((value = query_take(&rest, param_of(pooled))).ptr != NULL) {
        size_t from = decoded.len;
        query_decode(value, &decoded);
        add_list(said, span_from(buffer_span(&decoded), from), parameter_next);
    }
    said->carried = said->count;
    said->more_carried = said->more;
    for (size_t i = 0; i < request->field_count && request->known.detour_avoid.ptr != NULL; i++) {
        if (span_eq_ci(request->fields[i].name, SPAN("Detour-Avoid"))) {
            add_list(said, request->fields[i].value, field_list_next);
        }
    }
}

/* ---- who is meant ---- */

/* Its bits, all 0 to begin with. */
static uint64_t *avoid_begin(struct pooled *pooled)
{
    uint64_t *avoid = pooled->asked->context->avoid;
    if (pooled->client.avoid == NULL) {
        memset(avoid, 0, pool_avoid_words(pool_of(pooled)) * sizeof(*avoid));
        pooled->client.avoid = avoid;
    }
    return avoid;
}

static void avoid_all(struct pooled *pooled)
{
    memset(avoid_begin(pooled), 0xff, pool_avoid_words(pool_of(pooled)) * sizeof(uint64_t));
}

/* Those of the pool who are called so. */
static void avoid_called(struct pooled *pooled, struct span text)
{
    const struct snap_list list = pool_of(pooled)->called;
    const struct snap_called *called = snapshot_at(pooled->asked->snapshot, list.off);
    uint64_t hash = XXH3_64bits(text.ptr, text.len);
    uint32_t from = 0;
    uint32_t to = list.count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (called[middle].hash < hash) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    for (; from < list.count && called[from].hash == hash; from++) {
        pool_avoid(avoid_begin(pooled), called[from].server);
    }
}

/* "host:port" of a URL, else as it was said; NULL: it is no host. */
static struct span call_of(struct span member, uint8_t room[host_port_bytes_max])
{
    uint8_t lower[host_bytes_max];
    struct host_port host;
    struct buffer out = buffer_over(room, host_port_bytes_max);
    if (host_from_reference(member, lower, &host) != ERR_NONE) {
        return (struct span){0};
    }
    host_port_put(&host, &out);
    return buffer_span(&out);
}

static void avoid_member(struct pooled *pooled, struct span member)
{
    uint8_t room[host_port_bytes_max];
    if (span_eq(member, SPAN("*"))) {
        avoid_all(pooled);
        return;
    }
    avoid_called(pooled, member);
    struct span call = call_of(member, room);
    if (call.ptr != NULL && !span_eq(call, member)) {
        avoid_called(pooled, call);
    }
}

/* ---- where it has been ---- */

/* "*pool", or "*" for any. */
static bool is_last_resort(const struct pooled *pooled, struct span member)
{
    struct span name = snapshot_text(pooled->asked->snapshot, pool_of(pooled)->name);
    return member.len > 0 && member.ptr[0] == '*' &&
           (member.len == 1 || span_eq(span_from(member, 1), name));
}

static bool has_been_everywhere(const struct pooled *pooled, const struct said *said)
{
    bool been = said->more_carried;
    for (unsigned i = 0; i < said->carried && !been; i++) {
        been = is_last_resort(pooled, said->members[i]);
    }
    return been;
}

static __attribute__((cold, noinline)) bool heed(struct pooled *pooled)
{
    struct said said;
    bool carry = pool_of(pooled)->avoid_carry != 0;
    listen_to(pooled, &said);
    if (carry && has_been_everywhere(pooled, &said)) {
        decision_refuse(pooled->asked->decision, REASON_LOOP, 508);
        return false;
    }
    if (said.more || (carry && said.carried >= avoid_carried_max)) {
        avoid_all(pooled);
    }
    for (unsigned i = 0; i < said.count; i++) {
        avoid_member(pooled, said.members[i]);
    }
    return true;
}

bool avoid_heed(struct pooled *pooled)
{
    return !says_any(pooled) || heed(pooled);
}

/* ---- Locations ---- */

struct span avoid_query(const struct pooled *pooled, struct span query)
{
    struct decide_context *context = pooled->asked->context;
    struct buffer out = buffer_over(context->query, sizeof(context->query));
    struct span param = param_of(pooled);
    return param.len > 0 ? query_without(query, param, &out) : query;
}

/* What a client says in its parameter, as it was sent, and one more. */
static __attribute__((cold, noinline)) bool carry(const struct pooled *pooled, uint32_t server,
                                                  size_t from, struct buffer *out)
{
    const struct snapshot *snapshot = pooled->asked->snapshot;
    struct span pool = snapshot_text(snapshot, pool_of(pooled)->name);
    uint8_t text[request_head_bytes_max];
    struct buffer way = buffer_over(text, sizeof(text));
    struct span rest = pooled->asked->request->query;
    struct span value;
    while ((value = query_take(&rest, param_of(pooled))).ptr != NULL) {
        escape_put(&way, value, ESCAPE_QUERY, PERCENT_KEEP);
        if (value.len > 0) {
            buffer_byte(&way, ',');
        }
    }
    if (server == SNAP_NONE) {
        buffer_byte(&way, '*');
        escape_put(&way, pool, ESCAPE_UNRESERVED, PERCENT_ENCODE);
    } else {
        struct span identity = snapshot_text(snapshot, snapshot_server(snapshot, server)->identity);
        escape_put(&way, span_from(identity, pool.len + 1), ESCAPE_UNRESERVED, PERCENT_ENCODE);
    }
    location_add_parameter(out, from, param_of(pooled), buffer_span(&way));
    return !way.full && !out->full;
}

bool avoid_carry(const struct pooled *pooled, uint32_t server, size_t from, struct buffer *out)
{
    return pool_of(pooled)->avoid_carry == 0 || carry(pooled, server, from, out);
}

static __attribute__((cold, noinline)) bool names(const struct pooled *pooled, struct span location)
{
    struct said said;
    uint8_t room[host_port_bytes_max];
    uint8_t lower[host_bytes_max];
    uint8_t own_room[host_port_bytes_max];
    struct span with_port = call_of(location, own_room);
    struct host_port host;
    if (with_port.ptr == NULL || host_from_reference(location, lower, &host) != ERR_NONE) {
        return false;
    }
    bool named = false;
    listen_to(pooled, &said);
    for (unsigned i = 0; i < said.count && !named; i++) {
        struct span call = call_of(said.members[i], room);
        named = call.ptr != NULL && (span_eq(call, with_port) || span_eq(call, host.host));
    }
    return named;
}

bool avoid_names(const struct pooled *pooled, struct span location)
{
    return says_any(pooled) && names(pooled, location);
}
