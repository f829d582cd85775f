/* SPDX-License-Identifier: MIT */
/* The page: what is in it, what cannot be put into it, how large it gets, and that its policy
 * names its script and its style. */
#include "page/wait.h"

#include "base/clock.h"
#include "page/ticket.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW (INT64_C(1795000000) * NS_PER_SECOND) /* 2026-11-18T11:06:40Z */

static char page_text[wait_page_bytes_max + 1];

static struct wait_page sample(void)
{
    return (struct wait_page){.words = words_for((struct span){0}),
                              .target = SPAN("/checkout?a=1&b=2"),
                              .ticket = SPAN("TICKET"),
                              .from_ns = NOW - 60 * NS_PER_SECOND,
                              .until_ns = NOW + 60 * NS_PER_SECOND,
                              .now_ns = NOW};
}

static const char *written(const struct wait_page *page)
{
    struct buffer out = buffer_over(page_text, sizeof(page_text) - 1);
    wait_page_write(page, &out);
    assert_false(out.full);
    page_text[out.len] = 0;
    return page_text;
}

static void holds(const char *text, const char *wanted)
{
    if (strstr(text, wanted) == NULL) {
        fail_msg("no %s in:\n%s", wanted, text);
    }
}

static void holds_not(const char *text, const char *unwanted)
{
    if (strstr(text, unwanted) != NULL) {
        fail_msg("%s in:\n%s", unwanted, text);
    }
}

static void ours_says_everything(void **state)
{
    (void)state;
    struct wait_page page = sample();
    page.reason = SPAN("database <b>upgrade</b>");
    const char *text = written(&page);
    holds(text, "<html lang=\"en\">");
    holds(text, "<h1>We will be right back</h1>");
    holds(text, "database &lt;b&gt;upgrade&lt;/b&gt;");
    holds_not(text, "<b>");
    holds(text, "data-status=\"/.well-known/detour/status/TICKET\"");
    holds(text, "href=\"/checkout?a=1&amp;b=2\"");
    holds(text, "value=\"50\"");
    holds(text, "datetime=\"2026-11-18T11:07Z\">2026-11-18 11:07 UTC</time>");
    holds(text, "http-equiv=\"refresh\" content=\"10\"");
    page.title = SPAN("A \"title\" & more");
    page.words = words_for(SPAN("de"));
    text = written(&page);
    holds(text, "<html lang=\"de\">");
    holds(text, "<h1>A &quot;title&quot; &amp; more</h1>");
    holds(text, "Voraussichtlich bereit:");
}

static void an_open_end_says_so(void **state)
{
    (void)state;
    struct wait_page page = sample();
    page.until_ns = WAIT_NEVER;
    const char *text = written(&page);
    holds(text, "<p data-detour=\"known\" hidden>");
    holds(text, "<p data-detour=\"unknown\">");
    holds(text, "data-until=\"0\"");
    holds_not(text, "value=");
    page = sample();
    page.from_ns = INT64_MIN;
    text = written(&page);
    holds_not(text, "value=");
    holds(text, "data-from=\"0\"");
}

static void times_cannot_overflow(void **state)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, NOW, INT64_MAX - 1, INT64_MAX};
    (void)state;
    for (size_t a = 0; a < 7; a++) {
        for (size_t b = 0; b < 7; b++) {
            struct wait_page page = sample();
            page.from_ns = ends[a];
            page.until_ns = ends[b];
            written(&page);
        }
    }
}

static void an_operators_page_gets_the_script(void **state)
{
    (void)state;
    struct wait_page page = sample();
    page.before = SPAN("<head>");
    page.after = SPAN("</head><p data-detour=\"reason\"></p>");
    page.reason = SPAN("it's \"x\"");
    const char *text = written(&page);
    assert_int_equal(strncmp(text, "<head><noscript>", 16), 0);
    holds(text, "data-reason=\"it&#39;s &quot;x&quot;\"");
    holds(text, "</script>\n</head><p data-detour=\"reason\"></p>");
    holds_not(text, "<h1>");
}

