/* SPDX-License-Identifier: MIT */
/* The client's half, against the server's: whom it believes, sessions that go on, and bytes both
 * ways. */
#include "rig.h"

#include "tls/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { room_bytes = 1 << 17 };

/* Both ends, and what is on its way between them. */
struct talk {
    struct tls_stream *client;
    struct tls_stream *server;
    struct buffer to_client;
    struct buffer to_server;
    struct buffer client_plain;
    struct buffer server_plain;
    enum tls_result client_result;
    size_t piece; /* octets handed over at once; 0: all */
};

static struct buffer room(void)
{
    return buffer_over(malloc(room_bytes), room_bytes);
}

static struct talk talk_new(struct tls_client *client, struct tls_context *context, size_t piece)
{
    return (struct talk){.client = tls_stream_connect(client),
                         .server = tls_stream_new(context, true),
                         .to_client = room(),
                         .to_server = room(),
                         .client_plain = room(),
                         .server_plain = room(),
                         .piece = piece};
}

static void talk_free(struct talk *talk)
{
    tls_stream_free(&talk->client);
    tls_stream_free(&talk->server);
    free(talk->to_client.ptr);
    free(talk->to_server.ptr);
    free(talk->client_plain.ptr);
    free(talk->server_plain.ptr);
}

/* Hands over what is on its way from one to the other. */
static enum tls_result hand(struct tls_stream *to, struct buffer *way, struct buffer *plain,
                            struct buffer *answer, size_t piece)
{
    enum tls_result result = TLS_OK;
    uint8_t *bytes = malloc(way->len + 1);
    size_t len = way->len;
    memcpy(bytes, way->ptr, len);
    way->len = 0;
    for (size_t at = 0; at < len && result == TLS_OK;) {
        size_t step = piece == 0 || piece > len - at ? len - at : piece;
        result = tls_receive(to, span_of(bytes + at, step), plain, answer);
        at += step;
    }
    free(bytes);
    return result;
}

static void talk_on(struct talk *talk)
{
    talk->client_result =
        tls_receive(talk->client, (struct span){0}, &talk->client_plain, &talk->to_server);
    for (int i = 0; i < 20 && talk->client_result == TLS_OK; i++) {
        if (tls_failure(talk->server) == NULL) {
            hand(talk->server, &talk->to_server, &talk->server_plain, &talk->to_client,
                 talk->piece);
        }
        if (talk->to_client.len > 0) {
            talk->client_result = hand(talk->client, &talk->to_client, &talk->client_plain,
                                       &talk->to_server, talk->piece);
        }
    }
}

struct trust_case {
    const char *names; /* in the certificate */
    const char *name;  /* that is expected */
    long from_s;
    long to_s;
    bool stranger;       /* another authority is trusted */
    bool anybody;        /* nothing is verified */
    const char *failure; /* NULL: it is believed */
};

static const struct trust_case cases[] = {
    {.names = "DNS:a.example", .name = "a.example", .to_s = 1000},
    {.names = "DNS:*.a.example", .name = "x.a.example", .to_s = 1000},
    {.names = "IP:192.0.2.1", .name = "192.0.2.1", .to_s = 1000},
    {.names = "IP:2001:db8::1", .name = "2001:db8::1", .to_s = 1000},
    {.names = "DNS:a.example", .name = "b.example", .to_s = 1000, .failure = "hostname mismatch"},
    {.names = "DNS:*.a.example", .name = "a.example", .to_s = 1000, .failure = "hostname mismatch"},
    {.names = "DNS:*.example", .name = "x.y.example", .to_s = 1000, .failure = "hostname mismatch"},
    {.names = "DNS:x*.example", .name = "xy.example", .to_s = 1000, .failure = "hostname mismatch"},
    {.names = "", .name = "rig", .to_s = 1000, .failure = "hostname mismatch"},
    {.names = "DNS:a.example", .name = "192.0.2.1", .to_s = 1000, .failure = "IP address mismatch"},
    {.names = "DNS:192.0.2.1", .name = "192.0.2.1", .to_s = 1000, .failure = "IP address mismatch"},
    {.names = "DNS:a.example",
     .name = "a.example",
     .from_s = -1000,
     .to_s = -10,
     .failure = "certificate has expired"},
    {.names = "DNS:a.example",
     .name = "a.example",
     .from_s = 1000,
     .to_s = 2000,
     .failure = "certificate is not yet valid"},
    {.names = "DNS:a.example",
     .name = "a.example",
     .to_s = 1000,
     .stranger = true,
     .failure = "self-signed certificate"},
    {.names = "DNS:a.example", .name = "b.example", .to_s = 1000, .anybody = true},
};

