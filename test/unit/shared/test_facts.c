/* SPDX-License-Identifier: MIT */
/* Facts: found until they are over, in bounded room; and questions, said once. */
#include "shared/facts.h"
#include "shared/questions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct pages {
    int fd;
    struct facts *written;
    struct facts *read;
};

static int open_pages(void **state)
{
    struct pages *p = calloc(1, sizeof(*p));
    assert_int_equal(facts_create(&p->fd), ERR_NONE);
    assert_int_equal(facts_open(p->fd, true, &p->written), ERR_NONE);
    assert_int_equal(facts_open(p->fd, false, &p->read), ERR_NONE);
    *state = p;
    return 0;
}

static int close_pages(void **state)
{
    struct pages *p = *state;
    facts_close(&p->written);
    facts_close(&p->read);
    close(p->fd);
    free(p);
    return 0;
}

static uint64_t key_of(const struct pages *p, const char *path, uint64_t server)
{
    return facts_key(facts_path(p->read, span_cstr(path)), server);
}

static enum fact find(const struct pages *p, uint64_t key, uint32_t now_s)
{
    uint32_t left_s;
    return facts_find(p->read, key, now_s, &left_s);
}

static void test_a_life(void **state)
{
    struct pages *p = *state;
    uint64_t key = key_of(p, "/x", 7);
    uint32_t left_s;
    assert_int_equal(find(p, key, 0), FACT_UNKNOWN);
    assert_false(facts_set(p->written, key, FACT_YES, 100, 10));
    assert_int_equal(facts_find(p->read, key, 103, &left_s), FACT_YES);
    assert_int_equal(left_s, 7);
    assert_int_equal(find(p, key, 109), FACT_YES);
    assert_int_equal(find(p, key, 110), FACT_UNKNOWN);
    assert_int_equal(find(p, key_of(p, "/x", 8), 103), FACT_UNKNOWN);
    assert_int_equal(find(p, key_of(p, "/y", 7), 103), FACT_UNKNOWN);
    /* What is said anew takes the place of what was. */
    assert_false(facts_set(p->written, key, FACT_NO, 104, 2));
    assert_int_equal(find(p, key, 105), FACT_NO);
    assert_int_equal(find(p, key, 106), FACT_UNKNOWN);
    assert_int_equal(facts_find(p->read, key, 106, &left_s), FACT_UNKNOWN);
    assert_int_equal(left_s, 0);
}

