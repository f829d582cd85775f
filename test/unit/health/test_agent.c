/* SPDX-License-Identifier: MIT */
/* The words of an agent, and what they leave as it was. */
#include "health/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { full = server_weight_ppm_full };

struct row {
    const char *line;
    enum err err;
    enum server_state state;
    uint32_t weight_ppm;
    const char *remark;
};

/* One after another, to one agent that has said nothing before. */
static const struct row rows[] = {
    {"up\n", ERR_NONE, SERVER_UP, full, ""},
    {"75%\n", ERR_NONE, SERVER_UP, 750000, ""},
    {"down\r\n", ERR_NONE, SERVER_DOWN, 750000, ""},
    {"drain", ERR_NONE, SERVER_DOWN, 750000, ""},
    {"up 100%", ERR_NONE, SERVER_DRAIN, full, ""},
    {"maint\n", ERR_NONE, SERVER_MAINT, full, ""},
    {"stopped\n", ERR_NONE, SERVER_MAINT, full, ""},
    {"ready\n", ERR_NONE, SERVER_DOWN, full, ""},
    {"UP Ready, 5% # warming  up \n", ERR_NONE, SERVER_UP, 50000, "warming  up"},
    {"0%", ERR_NONE, SERVER_UP, 0, ""},
    {"fail,100%", ERR_NONE, SERVER_DOWN, full, ""},
    {"failed # no disk\n", ERR_NONE, SERVER_DOWN, full, "no disk"},
    {"  \tup\t,\n down", ERR_NONE, SERVER_UP, full, ""},
    {"maxconn:20 90%\n", ERR_NONE, SERVER_UP, 900000, ""},
    {"300%", ERR_NONE, SERVER_UP, full, ""},
    {"99999999999999999999%", ERR_NONE, SERVER_UP, full, ""},
    {"", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"\n", ERR_SYNTAX, SERVER_UP, full, NULL},
    {" , \n", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"# up\n", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"%", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"7.5%", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"-5%", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"50", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"maxconn:", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"maxconn:x", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"down 40% well", ERR_SYNTAX, SERVER_UP, full, NULL},
    {"HTTP/1.1 200 OK\r\n", ERR_SYNTAX, SERVER_UP, full, NULL},
};

static void test_rows(void **state)
{
    struct agent agent = agent_silent();
    assert_int_equal(agent_state(&agent), SERVER_UP);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct span remark = SPAN("untouched");
        enum err err = agent_hear(&agent, span_cstr(rows[i].line), &remark);
        const char *expected = rows[i].remark != NULL ? rows[i].remark : "untouched";
        if (err != rows[i].err || agent_state(&agent) != rows[i].state ||
            agent.weight_ppm != rows[i].weight_ppm || !span_eq(remark, span_cstr(expected))) {
            fail_msg("row %zu: %s", i, rows[i].line);
        }
    }
}

static void test_nul_ends_a_line(void **state)
{
    struct agent agent = agent_silent();
    struct span remark;
    assert_int_equal(agent_hear(&agent, SPAN("down\0nonsense"), &remark), ERR_NONE);
    assert_int_equal(agent_state(&agent), SERVER_DOWN);
}

static void test_goes_on_from_a_word(void **state)
{
    static const enum server_state states[] = {SERVER_UP, SERVER_DOWN, SERVER_DRAIN, SERVER_MAINT};
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        struct agent agent = agent_from_word(server_live_word(states[i], 250000));
        assert_int_equal(agent_state(&agent), states[i]);
        assert_int_equal(agent.weight_ppm, 250000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_nul_ends_a_line),
                                       cmocka_unit_test(test_goes_on_from_a_word)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
