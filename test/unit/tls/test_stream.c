/* SPDX-License-Identifier: MIT */
/* One connection from its first byte to its last, against a client of the library. */
#include "rig.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { body_bytes = 100000 };

static struct rig_pair pair;
static struct tls_context *context;
static uint8_t body[body_bytes];

static int set_up(void **state)
{
    pair = rig_pair_with_issuer("DNS:a.example");
    context = rig_context(&pair, 1, "k");
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (uint8_t)(i * 31 >> 3);
    }
    return 0;
}

static int tear_down(void **state)
{
    tls_context_free(&context);
    rig_pair_free(&pair);
    return 0;
}

static void client_writes(struct rig *rig, size_t len)
{
    size_t written;
    assert_int_equal(SSL_write_ex(rig->client, body, len, &written), 1);
    rig_talk(rig);
}

static void client_reads(struct rig *rig, size_t len)
{
    static uint8_t got[body_bytes];
    size_t have = 0;
    size_t now;
    while (have < len && SSL_read_ex(rig->client, got + have, len - have, &now) == 1) {
        have += now;
    }
    assert_int_equal(have, len);
    assert_memory_equal(got, body, len);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void test_both_ways(void **state)
{
    static const size_t pieces[] = {0, 1, 2, 5, 1000, 16384};
    static const size_t sizes[] = {1, 16383, 16384, 16385, body_bytes};
    for (size_t v = 0; v < 2; v++) {
        for (size_t p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
            struct rig *rig = rig_new(context, true, &(struct rig_client){.version = versions[v]});
            rig->piece = pieces[p];
            rig_talk(rig);
            assert_true(rig_client_done(rig));
            assert_int_equal(SSL_version(rig->client), versions[v]);
            assert_null(tls_failure(rig->server));
            for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
                rig->plain_len = 0;
                client_writes(rig, sizes[i]);
                assert_int_equal(rig->plain_len, sizes[i]);
                assert_memory_equal(rig->plain, body, sizes[i]);
                rig_send(rig, body, sizes[i]);
                client_reads(rig, sizes[i]);
            }
            rig_free(&rig);
        }
    }
}

static void test_established_only_then(void **state)
{
    uint8_t hello[4096];
    struct rig *rig = rig_new(context, true, &(struct rig_client){0});
    SSL_do_handshake(rig->client);
    size_t len = rig_take(rig, hello, sizeof(hello));
    rig_feed(rig, hello, len - 1);
    assert_false(tls_established(rig->server));
    struct buffer out = buffer_over(rig->out, sizeof(rig->out));
    tls_close(rig->server, &out);
    assert_int_equal(out.len, 0);
    rig_feed(rig, hello + len - 1, 1);
    assert_false(tls_established(rig->server));
    rig_talk(rig);
    assert_true(tls_established(rig->server));
    rig_free(&rig);
}

static void test_empty_send(void **state)
{
    struct rig *rig = rig_new(context, true, &(struct rig_client){0});
    rig_talk(rig);
    uint8_t room[256];
    struct buffer out = buffer_over(room, sizeof(room));
    assert_int_equal(tls_send(rig->server, span_of(NULL, 0), &out), TLS_OK);
    assert_int_equal(out.len, 0);
    rig_free(&rig);
}

/* A fatal alert in clear: content type 21, two bytes long, level 2. */
static void assert_alert(const struct buffer *out, uint8_t description)
{
    assert_true(out->len >= 7);
    const uint8_t *last = out->ptr + out->len - 7;
    assert_int_equal(last[0], 21);
    assert_int_equal(last[4], 2);
    assert_int_equal(last[5], 2);
    assert_int_equal(last[6], description);
}