static void test_when_it_is_due(void **state)
{
    static const struct {
        uint32_t left_s;
        uint32_t life_s;
        bool due;
    } rows[] = {{600, 600, false}, {151, 600, false}, {150, 600, true}, {1, 600, true},
                {1, 1, true},      {2, 2, false},     {1, 2, true},     {3, 4, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(fact_is_due(rows[i].left_s, rows[i].life_s), rows[i].due);
    }
}

/* Keys of one set: the low bits are alike. */
static uint64_t in_set(uint64_t number)
{
    return number << 40 | 12345;
}

static void test_who_goes_first(void **state)
{
    struct pages *p = *state;
    for (uint64_t i = 0; i < 6; i++) {
        assert_false(facts_set(p->written, in_set(i), FACT_YES, 0, 100 + (uint32_t)i));
    }
    assert_false(facts_set(p->written, in_set(6), FACT_NO, 0, 500));
    assert_false(facts_set(p->written, in_set(7), FACT_TRIED, 0, 600));
    /* The no, though a yes is over sooner. */
    assert_true(facts_set(p->written, in_set(8), FACT_YES, 50, 100));
    assert_int_equal(find(p, in_set(6), 50), FACT_UNKNOWN);
    assert_true(facts_set(p->written, in_set(9), FACT_YES, 50, 100));
    assert_int_equal(find(p, in_set(7), 50), FACT_UNKNOWN);
    /* Then the eldest yes. */
    assert_true(facts_set(p->written, in_set(10), FACT_YES, 50, 100));
    assert_int_equal(find(p, in_set(0), 50), FACT_UNKNOWN);
    assert_int_equal(find(p, in_set(1), 50), FACT_YES);
    /* What is over goes before all of them, and is no loss. */
    assert_false(facts_set(p->written, in_set(11), FACT_NO, 101, 100));
    assert_int_equal(find(p, in_set(1), 101), FACT_UNKNOWN);
    assert_int_equal(find(p, in_set(2), 101), FACT_YES);
}

/* Ever new paths that nobody has, many times as many as there is room for. */
static void test_a_flood_leaves_what_is_there(void **state)
{
    enum { kept = 20000, flood = 3 * facts_max };
    struct pages *p = *state;
    char path[32];
    for (int i = 0; i < kept; i++) {
        snprintf(path, sizeof(path), "/kept/%d", i);
        facts_set(p->written, key_of(p, path, 1), FACT_YES, 0, 600);
    }
    for (uint64_t i = 0; i < flood; i++) {
        facts_set(p->written, facts_key(i * UINT64_C(0x9e3779b97f4a7c15), 2), FACT_NO, 1, 60);
    }
    int left = 0;
    for (int i = 0; i < kept; i++) {
        snprintf(path, sizeof(path), "/kept/%d", i);
        left += find(p, key_of(p, path, 1), 2) == FACT_YES;
    }
    assert_int_equal(left, kept);
}

static void test_bad_pages(void **state)
{
    struct pages *p = *state;
    struct facts *facts;
    int fd;
    assert_int_equal(ring_create(RING_LOG, 3, &fd), ERR_NONE);
    assert_int_equal(facts_open(fd, false, &facts), ERR_SYNTAX); /* long enough, and no facts */
    close(fd);
    assert_int_equal(ring_create(RING_QUESTIONS, 1, &fd), ERR_NONE);
    assert_int_equal(facts_open(fd, false, &facts), ERR_SYNTAX);
    close(fd);
    assert_true(facts_now_s(p->read, (int64_t)1 << 60) > 0);
}

/* ---- questions ---- */

struct asking {
    int fd;
    struct ring *producer;
    struct ring *consumer;
    struct questions *questions;
};

static int open_questions(void **state)
{
    struct asking *a = calloc(1, sizeof(*a));
    assert_int_equal(ring_create(RING_QUESTIONS, 1, &a->fd), ERR_NONE);
    assert_int_equal(ring_open_producer(RING_QUESTIONS, a->fd, 0, &a->producer), ERR_NONE);
    assert_int_equal(ring_open_consumer(RING_QUESTIONS, a->fd, 0, &a->consumer), ERR_NONE);
    assert_int_equal(questions_new(a->producer, &a->questions), ERR_NONE);
    *state = a;
    return 0;
}

static int close_questions(void **state)
{
    struct asking *a = *state;
    questions_free(&a->questions);
    ring_close(&a->producer);
    ring_close(&a->consumer);
    close(a->fd);
    free(a);
    return 0;
}

static enum question_end ask(struct asking *a, uint64_t server, struct span path, uint64_t key,
                             bool again, uint32_t now_s)
{
    const struct question_asked question = {.server = server, .path = path};
    return questions_ask(a->questions, &question, key, again, now_s);
}

static size_t read_all(struct asking *a)
{
    struct span record;
    size_t count = 0;
    for (; ring_peek(a->consumer, &record); ring_pop(a->consumer)) {
        struct question_asked got;
        assert_true(question_decode(record, &got));
        count++;
    }
    return count;
}

static void test_said_once_a_second(void **state)
{
    struct asking *a = *state;
    struct span record;
    struct question_asked got;
    assert_int_equal(ask(a, 42, SPAN("/a/b"), 1, false, 0), QUESTION_SAID);
    assert_int_equal(ask(a, 42, SPAN("/a/b"), 1, false, 0), QUESTION_SAID_BEFORE);
    assert_true(ring_peek(a->consumer, &record));
    assert_true(question_decode(record, &got));
    assert_int_equal(got.server, 42);
    assert_true(span_eq(got.path, SPAN("/a/b")));
    ring_pop(a->consumer);
    assert_int_equal(ask(a, 42, SPAN("/a/b"), 1, false, 1), QUESTION_SAID);
    assert_int_equal(ask(a, 42, SPAN(""), 2, false, 1), QUESTION_SAID);
    assert_int_equal(read_all(a), 2);
}

/* One server has had its share of a second, and others still have theirs. */
static void test_a_share_for_each_server(void **state)
{
    struct asking *a = *state;
    size_t said = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        said += ask(a, 1, SPAN("/x"), i, false, 5) == QUESTION_SAID;
    }
    assert_int_equal(said, questions_a_second_max);
    assert_int_equal(ask(a, 1, SPAN("/x"), 2000, false, 5), QUESTION_DROPPED);
    assert_int_equal(ask(a, 2, SPAN("/x"), 2000, false, 5), QUESTION_SAID);
    assert_int_equal(ask(a, 1, SPAN("/x"), 2001, true, 5), QUESTION_SAID);
    assert_int_equal(ask(a, 1, SPAN("/x"), 2002, false, 6), QUESTION_SAID);
    assert_int_equal(read_all(a), questions_a_second_max + 3);
}

static void test_a_full_ring(void **state)
{
    static uint8_t path[question_path_bytes_max] = "/";
    struct asking *a = *state;
    size_t said = 0;
    memset(path + 1, 'p', sizeof(path) - 1);
    for (uint64_t i = 0; i < 1000; i++) {
        said += ask(a, i, span_of(path, sizeof(path)), i, false, 5) == QUESTION_SAID;
    }
    assert_in_range(said, 25, ring_question_bytes / sizeof(path));
    assert_int_equal(read_all(a), said);
    /* What was dropped may be said at once when there is room again. */
    assert_int_equal(ask(a, 999, span_of(path, sizeof(path)), 999, false, 5), QUESTION_SAID);
}

static void test_what_is_no_question(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool good;
    } rows[] = {
        {"12345678", 8, true},   {"12345678/", 9, true}, {"1234567", 7, false},
        {"12345678x", 9, false}, {"", 0, false},         {"12345678*", 9, false},
    };
    static uint8_t path[question_path_bytes_max + 1] = "/";
    struct question_asked got;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct span record = span_of((const uint8_t *)rows[i].bytes, rows[i].len);
        assert_int_equal(question_decode(record, &got), rows[i].good);
    }
    assert_true(question_fits(span_of(path, question_path_bytes_max)));
    assert_false(question_fits(span_of(path, sizeof(path))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_life, open_pages, close_pages),
        cmocka_unit_test(test_when_it_is_due),
        cmocka_unit_test_setup_teardown(test_who_goes_first, open_pages, close_pages),
        cmocka_unit_test_setup_teardown(test_a_flood_leaves_what_is_there, open_pages, close_pages),
        cmocka_unit_test_setup_teardown(test_bad_pages, open_pages, close_pages),
        cmocka_unit_test_setup_teardown(test_said_once_a_second, open_questions, close_questions),
        cmocka_unit_test_setup_teardown(test_a_share_for_each_server, open_questions,
                                        close_questions),
        cmocka_unit_test_setup_teardown(test_a_full_ring, open_questions, close_questions),
        cmocka_unit_test(test_what_is_no_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
