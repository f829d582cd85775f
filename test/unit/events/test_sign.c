/* SPDX-License-Identifier: MIT */
/* Secrets and signatures; the codes were made by another program, the first one stands in the
 * tests of the libraries of Standard Webhooks. */
#include "events/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define KEY_1 "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define TEN "xxxxxxxxxx"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define EVENT "{\"type\":\"detour.started\"}"

static const struct vector {
    const char *file;
    const char *id;
    int64_t timestamp_s;
    const char *content;
    const char *signature;
} vectors[] = {
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
     "{\"test\": 2432232314}", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {KEY_1, "evt_1", 1700000000, EVENT, "v1,d4Cnzg04fftquBgJLtq7ZSR8si2ZWSTGKQuPUpBnvHg="},
    {"a secret of more than 24 bytes\n", "evt_1", 1700000000, EVENT,
     "v1,2p33N+K0kNbrESvl4P2z3yKdFy6p1/RmxeJqW2/A6qg="},
    {HUNDRED, "evt_1", 1700000000, EVENT, "v1,PAUfHeOz4exWQN1ZIL4NjQ1jlWQS+BGVw+dgRkYNPsg="},
    {"\n" HUNDRED "\r\n\n  " KEY_1 " \n", "evt_1", 1700000000, EVENT,
     "v1,PAUfHeOz4exWQN1ZIL4NjQ1jlWQS+BGVw+dgRkYNPsg= "
     "v1,d4Cnzg04fftquBgJLtq7ZSR8si2ZWSTGKQuPUpBnvHg="},
};

static void test_vectors(void **state)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        const struct vector *v = &vectors[i];
        struct sign_secrets secrets;
        char text[sign_text_bytes];
        assert_null(sign_read(span_cstr(v->file), &secrets));
        sign_make(&secrets, span_cstr(v->id), v->timestamp_s, span_cstr(v->content), text);
        assert_string_equal(text, v->signature);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *file;
        const char *why;
    } cases[] = {
        {"", "there is no secret"},
        {" \n\r\n", "there is no secret"},
        {"twenty-three bytes long", "a secret has 24"},
        {HUNDRED HUNDRED HUNDRED, "a secret has 24"},
        {"whsec_", "a secret has 24"},
        {"whsec_AAAA", "a secret has 24"},
        {"whsec_" HUNDRED HUNDRED HUNDRED HUNDRED, "a secret has 24"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "no base64"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", "no base64"},
        {HUNDRED "\n" HUNDRED "\n" HUNDRED "\n" HUNDRED "\n" HUNDRED, "more than 4"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sign_secrets secrets = {.count = 77};
        const char *why = sign_read(span_cstr(cases[i].file), &secrets);
        print_message("%zu: %s\n", i, why != NULL ? why : "good");
        assert_non_null(why);
        assert_non_null(strstr(why, cases[i].why));
        assert_int_equal(secrets.count, 77);
    }
}

/* As many as there can be fit into the text. */
static void test_most(void **state)
{
    struct sign_secrets secrets;
    char text[sign_text_bytes];
    assert_null(sign_read(SPAN(HUNDRED "\n" HUNDRED "\n" HUNDRED "\n" HUNDRED), &secrets));
    sign_make(&secrets, SPAN("evt_1"), INT64_MAX, SPAN(EVENT), text);
    assert_int_equal(strlen(text), sign_text_bytes - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
