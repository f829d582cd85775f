/* SPDX-License-Identifier: MIT */
/* The walk from the peer towards the client. */
#include "http/forwarded.h"

#include "http/field.h"
#include "http/scan.h"

/* The members of all fields of one name, taken from the last one backwards. */
struct members {
    const struct request *request;
    struct span name;
    size_t field;     /* fields before this one are still to come */
    struct span rest; /* of the field that is being read */
    bool quotes;      /* whether quoted strings may hold commas */
};

/* One element of Forwarded. */
struct element {
    struct span node; /* for= */
    struct span host;
    struct span proto;
};

static struct members members_of(const struct request *request, struct span name, bool quotes)
{
    return (struct members){
        .request = request, .name = name, .field = request->field_count, .quotes = quotes};
}

/* Where the last member begins. Escaped quotes need no care: a member that holds one is
 * malformed wherever it is cut, and ends the walk. */
static size_t last_member(struct span list, bool quotes)
{
    bool quoted = false;
    for (size_t i = list.len; i > 0; i--) {
        uint8_t c = list.ptr[i - 1];
        if (c == '"' && quotes) {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            return i;
        }
    }
    return 0;
}

/* The last field of that name before members->field becomes the rest. */
static bool step_field(struct members *members)
{
    while (members->field > 0) {
        const struct field *field = &members->request->fields[--members->field];
        if (span_eq_ci(field->name, members->name)) {
            members->rest = field->value;
            return true;
        }
    }
    return false;
}

/* The next member to the left, empty ones skipped. False: no more. */
static bool members_next(struct members *members, struct span *member)
{
    for (;;) {
        while (members->rest.len > 0) {
            size_t from = last_member(members->rest, members->quotes);
            struct span found = span_trim(span_from(members->rest, from));
            members->rest.len = from > 0 ? from - 1 : 0;
            if (found.len > 0) {
                *member = found;
                return true;
            }
        }
        if (!step_field(members)) {
            return false;
        }
    }
}

static bool is_unquoted(uint8_t c)
{
    return (octet_classes[c] & OCTET_TOKEN) != 0 || c == ':' || c == '[' || c == ']';
}

/* Takes `token "=" value` off *rest, the value without its quotes. */
static bool take_pair(struct span *rest, struct span *name, struct span *value)
{
    struct span text = span_trim(*rest);
    size_t equals = 0;
    while (equals < text.len && (octet_classes[text.ptr[equals]] & OCTET_TOKEN) != 0) {
        equals++;
    }
    if (equals == 0 || equals == text.len || text.ptr[equals] != '=') {
        return false;
    }
    size_t from = equals + 1;
    bool quoted = from < text.len && text.ptr[from] == '"';
    from += quoted;
    size_t to = from;
    if (quoted) {
        to = span_find(text, from, '"');
        if (to == text.len || span_find(span_slice(text, 0, to), from, '\\') < to) {
            return false;
        }
    } else {
        while (to < text.len && is_unquoted(text.ptr[to])) {
            to++;
        }
    }
    *name = span_slice(text, 0, equals);
    *value = span_slice(text, from, to);
    *rest = span_from(text, to + quoted);
    return true;
}

static bool set_once(struct span *place, struct span value)
{
    bool first = place->ptr == NULL;
    *place = value;
    return first;
}

/* RFC 7239, 4: pairs with ';' between them, each name once. */
static bool parse_element(struct span text, struct element *out)
{
    struct element element = {.host = {NULL, 0}};
    while ((text = span_trim(text)).len > 0) {
        struct span name;
        struct span value;
        bool fine = true;
        if (text.ptr[0] == ';') {
            text = span_from(text, 1);
            continue;
        }
        if (!take_pair(&text, &name, &value)) {
            return false;
        }
        if (span_eq_ci(name, SPAN("for"))) {
            fine = set_once(&element.node, value);
        } else if (span_eq_ci(name, SPAN("host"))) {
            fine = set_once(&element.host, value);
        } else if (span_eq_ci(name, SPAN("proto"))) {
            fine = set_once(&element.proto, value);
        }
        text = span_trim(text);
        if (!fine || (text.len > 0 && text.ptr[0] != ';')) {
            return false;
        }
    }
    *out = element;
    return true;
}

/* "[" IPv6 "]" and what follows it. */
static bool split_bracketed(struct span node, struct span *address, struct span *port)
{
    size_t end = span_find(node, 0, ']');
    if (end == node.len || (end + 1 < node.len && node.ptr[end + 1] != ':')) {
        return false;
    }
    *address = span_slice(node, 1, end);
    *port = span_from(node, end + 1);
    return span_find(*address, 0, ':') < address->len;
}

/* An address, IPv6 with or without brackets, and maybe a port. An obfuscated port
 * (RFC 7239, 6.3) says nothing. */