static void test_garbage(void **state)
{
    static const struct {
        const char *what;
        struct span bytes;
        bool alert;
        uint8_t description;
    } cases[] = {
        /* Nothing is said to who does not speak TLS at all. */
        {"a request in clear", SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), .alert = false},
        {"h2 in clear", SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), .alert = false},
        {"application data first", SPAN("\x17\x03\x03\x00\x01\x00"), true, 10},
        {"an oversized record", SPAN("\x16\x03\x01\xff\xff\x01"), true, 22},
        {"no hello in the record", SPAN("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), true, 10},
        {"an empty hello", SPAN("\x16\x03\x01\x00\x04\x01\x00\x00\x00"), true, 50},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            uint8_t room[256];
            uint8_t plain_room[tls_plain_extra + 64];
            struct tls_stream *stream = tls_stream_new(context, true);
            struct buffer out = buffer_over(room, sizeof(room));
            struct buffer plain = buffer_over(plain_room, sizeof(plain_room));
            enum tls_result result = TLS_OK;
            size_t step = piece == 0 ? cases[i].bytes.len : 1;
            for (size_t at = 0; at < cases[i].bytes.len && result == TLS_OK; at += step) {
                result =
                    tls_receive(stream, span_slice(cases[i].bytes, at, at + step), &plain, &out);
            }
            if (result != TLS_FAILED || tls_failure(stream) == NULL) {
                fail_msg("%s was not refused", cases[i].what);
            }
            assert_int_equal(plain.len, 0);
            if (cases[i].alert) {
                assert_alert(&out, cases[i].description);
            }
            tls_stream_free(&stream);
        }
    }
}

/* Each byte of the second flight, changed: the other end must not be believed. */
static void test_forged(void **state)
{
    for (size_t at = 5; at < 80; at++) {
        uint8_t bytes[4096];
        struct rig *rig = rig_new(context, true, &(struct rig_client){.version = TLS1_3_VERSION});
        SSL_do_handshake(rig->client);
        rig_feed(rig, bytes, rig_take(rig, bytes, sizeof(bytes)));
        SSL_do_handshake(rig->client);
        size_t len = rig_take(rig, bytes, sizeof(bytes));
        if (at < len) {
            bytes[at] ^= 0x80;
            rig_feed(rig, bytes, len);
            assert_false(tls_established(rig->server));
        }
        rig_free(&rig);
    }
}

static void test_old_version(void **state)
{
    struct rig *rig = rig_new(context, true, &(struct rig_client){.version = TLS1_1_VERSION});
    SSL_set_security_level(rig->client, 0);
    rig_talk(rig);
    assert_int_equal(rig->result, TLS_FAILED);
    assert_string_equal(tls_failure(rig->server), "unsupported protocol");
    unsigned long error = ERR_peek_error();
    assert_int_equal(ERR_GET_REASON(error), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    ERR_clear_error();
    rig_free(&rig);
}

static void test_renegotiation(void **state)
{
    struct rig *rig = rig_new(context, true, &(struct rig_client){.version = TLS1_2_VERSION});
    rig_talk(rig);
    assert_true(rig_client_done(rig));
    assert_int_equal(SSL_renegotiate(rig->client), 1);
    SSL_do_handshake(rig->client);
    uint8_t bytes[4096];
    size_t len = rig_take(rig, bytes, sizeof(bytes));
    assert_true(len > 0);
    rig_feed(rig, bytes, len);
    assert_int_equal(SSL_do_handshake(rig->client), -1);
    unsigned long error = ERR_peek_error();
    assert_int_equal(ERR_GET_REASON(error), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
    rig_free(&rig);
}

static void test_close_by_client(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        struct rig *rig = rig_new(context, true, &(struct rig_client){.version = versions[v]});
        rig_talk(rig);
        size_t written;
        SSL_write_ex(rig->client, "last", 4, &written);
        SSL_shutdown(rig->client);
        uint8_t bytes[256];
        rig_feed(rig, bytes, rig_take(rig, bytes, sizeof(bytes)));
        assert_int_equal(rig->result, TLS_CLOSED);
        assert_int_equal(rig->plain_len, 4);
        /* What follows is not looked at, and an answer can still be sent. */
        rig->result = TLS_OK;
        rig_feed(rig, "rubbish", 7);
        assert_int_equal(rig->result, TLS_CLOSED);
        rig_send(rig, body, 100);
        client_reads(rig, 100);
        rig_free(&rig);
    }
}

static void test_half_close(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        struct rig *rig = rig_new(context, true, &(struct rig_client){.version = versions[v]});
        rig_talk(rig);
        rig_send(rig, body, 10);
        uint8_t room[2 * tls_close_bytes_max];
        struct buffer out = buffer_over(room, sizeof(room));
        tls_close(rig->server, &out);
        size_t once = out.len;
        assert_true(once > 0 && once <= tls_close_bytes_max);
        tls_close(rig->server, &out);
        assert_int_equal(out.len, once);
        BIO_write(SSL_get_rbio(rig->client), out.ptr, (int)out.len);
        client_reads(rig, 10);
        char byte;
        assert_int_equal(SSL_read(rig->client, &byte, 1), 0);
        assert_int_equal(SSL_get_shutdown(rig->client), SSL_RECEIVED_SHUTDOWN);
        client_writes(rig, 50000);
        assert_int_equal(rig->result, TLS_OK);
        assert_int_equal(rig->plain_len, 50000);
        rig_free(&rig);
    }
}

