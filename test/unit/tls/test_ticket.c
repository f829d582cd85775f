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

/* Connects, and gives the last ticket. */
static SSL_SESSION *connect_once(const char *seeds, int version, SSL_SESSION *session, bool resumed,
                                 size_t tickets)
{
    struct tls_context *context = rig_context(pairs, 2, seeds);
    struct rig *rig =
        rig_new(context, true,
                &(struct rig_client){.version = version, .name = "b.example", .session = session});
    rig_talk(rig);
    assert_true(rig_client_done(rig));
    assert_int_equal(tls_resumed(rig->server), resumed);
    assert_int_equal(SSL_session_reused(rig->client), resumed);
    assert_int_equal(rig->tickets, tickets);
    SSL_SESSION *ticket = rig->ticket;
    if (ticket != NULL) {
        SSL_SESSION_up_ref(ticket);
    }
    rig_free(&rig);
    tls_context_free(&context);
    return ticket;
}

static void test_one_ticket(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        SSL_SESSION *ticket = connect_once("k", versions[v], NULL, false, 1);
        assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(ticket), 12 * 3600, 7 * 86400);
        SSL_SESSION_free(ticket);
    }
}

static void test_another_worker(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        bool new_each_time = versions[v] == TLS1_3_VERSION;
        SSL_SESSION *ticket = connect_once("k", versions[v], NULL, false, 1);
        SSL_SESSION *next = connect_once("k", versions[v], ticket, true, new_each_time ? 1 : 0);
        SSL_SESSION_free(ticket);
        SSL_SESSION_free(next);
    }
}

static void test_rotation(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        SSL_SESSION *old = connect_once("k", versions[v], NULL, false, 1);
        SSL_SESSION *renewed = connect_once("mlk", versions[v], old, true, 1);
        /* The renewed one is sealed with the newest key. */
        SSL_SESSION *again =
            connect_once("m", versions[v], renewed, true, versions[v] == TLS1_3_VERSION ? 1 : 0);
        SSL_SESSION *lost = connect_once("nml", versions[v], old, false, 1);
        SSL_SESSION_free(old);
        SSL_SESSION_free(renewed);
        SSL_SESSION_free(again);
        SSL_SESSION_free(lost);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_ticket),
        cmocka_unit_test(test_another_worker),
        cmocka_unit_test(test_rotation),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
