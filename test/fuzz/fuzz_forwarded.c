/* SPDX-License-Identifier: MIT */
/* Forwarded fields as a stranger may write them. Each line of the input is a field; its
 * first octet says which one. Whatever it holds: what our own proxy appends to it decides,
 * and a peer that is not trusted is not heard. Where nobody has said which family of fields
 * the proxy writes, the other one can only have a request refused. */
#include "http/field.h"
#include "http/forwarded.h"

#include <assert.h>

enum { fields_max = 16, value_bytes_max = 1024 };

struct input {
    struct field fields[fields_max + 1];
    struct request request;
};

static struct span name_of(uint8_t c)
{
    switch (c) {
    case 'f':
        return SPAN("Forwarded");
    case 'x':
        return SPAN("X-Forwarded-For");
    case 'p':
        return SPAN("X-Forwarded-Proto");
    case 'n':
        return SPAN("X-Forwarded-Port");
    default:
        return SPAN("X-Forwarded-Host");
    }
}

static void add(struct input *input, struct span name, struct span value)
{
    input->fields[input->request.field_count++] = (struct field){.name = name, .value = value};
    if (name.len == 9) {
        input->request.known.forwarded = value;
    } else if (name.len == 15) {
        input->request.known.x_forwarded_for = value;
    }
}

static void read_input(struct span bytes, struct input *input)
{
    *input = (struct input){.request = {.fields = input->fields}};
    while (bytes.len > 0 && input->request.field_count < fields_max) {
        size_t end = span_find(bytes, 0, '\n');
        struct span line = span_slice(bytes, 0, end);
        if (line.len > 1 && line.len < value_bytes_max && field_value_valid(line)) {
            add(input, name_of(line.ptr[0]), span_trim(span_from(line, 1)));
        }
        bytes = span_from(bytes, end < bytes.len ? end + 1 : end);
    }
}

/* want: who the client must be, unless the request is refused; NULL: anybody. */
static void check_family(const struct input *input, const struct client *peer,
                         const struct forwarded_trust *trust, const struct client *want)
{
    struct forwarded out;
    if (!forwarded_resolve(&input->request, peer, trust, &out)) {
        assert(trust->family == FORWARDED_EITHER && want != peer);
        return;
    }
    assert(out.proto.len == 0 || span_eq(out.proto, SPAN("http")) ||
           span_eq(out.proto, SPAN("https")));
    assert(out.client.secure == (out.proto.len == 5));
    assert(out.port == -1 || (out.port > 0 && out.port <= 65535));
    if (want != NULL) {
        assert(memcmp(out.client.address, want->address, 16) == 0);
    }
    if (want == peer) {
        assert(out.host.len == 0 && out.proto.len == 0 && out.port == -1);
        assert(out.client.port == peer->port);
    }
}

static void check(const struct input *input, const struct client *peer, const struct cidr *trusted,
                  enum forwarded_family family, const struct client *want)
{
    struct forwarded_trust trust = {.proxies = trusted, .proxy_count = 1, .family = family};
    check_family(input, peer, &trust, want);
    trust.family = FORWARDED_EITHER;
    check_family(input, peer, &trust, want);
}

/* What a proxy does: a field of its own, or more text at the end of the last one. */
static void check_appended(struct input *input, const struct client *peer,
                           const struct cidr *trusted, enum forwarded_family family,
                           struct span text)
{
    struct span name = family == FORWARDED_X ? SPAN("X-Forwarded-For") : SPAN("Forwarded");
    struct client proxied = {.port = 0};
    assert(address_parse(SPAN("192.0.2.9"), proxied.address));
    struct request before = input->request;
    add(input, name, span_from(text, 2));
    check(input, peer, trusted, family, &proxied);
    input->request = before;

    struct field *last = NULL;
    for (size_t i = 0; i < before.field_count; i++) {
        last = span_eq(input->fields[i].name, name) ? &input->fields[i] : last;
    }
    if (last != NULL) {
        uint8_t longer[value_bytes_max + 32];
        struct span old = last->value;
        memcpy(longer, old.ptr, old.len);
        memcpy(longer + old.len, text.ptr, text.len);
        last->value = span_of(longer, old.len + text.len);
        check(input, peer, trusted, family, &proxied);
        last->value = old;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input;
    struct cidr trusted;
    struct client peer = {.port = 7};
    struct client stranger = {.port = 7};
    assert(cidr_parse(SPAN("10.0.0.0/8"), &trusted));
    assert(address_parse(SPAN("10.0.0.1"), peer.address));
    assert(address_parse(SPAN("192.0.2.77"), stranger.address));
    read_input(span_of(data, size), &input);
    check(&input, &stranger, &trusted, FORWARDED_X, &stranger);
    check(&input, &stranger, &trusted, FORWARDED_RFC7239, &stranger);
    check(&input, &peer, &trusted, FORWARDED_X, NULL);
    check(&input, &peer, &trusted, FORWARDED_RFC7239, NULL);
    check_appended(&input, &peer, &trusted, FORWARDED_RFC7239, SPAN(", for=192.0.2.9"));
    check_appended(&input, &peer, &trusted, FORWARDED_X, SPAN(", 192.0.2.9"));
    return 0;
}
