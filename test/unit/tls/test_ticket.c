/* SPDX-License-Identifier: MIT */
/* Tickets: one for each handshake, opened by every worker, renewed after a rotation. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rig_pair pairs[2];

static int set_up(void **state)
{
    pairs[0] = rig_pair_new(RIG_EC, "DNS:a.example", 0, 3600);
    pairs[1] = rig_pair_new(RIG_EC, "DNS:b.example", 0, 3600);
    return 0;
}

static int tear_down(void **state)
{
    rig_pair_free(&pairs[0]);
    rig_pair_free(&pairs[1]);
    return 0;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct attempt {
    const char *seeds; /* of the worker's ticket keys, the newest first */
    SSL_SESSION *session;
    bool resumed;
    char sealed_with; /* the ticket that the client has afterwards */
};

static SSL_SESSION *connect_once(int version, const struct attempt *attempt)
{
    struct tls_context *context = rig_context(pairs, 2, attempt->seeds);
    struct rig *rig = rig_new(
        context, true,
        &(struct rig_client){.version = version, .name = "b.example", .session = attempt->session});
    rig_talk(rig);
    assert_true(rig_client_done(rig));
    assert_int_equal(tls_resumed(rig->server), attempt->resumed);
    assert_int_equal(SSL_session_reused(rig->client), attempt->resumed);
    /* In TLS 1.2 the library tells of a ticket only in a full handshake. */
    bool told = version == TLS1_3_VERSION || !attempt->resumed;
    assert_int_equal(rig->tickets, told ? 1 : 0);
    SSL_SESSION *session = SSL_get1_session(rig->client);
    const unsigned char *ticket = NULL;
    size_t len = 0;
    SSL_SESSION_get0_ticket(session, &ticket, &len);
    assert_true(len > 16);
    assert_int_equal(ticket[0], attempt->sealed_with); /* the name of the key */
    rig_free(&rig);
    tls_context_free(&context);
    return session;
}

static void test_lifetime(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        SSL_SESSION *ticket = connect_once(versions[v], &(struct attempt){"k", NULL, false, 'k'});
        assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(ticket), 24 * 3600);
        SSL_SESSION_free(ticket);
    }
}

static void test_another_worker(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        SSL_SESSION *ticket = connect_once(versions[v], &(struct attempt){"k", NULL, false, 'k'});
        SSL_SESSION *next = connect_once(versions[v], &(struct attempt){"k", ticket, true, 'k'});
        SSL_SESSION_free(ticket);
        SSL_SESSION_free(next);
    }
}

static void test_rotation(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        SSL_SESSION *old = connect_once(versions[v], &(struct attempt){"k", NULL, false, 'k'});
        SSL_SESSION *renewed = connect_once(versions[v], &(struct attempt){"mlk", old, true, 'm'});
        SSL_SESSION *again = connect_once(versions[v], &(struct attempt){"m", renewed, true, 'm'});
        SSL_SESSION *lost = connect_once(versions[v], &(struct attempt){"nml", old, false, 'n'});
        SSL_SESSION_free(old);
        SSL_SESSION_free(renewed);
        SSL_SESSION_free(again);
        SSL_SESSION_free(lost);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetime),
        cmocka_unit_test(test_another_worker),
        cmocka_unit_test(test_rotation),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