static void test_key_update(void **state)
{
    struct rig *rig = rig_new(context, true, &(struct rig_client){.version = TLS1_3_VERSION});
    rig_talk(rig);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(SSL_key_update(rig->client, SSL_KEY_UPDATE_REQUESTED), 1);
        client_writes(rig, 1000);
        rig_send(rig, body, 1000);
        client_reads(rig, 1000);
    }
    assert_int_equal(rig->plain_len, 10000);
    rig_free(&rig);
}

/* A peer that asks for more answers than there is room for is failed, and the buffer is
 * left usable. */
static void test_no_room(void **state)
{
    uint8_t bytes[4096];
    uint8_t room[40];
    struct rig *rig = rig_new(context, true, &(struct rig_client){.version = TLS1_3_VERSION});
    rig_talk(rig);
    for (int i = 0; i < 10; i++) {
        SSL_key_update(rig->client, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(rig->client);
    }
    size_t len = rig_take(rig, bytes, sizeof(bytes));
    struct buffer plain = buffer_over(rig->plain, sizeof(rig->plain));
    struct buffer out = buffer_over(room, sizeof(room));
    assert_int_equal(tls_receive(rig->server, span_of(bytes, len), &plain, &out), TLS_FAILED);
    assert_non_null(tls_failure(rig->server));
    assert_false(out.full);
    rig_free(&rig);
}

static void test_early_data(void **state)
{
    struct rig *first = rig_new(context, true, &(struct rig_client){.version = TLS1_3_VERSION});
    rig_talk(first);
    assert_non_null(first->ticket);
    assert_int_equal(SSL_SESSION_get_max_early_data(first->ticket), 0);
    /* A client that believes it may. */
    SSL_SESSION_set_max_early_data(first->ticket, 1000);
    struct rig *rig = rig_new(context, true,
                              &(struct rig_client){.version = TLS1_3_VERSION,
                                                   .session = first->ticket,
                                                   .early = "POST /again HTTP/1.1\r\n\r\n"});
    rig_talk(rig);
    assert_true(rig_client_done(rig));
    assert_int_equal(SSL_get_early_data_status(rig->client), SSL_EARLY_DATA_REJECTED);
    assert_int_equal(rig->plain_len, 0);
    client_writes(rig, 100);
    assert_int_equal(rig->plain_len, 100);
    rig_free(&rig);
    rig_free(&first);
}

/* The connection goes on with what it began with. */
static void test_context_outlived(void **state)
{
    struct tls_context *short_lived = rig_context(&pair, 1, "k");
    struct rig *rig = rig_new(short_lived, true, &(struct rig_client){0});
    tls_context_free(&short_lived);
    assert_null(short_lived);
    rig_talk(rig);
    assert_true(rig_client_done(rig));
    assert_false(tls_misdirected(rig->server, SPAN("a.example")));
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),        cmocka_unit_test(test_established_only_then),
        cmocka_unit_test(test_empty_send),       cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_forged),           cmocka_unit_test(test_old_version),
        cmocka_unit_test(test_renegotiation),    cmocka_unit_test(test_close_by_client),
        cmocka_unit_test(test_half_close),       cmocka_unit_test(test_key_update),
        cmocka_unit_test(test_no_room),          cmocka_unit_test(test_early_data),
        cmocka_unit_test(test_context_outlived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