static struct tls_trust *trust_in(const struct rig_pair *pair)
{
    struct tls_trust *trust = NULL;
    char *pem = rig_pem_chain(pair);
    assert_int_equal(tls_trust_new(span_cstr(pem), &trust), ERR_NONE);
    free(pem);
    return trust;
}

static struct tls_client *client_of(struct tls_trust *trust, const char *name)
{
    struct tls_client *client = NULL;
    assert_int_equal(tls_client_new(trust, span_cstr(name), &client), ERR_NONE);
    return client;
}

static void believes_whom_it_should(void **state)
{
    struct rig_pair stranger = rig_pair_new(RIG_EC, "DNS:a.example", 0, 1000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct trust_case *c = &cases[i];
        struct rig_pair pair = rig_pair_new(RIG_EC, c->names, c->from_s, c->to_s);
        struct tls_context *context = rig_context(&pair, 1, "a");
        struct tls_trust *trust = c->anybody ? NULL : trust_in(c->stranger ? &stranger : &pair);
        struct tls_client *client = client_of(trust, c->name);
        struct talk talk = talk_new(client, context, i % 2);
        tls_trust_free(&trust); /* which the client goes on without */
        talk_on(&talk);
        const char *failure = tls_failure(talk.client);
        if (c->failure == NULL ? failure != NULL
                               : failure == NULL || strcmp(failure, c->failure) != 0) {
            fail_msg("%s for %s: %s", c->names, c->name, failure);
        }
        assert_int_equal(tls_established(talk.client), c->failure == NULL);
        assert_true(c->failure != NULL || tls_alpn(talk.server) == TLS_ALPN_HTTP11);
        talk_free(&talk);
        tls_client_free(&client);
        tls_context_free(&context);
        rig_pair_free(&pair);
    }
    rig_pair_free(&stranger);
}

static void sessions_go_on(void **state)
{
    struct rig_pair pair = rig_pair_new(RIG_EC, "DNS:a.example", 0, 1000);
    struct tls_context *context = rig_context(&pair, 1, "a");
    struct tls_trust *trust = trust_in(&pair);
    struct tls_client *client = client_of(trust, "a.example");
    for (int i = 0; i < 4; i++) {
        struct talk talk = talk_new(client, context, 0);
        talk_on(&talk);
        assert_true(tls_established(talk.client) && tls_established(talk.server));
        assert_int_equal(tls_resumed(talk.client), i > 0);
        talk_free(&talk);
    }
    tls_client_free(&client);
    tls_trust_free(&trust);
    tls_context_free(&context);
    rig_pair_free(&pair);
}

static void bytes_flow_both_ways(void **state)
{
    static uint8_t bytes[40000];
    struct rig_pair pair = rig_pair_new(RIG_RSA, "DNS:a.example", 0, 1000);
    struct tls_context *context = rig_context(&pair, 1, "a");
    struct tls_client *client = client_of(NULL, "a.example");
    struct talk talk = talk_new(client, context, 1000);
    memset(bytes, 'x', sizeof(bytes));
    talk_on(&talk);
    assert_int_equal(tls_send(talk.client, span_of(bytes, sizeof(bytes)), &talk.to_server), TLS_OK);
    assert_int_equal(tls_send(talk.server, SPAN("answer"), &talk.to_client), TLS_OK);
    talk_on(&talk);
    assert_true(span_eq(buffer_span(&talk.server_plain), span_of(bytes, sizeof(bytes))));
    assert_true(span_eq(buffer_span(&talk.client_plain), SPAN("answer")));
    tls_close(talk.server, &talk.to_client);
    talk_on(&talk);
    assert_int_equal(talk.client_result, TLS_CLOSED);
    talk_free(&talk);
    tls_client_free(&client);
    tls_context_free(&context);
    rig_pair_free(&pair);
}

static void authorities_are_read(void **state)
{
    struct rig_pair pair = rig_pair_new(RIG_EC, "DNS:a.example", 0, 1000);
    char *pem = rig_pem_chain(&pair);
    char *text = malloc(2 * strlen(pem) + 100);
    struct tls_trust *trust = NULL;
    assert_int_equal(tls_trust_new(SPAN(""), &trust), ERR_SYNTAX);
    assert_int_equal(tls_trust_new(SPAN("no certificate"), &trust), ERR_SYNTAX);
    assert_null(trust);
    strcpy(stpcpy(stpcpy(stpcpy(text, "# ours\n"), pem), "and the same:\n"), pem);
    assert_int_equal(tls_trust_new(span_cstr(text), &trust), ERR_NONE);
    tls_trust_free(&trust);
    tls_trust_free(&trust);
    free(text);
    free(pem);
    rig_pair_free(&pair);
}

int main(void)
{
    tls_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(believes_whom_it_should),
        cmocka_unit_test(sessions_go_on),
        cmocka_unit_test(bytes_flow_both_ways),
        cmocka_unit_test(authorities_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
