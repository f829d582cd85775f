/* SPDX-License-Identifier: MIT */
/* Which language a reader gets, and that each has all its sentences. */
#include "page/language.h"

#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void the_best_one_is_chosen(void **state)
{
    static const struct {
        const char *accept;
        const char *tag;
    } cases[] = {
        {"", "en"},
        {"de", "de"},
        {"DE-at", "de"},
        {"fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"},
        {"sv, nl;q=0.3, es;q=0.31", "es"},
        {"en;q=0, it", "it"},
        {"pt;q=0", "en"},
        {"zz, yy", "en"},
        {"*", "en"},
        {"de;q=0.5, fr;q=0.5", "de"},
        {"de ; q=0.9 , nl", "nl"},
        {"dede, fr;q=0.001", "fr"},
        {"de;q=1.000;x=y", "de"},
        {",,;;q=,de", "de"},
    };
    (void)state;
    assert_string_equal(words_for((struct span){0})->tag, "en");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *got = words_for(span_cstr(cases[i].accept))->tag;
        if (strcmp(got, cases[i].tag) != 0) {
            fail_msg("%s: %s", cases[i].accept, got);
        }
    }
}

static void every_sentence_is_there(void **state)
{
    (void)state;
    assert_true(words_count >= 4);
    for (size_t i = 0; i < words_count; i++) {
        const char *const *sentence = (const char *const *)&words_all[i];
        for (size_t k = 0; k < sizeof(words_all[i]) / sizeof(char *); k++) {
            assert_non_null(sentence[k]);
            struct span text = span_cstr(sentence[k]);
            uint32_t point = 0;
            for (size_t at = 0, len; at < text.len; at += len) {
                len = utf8_decode(text, at, &point);
                assert_true(len > 0 && point >= ' ');
                assert_true(point != '<' && point != '&'); /* it is written as it stands */
            }
            assert_true(text.len > 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_one_is_chosen),
        cmocka_unit_test(every_sentence_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
