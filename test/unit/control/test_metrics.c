/* SPDX-License-Identifier: MIT */
/* The exposition: sums over workers, escaped labels, and the shape that OpenMetrics asks
 * for. */
#include "control/metrics.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct pages {
    struct counters_map *counters;
    struct servers_map *servers;
    struct metrics_rule rules[2];
    struct metrics_server pool[1];
    struct metrics metrics;
    char *text;
};

static int open_pages(void **state)
{
    struct pages *p = calloc(1, sizeof(*p));
    int fd;
    assert_int_equal(counters_create(2, &fd), ERR_NONE);
    assert_int_equal(counters_open(fd, &p->counters), ERR_NONE);
    close(fd);
    assert_int_equal(servers_create(&fd), ERR_NONE);
    assert_int_equal(servers_open(fd, true, &p->servers), ERR_NONE);
    close(fd);
    p->rules[0] = (struct metrics_rule){SPAN("shop"), SPAN("shop/routes/api"), 3};
    p->rules[1] = (struct metrics_rule){SPAN("a\"b\\c\nd"), SPAN("x/default"), 4};
    p->pool[0] = (struct metrics_server){SPAN("mirrors"), SPAN("eu1"), SPAN("mirrors/eu1"), 7};
    p->metrics = (struct metrics){.counters = p->counters,
                                  .servers = p->servers,
                                  .rules = p->rules,
                                  .rule_count = 2,
                                  .pool_servers = p->pool,
                                  .pool_server_count = 1,
                                  .generation = 12,
                                  .now_ns = 100 * NS_PER_SECOND};
    *state = p;
    return 0;
}

static int close_pages(void **state)
{
    struct pages *p = *state;
    counters_close(&p->counters);
    servers_close(&p->servers);
    free(p->text);
    free(p);
    return 0;
}

static const char *write_all(struct pages *p)
{
    size_t size = metrics_size_max(&p->metrics);
    free(p->text);
    p->text = malloc(size + 1);
    struct buffer out = buffer_over(p->text, size);
    metrics_write(&p->metrics, &out);
    assert_false(out.full);
    p->text[out.len] = 0;
    return p->text;
}

static void expect_line(const char *text, const char *line)
{
    char wanted[256];
    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    if (strstr(text, wanted) == NULL) {
        fail_msg("missing: %s in\n%s", line, text);
    }
}

static void sums_over_workers(void **state)
{
    struct pages *p = *state;
    struct counters_worker *first = counters_of_worker(p->counters, 0);
    struct counters_worker *second = counters_of_worker(p->counters, 1);
    counter_add(&first->statuses[307], 40);
    counter_add(&second->statuses[307], 2);
    counter_add(&second->statuses[404], 1);
    counter_set(&first->connections_active, 3);
    counter_set(&second->connections_active, 4);
    counter_add(&second->timeouts_idle, 6);
    counter_add(&counters_rules(p->counters, 0)[3].hits, 10);
    counter_add(&counters_rules(p->counters, 1)[3].hits, 5);
    counter_set(&counters_rules(p->counters, 0)[3].last_used_s, 1700000000);
    counter_set(&counters_rules(p->counters, 1)[3].last_used_s, 1600000000);
    counter_add(&counters_common(p->counters)->restarts_workers, 9);
    counter_set(&counters_common(p->counters)->snapshot_time_ns, 98 * NS_PER_SECOND - 5000000);
    counter_set(&counters_common(p->counters)->reload_success, 1);
    const char *text = write_all(p);
    expect_line(text, "detour_requests_total{status=\"307\"} 42");
    expect_line(text, "detour_requests_total{status=\"404\"} 1");
    assert_null(strstr(text, "status=\"200\""));
    expect_line(text, "detour_connections_active 7");
    expect_line(text, "detour_timeouts_total{kind=\"idle\"} 6");
    expect_line(text, "detour_rule_hits_total{site=\"shop\",rule=\"shop/routes/api\"} 15");
    expect_line(text, "detour_rule_last_used_timestamp_seconds{site=\"shop\","
                      "rule=\"shop/routes/api\"} 1700000000");
    expect_line(text, "detour_restarts_total{process=\"worker\"} 9");
    expect_line(text, "detour_snapshot_generation 12");
    expect_line(text, "detour_snapshot_age_seconds 2.005");
    expect_line(text, "detour_config_last_reload_success 1");
    expect_line(text, "detour_workers 2");
}

static void escapes_labels_and_shows_the_unused(void **state)
{
    const char *text = write_all(*state);
    expect_line(text, "detour_rule_hits_total{site=\"a\\\"b\\\\c\\nd\",rule=\"x/default\"} 0");
    assert_null(strstr(text, "detour_rule_last_used_timestamp_seconds{"));
}

static void shows_servers(void **state)
{
    struct pages *p = *state;
    servers_set(p->servers, 7, SERVER_DRAIN, 250000);
    const char *text = write_all(p);
    expect_line(text, "detour_server_state{pool=\"mirrors\",server=\"eu1\","
                      "detour_server_state=\"drain\"} 1");
    expect_line(text, "detour_server_state{pool=\"mirrors\",server=\"eu1\","
                      "detour_server_state=\"up\"} 0");
    expect_line(text, "detour_server_weight_ratio{pool=\"mirrors\",server=\"eu1\"} 0.250000");
}

/* Each family once, its TYPE first, samples only of the family that was opened last, and
 * the end where it belongs. */
static void has_the_shape_of_openmetrics(void **state)
{
    char *text = strdup(write_all(*state));
    size_t len = strlen(text);
    assert_string_equal(text + len - 6, "# EOF\n");
    char family[128] = "";
    char seen[8192] = "\n";
    for (char *save, *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char name[128];
        if (sscanf(line, "# TYPE %127s", name) == 1) {
            char key[130];
            snprintf(key, sizeof(key), "\n%s\n", name);
            assert_null(strstr(seen, key));
            strcat(seen, name);
            strcat(seen, "\n");
            strcpy(family, name);
        } else if (line[0] != '#') {
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
        }
    }
    free(text);
}

static void room_is_enough_and_less_is_seen(void **state)
{
    struct pages *p = *state;
    for (size_t status = 100; status < counters_statuses; status++) {
        counter_set(&counters_of_worker(p->counters, 0)->statuses[status], UINT64_MAX / 2);
    }
    counter_set(&counters_rules(p->counters, 0)[4].hits, UINT64_MAX);
    counter_set(&counters_rules(p->counters, 0)[4].last_used_s, UINT64_MAX);
    size_t len = strlen(write_all(p));
    struct buffer out = buffer_over(p->text, len - 1);
    metrics_write(&p->metrics, &out);
    assert_true(out.full);
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, open_pages, close_pages)

int main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(sums_over_workers),
        METRICS_TEST(escapes_labels_and_shows_the_unused),
        METRICS_TEST(shows_servers),
        METRICS_TEST(has_the_shape_of_openmetrics),
        METRICS_TEST(room_is_enough_and_less_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