static bool parse_node(struct span node, struct client *client)
{
    struct span address = node;
    struct span port = {NULL, 0};
    size_t colon = span_find(node, 0, ':');
    uint64_t number = 0;
    if (node.len > 0 && node.ptr[0] == '[') {
        if (!split_bracketed(node, &address, &port)) {
            return false;
        }
    } else if (colon < node.len && span_find(node, colon + 1, ':') == node.len) {
        address = span_slice(node, 0, colon);
        port = span_from(node, colon);
    }
    bool obfuscated = port.len > 1 && port.ptr[1] == '_';
    if (port.len > 0 && !obfuscated && !span_decimal(span_from(port, 1), 65535, &number)) {
        return false;
    }
    if (!address_parse(address, client->address)) {
        return false;
    }
    client->port = (uint16_t)number;
    return true;
}

static void say_proto(struct span proto, struct forwarded *out)
{
    if (span_eq_ci(proto, SPAN("https"))) {
        out->proto = SPAN("https");
        out->client.secure = true;
    } else if (span_eq_ci(proto, SPAN("http"))) {
        out->proto = SPAN("http");
        out->client.secure = false;
    }
}

static void say_port(struct span port, struct forwarded *out)
{
    uint64_t number;
    if (span_decimal(port, 65535, &number) && number > 0) {
        out->port = (int32_t)number;
    }
}

static bool is_trusted(const struct forwarded *out, const struct forwarded_trust *trust)
{
    return cidr_any_holds(trust->proxies, trust->proxy_count, out->client.address);
}

static void walk_forwarded(const struct request *request, const struct forwarded_trust *trust,
                           struct forwarded *out)
{
    struct members members = members_of(request, SPAN("forwarded"), true);
    struct span member;
    for (int hop = 0;
         hop < forwarded_hops_max && is_trusted(out, trust) && members_next(&members, &member);
         hop++) {
        struct element element;
        if (!parse_element(member, &element)) {
            return;
        }
        if (element.host.len > 0) {
            out->host = element.host;
        }
        say_proto(element.proto, out);
        if (!parse_node(element.node, &out->client)) {
            return;
        }
    }
}

/* The member that is `place` from the right, counted from 1, or the first one. */
static struct span member_at(const struct request *request, struct span name, int place)
{
    struct members members = members_of(request, name, false);
    struct span found = {NULL, 0};
    struct span member;
    while (place-- > 0 && members_next(&members, &member)) {
        found = member;
    }
    return found;
}

static void walk_x_forwarded(const struct request *request, const struct forwarded_trust *trust,
                             struct forwarded *out)
{
    struct members members = members_of(request, SPAN("x-forwarded-for"), false);
    struct span member;
    int hops = 0;
    while (hops < forwarded_hops_max && is_trusted(out, trust) && members_next(&members, &member)) {
        hops++;
        if (!parse_node(member, &out->client)) {
            break;
        }
    }
    int place = hops > 0 ? hops : 1;
    out->host = member_at(request, SPAN("x-forwarded-host"), place);
    say_port(member_at(request, SPAN("x-forwarded-port"), place), out);
    say_proto(member_at(request, SPAN("x-forwarded-proto"), place), out);
}

static bool has_x_forwarded(const struct request *request)
{
    static const char *const names[] = {"x-forwarded-host", "x-forwarded-port",
                                        "x-forwarded-proto"};
    bool found = request->known.x_forwarded_for.ptr != NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !found; i++) {
        found = field_find(request, span_cstr(names[i])).ptr != NULL;
    }
    return found;
}

/* The client's port is left out: X-Forwarded-For seldom has one, and nothing is decided by
 * it. */
static bool say_the_same(const struct forwarded *a, const struct forwarded *b)
{
    return memcmp(a->client.address, b->client.address, sizeof(a->client.address)) == 0 &&
           span_eq(a->host, b->host) && span_eq(a->proto, b->proto) && a->port == b->port;
}

bool forwarded_resolve(const struct request *request, const struct client *peer,
                       const struct forwarded_trust *trust, struct forwarded *out)
{
    struct forwarded said = {.client = *peer, .port = -1};
    struct forwarded x_said = said;
    if (!is_trusted(&said, trust)) {
        *out = said;
        return true;
    }
    bool either = trust->family == FORWARDED_EITHER;
    bool hears_x = trust->family == FORWARDED_X || (either && has_x_forwarded(request));
    bool hears_7239 =
        trust->family == FORWARDED_RFC7239 || (either && request->known.forwarded.ptr != NULL);
    if (hears_x) {
        walk_x_forwarded(request, trust, &x_said);
    }
    if (hears_7239) {
        walk_forwarded(request, trust, &said);
    }
    if (hears_x && hears_7239 && !say_the_same(&said, &x_said)) {
        return false;
    }
    *out = hears_7239 ? said : x_said;
    return true;
}
