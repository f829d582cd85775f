/* SPDX-License-Identifier: MIT */
/* Shares: as many as were asked for, always the same ones, and different ones for each
 * rule. And labels, which hold for the rest as well. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { clients = 10000 };

static const char config[] =
    "sites:\n"
    "  - hosts: shop.example\n"
    "    routes:\n"
    "      - {path: /a, share: 20%, to: 'https://n.example/in', rest: {to: 'https://o.example/'}}\n"
    "      - {path: /b, share: 20%, to: 'https://n.example/in', rest: 503}\n"
    "      - {path: /c, share: 0.5%, to: 'https://n.example/in'}\n"
    "      - {path: /d, share: 100%, to: 'https://n.example/in'}\n"
    "      - {path: /e, share: 50%, to: 'https://n.example/in', rest: {pool: p}}\n"
    "pools: {p: [https://s.example]}\n";

static void address_of(int client, bool v6, char out[64])
{
    if (v6) {
        snprintf(out, 64, "2001:db8:%x::%x", client >> 8, client & 255);
    } else {
        snprintf(out, 64, "10.%d.%d.%d", client % 7, client >> 8, client & 255);
    }
}

static bool is_in(struct fixture *f, const char *line, int client, bool v6)
{
    char from[64];
    address_of(client, v6, from);
    fixture_ask(f, &(struct ask){.line = line, .from = from});
    return span_starts(f->decision.location, SPAN("https://n.example/in"));
}

static void a_share_is_as_large_as_it_says(void **state)
{
    static const struct {
        const char *line;
        int wanted;
    } cases[] = {{"GET /a", clients / 5},
                 {"GET /b", clients / 5},
                 {"GET /c", clients / 200},
                 {"GET /d", clients},
                 {"GET /e", clients / 2}};
    (void)state;
    struct fixture *f = fixture_new(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            int in = 0;
            for (int client = 0; client < clients; client++) {
                in += is_in(f, cases[i].line, client, v6);
            }
            /* 1.5 % of all is more than three standard deviations. */
            assert_in_range(in, cases[i].wanted > 150 ? cases[i].wanted - 150 : 0,
                            cases[i].wanted + 150);
        }
    }
    fixture_free(&f);
}

static void a_client_stays_where_it_was(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    struct fixture *again = fixture_new(config);
    fixture_compile(again, NOW + 86400 * NS_PER_SECOND);
    for (int client = 0; client < 2000; client++) {
        bool first = is_in(f, "GET /a", client, false);
        assert_int_equal(first, is_in(f, "GET /a?again", client, false));
        assert_int_equal(first, is_in(again, "POST /a", client, false));
    }
    fixture_free(&f);
    fixture_free(&again);
}

/* Else the clients in the first 20 % would be the guinea pigs of every rule. */
static void shares_are_independent(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    int both = 0;
    for (int client = 0; client < clients; client++) {
        both += is_in(f, "GET /a", client, false) && is_in(f, "GET /b", client, false);
    }
    assert_in_range(both, clients / 25 - 100, clients / 25 + 100);
    fixture_free(&f);
}

static void others_get_the_rest(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(config);
    int seen = 0;
    for (int client = 0; client < 200; client++) {
        if (!is_in(f, "GET /b", client, false)) {
            assert_int_equal(f->decision.status, 503);
            assert_int_equal(f->decision.reason, REASON_REST);
            seen++;
        }
        assert_true(f->decision.depends_on_client);
        if (!is_in(f, "GET /c", client, false)) {
            assert_int_equal(f->decision.status, 404);
            assert_int_equal(f->decision.reason, REASON_DEFAULT);
            assert_true(f->decision.depends_on_client);
        }
        if (!is_in(f, "GET /e", client, false)) {
            fixture_same("rest", "Location", f->decision.location, "https://s.example/e");
        }
    }
    assert_in_range(seen, 120, 190);
    fixture_free(&f);
}

/* Nobody can choose a host by not being in the share. */
static void labels_hold_for_the_rest(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(
        "sites:\n"
        "  - hosts: shop.example\n"
        "    routes:\n"
        "      - {path: '/:region/x', share: 50%, to: 'https://n.example/in',\n"
        "         labels: {region: [eu]}, rest: {to: 'https://{region}.example.net/'}}\n");
    int rest = 0;
    for (int client = 0; client < 100; client++) {
        is_in(f, "GET /evil/x", client, false);
        fixture_same("not listed", "Location", f->decision.location, "");
        if (!is_in(f, "GET /eu/x", client, false)) {
            fixture_same("listed", "Location", f->decision.location, "https://eu.example.net/");
            rest++;
        }
    }
    assert_in_range(rest, 25, 75);
    fixture_free(&f);
}

/* What is not matched is looked at, too, before it leads anywhere. */
static void labels_hold_for_the_default(void **state)
{
    (void)state;
    struct fixture *f = fixture_new("sites:\n"
                                    "  - hosts: shop.example\n"
                                    "    default: {to: 'https://{method}.example.net/',\n"
                                    "              labels: {method: [get]}}\n");
    fixture_ask(f, &(struct ask){.line = "evil /"});
    assert_int_equal(f->decision.status, 400);
    assert_int_equal(f->decision.reason, REASON_LOCATION_ESCAPES);
    fixture_same("default", "Location", f->decision.location, "");
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_is_as_large_as_it_says),
        cmocka_unit_test(a_client_stays_where_it_was),
        cmocka_unit_test(shares_are_independent),
        cmocka_unit_test(others_get_the_rest),
        cmocka_unit_test(labels_hold_for_the_rest),
        cmocka_unit_test(labels_hold_for_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
