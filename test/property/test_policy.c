/* SPDX-License-Identifier: MIT */
/* Chains of random redirects against a naive client, which knows no more than the rules: where the
 * request goes, by which method, with or without its body and its credentials. */
#include <detour/detour.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { chains = 20000, hops = 12 };

static uint64_t seed = 307;

static unsigned draw(unsigned count)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % count;
}

static const char *const schemes[] = {"http", "https"};
static const char *const hosts[] = {"a.test", "b.test", "www.a.test"};
static const char *const ports[] = {"", ":8080"};
static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
static const uint16_t statuses[] = {301, 302, 303, 307, 308};

/* What the naive client knows: a URL in parts, and what it may still send. */
struct naive {
    const char *method;
    const char *scheme;
    const char *host;
    const char *port;
    unsigned path;
    unsigned fragment; /* 0: none */
    bool body;
    bool credentials;
};

static void write_url(const struct naive *naive, char out[100])
{
    char fragment[16] = "";
    if (naive->fragment > 0) {
        snprintf(fragment, sizeof(fragment), "#%u", naive->fragment);
    }
    snprintf(out, 100, "%s://%s%s/%u%s", naive->scheme, naive->host, naive->port, naive->path,
             fragment);
}

/* Changes naive as the redirect wants it, and gives the Location that says so. */
static void redirect(struct naive *naive, uint16_t status, enum detour_mode mode, unsigned step,
                     char location[100])
{
    bool absolute = draw(2) == 0;
    naive->path = step; /* no loops here */
    if (absolute) {
        const char *scheme = schemes[draw(2)];
        const char *host = hosts[draw(3)];
        const char *port = ports[draw(2)];
        naive->credentials = naive->credentials && scheme == naive->scheme && host == naive->host &&
                             port == naive->port;
        naive->scheme = scheme;
        naive->host = host;
        naive->port = port;
    }
    unsigned fragment = draw(3);
    naive->fragment = fragment > 0 ? fragment : naive->fragment;
    struct naive said = *naive;
    said.fragment = fragment;
    if (absolute) {
        write_url(&said, location);
    } else if (fragment > 0) {
        snprintf(location, 100, "/x/../%u#%u", step, fragment);
    } else {
        snprintf(location, 100, "%u", step);
    }
    bool post = strcmp(naive->method, "POST") == 0;
    bool head = strcmp(naive->method, "HEAD") == 0;
    if (status == 303) {
        naive->method = head ? "HEAD" : "GET";
        naive->body = false;
    } else if ((status == 301 || status == 302) && post && mode == DETOUR_MODE_BROWSER) {
        naive->method = "GET";
        naive->body = false;
    }
}

static bool text_is(struct detour_text text, const char *want)
{
    return text.len == strlen(want) && memcmp(text.ptr, want, text.len) == 0;
}

static void compare(const struct detour_next *next, const struct naive *naive)
{
    char url[100];
    write_url(naive, url);
    bool secret = false;
    for (size_t i = 0; i < next->request->field_count; i++) {
        secret = secret || text_is(next->request->fields[i].name, "Cookie");
    }
    if (!text_is(next->url->href, url) || !text_is(next->request->method, naive->method) ||
        (next->request->body != DETOUR_BODY_NONE) != naive->body ||
        next->credentials != naive->credentials || secret != naive->credentials) {
        fail_msg("%s %s, body %d, credentials %d: %.*s %.*s, %d, %d", naive->method, url,
                 naive->body, naive->credentials, DETOUR_TEXT_ARG(next->request->method),
                 DETOUR_TEXT_ARG(next->url->href), next->request->body, secret);
    }
}

static void one_chain(struct detour_chain *chain, enum detour_mode mode)
{
    char text[100];
    struct naive naive = {.method = methods[draw(5)],
                          .scheme = schemes[draw(2)],
                          .host = hosts[draw(3)],
                          .port = ports[draw(2)],
                          .path = 999,
                          .fragment = draw(3),
                          .body = draw(2) == 0,
                          .credentials = true};
    struct detour_field cookie = {.name = detour_text_of("Cookie"), .value = detour_text_of("a=b")};
    write_url(&naive, text);
    struct detour_request request = {
        .size = sizeof(request),
        .method = detour_text_of(naive.method),
        .url = detour_text_of(text),
        .fields = &cookie,
        .field_count = 1,
        .body = naive.body ? DETOUR_BODY_REPLAYABLE : DETOUR_BODY_NONE,
    };
    const struct detour_verdict *verdict;
    assert_int_equal(detour_chain_begin(chain, &request, &verdict), DETOUR_OK);
    compare(verdict->next, &naive);
    for (unsigned step = 0; step < hops; step++) {
        uint16_t status = statuses[draw(5)];
        redirect(&naive, status, mode, step, text);
        struct detour_field location = {.name = detour_text_of("Location"),
                                        .value = detour_text_of(text)};
        struct detour_answer answer = {.size = sizeof(answer),
                                       .status = status,
                                       .fields = &location,
                                       .field_count = 1,
                                       .body_begun = true};
        assert_int_equal(detour_chain_answer(chain, &answer, &verdict), DETOUR_OK);
        assert_int_equal(verdict->action, DETOUR_FOLLOW);
        compare(verdict->next, &naive);
    }
}

/* One chain object for all: nothing of an earlier one is left. */
static void run(enum detour_mode mode)
{
    struct detour_options options;
    struct detour_chain *chain;
    detour_options_init(&options, sizeof(options));
    options.mode = mode;
    assert_int_equal(detour_chain_new(&options, &chain), DETOUR_OK);
    for (int i = 0; i < chains; i++) {
        one_chain(chain, mode);
    }
    detour_chain_free(&chain);
}

static void as_a_naive_browser(void **state)
{
    run(DETOUR_MODE_BROWSER);
}

static void as_a_naive_reader_of_the_rfc(void **state)
{
    run(DETOUR_MODE_RFC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_naive_browser),
        cmocka_unit_test(as_a_naive_reader_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