static void the_largest_has_room(void **state)
{
    (void)state;
    static uint8_t html[wait_html_max];
    static uint8_t quotes[ticket_target_max * 2];
    static uint8_t ticket[ticket_text_max];
    memset(html, 'x', sizeof(html));
    memset(quotes, '"', sizeof(quotes));
    memset(ticket, 'x', sizeof(ticket));
    struct wait_page page = sample();
    page.target = span_of(quotes, ticket_target_max);
    page.ticket = span_of(ticket, sizeof(ticket));
    page.reason = span_of(quotes, sizeof(quotes));
    page.title = span_of(quotes, wait_title_max);
    for (size_t i = 0; i < words_count; i++) {
        page.words = &words_all[i];
        page.before = (struct span){0};
        written(&page);
        page.before = span_of(html, sizeof(html));
        written(&page);
    }
}

static void a_reason_is_cut_between_characters(void **state)
{
    (void)state;
    uint8_t reason[wait_reason_max + 1];
    memset(reason, 'x', sizeof(reason));
    memcpy(reason + wait_reason_max - 1, "\xc3\xa9", 2);
    struct wait_page page = sample();
    page.reason = span_of(reason, sizeof(reason));
    holds(written(&page), "xx</p>");
    holds_not(page_text, "\xc3<");
}

/* "'sha256-…'" of what stands between the two marks. */
static void hash_between(const char *text, const char *from, const char *to, char out[64])
{
    const char *begin = strstr(text, from);
    assert_non_null(begin);
    begin = strchr(begin, '>') + 1;
    const char *end = strstr(begin, to);
    assert_non_null(end);
    uint8_t digest[32];
    char base64[48];
    assert_int_equal(EVP_Digest(begin, (size_t)(end - begin), digest, NULL, EVP_sha256(), NULL), 1);
    EVP_EncodeBlock((unsigned char *)base64, digest, sizeof(digest));
    snprintf(out, 64, "'sha256-%s'", base64);
}

static void the_policy_names_script_and_style(void **state)
{
    (void)state;
    struct wait_page page = sample();
    const char *text = written(&page);
    char hash[64], policy[1024];
    for (int own = 0; own < 2; own++) {
        struct buffer out = buffer_over(policy, sizeof(policy) - 1);
        wait_policy_write(own, &out);
        assert_false(out.full);
        policy[out.len] = 0;
        hash_between(text, "<script ", "</script>", hash);
        holds(policy, hash);
        holds(policy, "default-src 'none'");
        holds(policy, "frame-ancestors 'none'");
        if (!own) {
            hash_between(text, "<style>", "</style>", hash);
            holds(policy, hash);
            holds_not(policy, "unsafe");
        }
    }
}

static void status_is_json(void **state)
{
    static const struct {
        bool over;
        int64_t until_ns;
        const char *text;
    } cases[] = {
        {true, NOW, "{\"over\":true}\n"},
        {false, WAIT_NEVER, "{\"over\":false}\n"},
        {false, NOW, "{\"over\":false,\"until\":1795000000000}\n"},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buffer out = buffer_over(page_text, 200);
        wait_status_write(cases[i].over, cases[i].until_ns, &out);
        page_text[out.len] = 0;
        assert_string_equal(page_text, cases[i].text);
    }
}

static void jitter_has_bounds(void **state)
{
    static const int64_t wanted[][2] = {{1, 5}, {16, 20}, {60, 75}, {240, 300}, {7200, 7260}};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        int64_t most = 0;
        for (uint32_t jitter = 0; jitter < 1000; jitter++) {
            int64_t got = wait_jittered_s(wanted[i][0], jitter * 2654435761u);
            assert_true(got >= wanted[i][0] && got <= wanted[i][1]);
            most = got > most ? got : most;
        }
        assert_int_equal(most, wanted[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_says_everything),
        cmocka_unit_test(an_open_end_says_so),
        cmocka_unit_test(times_cannot_overflow),
        cmocka_unit_test(an_operators_page_gets_the_script),
        cmocka_unit_test(the_largest_has_room),
        cmocka_unit_test(a_reason_is_cut_between_characters),
        cmocka_unit_test(the_policy_names_script_and_style),
        cmocka_unit_test(status_is_json),
        cmocka_unit_test(jitter_has_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
