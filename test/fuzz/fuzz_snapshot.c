/* SPDX-License-Identifier: MIT */
/* A block that was changed: what verify accepts can be read without a fault. The input is
 * up to 64 changes, each of three bytes for the place and one for the value. */
#include "compile/compile.h"
#include "decide/answer.h"
#include "http/h1/parse.h"

#include "../unit/snapshot/everything.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <xxhash.h>

#define NOW_NS INT64_C(1795000000000000000)

enum { changes_max = 64 };

#define HOST "Host: a.shop.example\r\n"
static const char *const heads[] = {
    "GET /r/eu/x?y HTTP/1.1\r\n" HOST "Origin: https://app.example\r\n\r\n",
    "GET /x/42?q HTTP/1.1\r\n" HOST "\r\n",
    "GET /a?q=x HTTP/1.1\r\n" HOST "X-A: bb\r\nCookie: c=d\r\n\r\n",
    "GET /b/c HTTP/1.1\r\n" HOST "\r\n",
    "POST /p/x HTTP/1.1\r\n" HOST "\r\n",
    "GET /h/x HTTP/1.1\r\n" HOST "Cookie: id=7\r\n\r\n",
    "GET /c/d HTTP/1.1\r\n" HOST "Accept: text/html\r\n\r\n",
    "GET /c/d.png HTTP/1.1\r\nHost: shop.example\r\n\r\n",
    "DELETE /nothing HTTP/1.1\r\nHost: other.example\r\n\r\n",
    "OPTIONS /a HTTP/1.1\r\n" HOST
    "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
};

static uint8_t *good;
static size_t good_len;
static struct decide_context context;
static struct server_live live[65536];
static struct answer_scratch scratch;
static struct h1_head head;

static void build(void)
{
    struct arena arena;
    struct problems problems;
    arena_init(&arena, 0);
    problems_init(&problems, &arena, "fuzz.yaml");
    const struct model *model = model_load(span_cstr(everything), NOW_NS, &problems);
    if (model == NULL) {
        problems_print(&problems, stderr);
        abort();
    }
    assert(snapshot_compile(model, NULL, 1, NOW_NS, &good, &good_len) == ERR_NONE);
    arena_fini(&arena);
}

static void ask(const char *text, bool secure)
{
    static struct response response;
    size_t scanned = 0;
    size_t used;
    uint16_t status;
    struct decision decision;
    struct client peer = {.address = {[10] = 0xFF, [11] = 0xFF, [12] = 192, [14] = 2},
                          .secure = secure};
    assert(h1_parse(span_cstr(text), &scanned, &head, &used, &status) == H1_DONE);
    decide(&context, &head.request, &peer, NOW_NS, &decision);
    answer_from_decision(&context, &head.request, &decision, &scratch, &response);
    assert(response.status >= 200 && response.status < 600);
    assert(response.location.len == 0 || response.status >= 300);
}

static void use(const struct snapshot *snapshot)
{
    struct regex_set *regexes = NULL;
    const struct pools_setting setting = {.live = live};
    if (regex_set_new(snapshot, NULL, &regexes) != ERR_NONE) {
        return;
    }
    context.snapshot = snapshot;
    context.regexes = regexes;
    assert(pools_new(snapshot, &setting, NULL, &context.pools) == ERR_NONE);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        ask(heads[i], i % 2 == 0);
        ask(heads[i], i % 2 != 0);
    }
    pools_free(&context.pools);
    regex_set_free(&regexes);
}

static void seal(uint8_t *bytes)
{
    struct snapshot *header = (struct snapshot *)bytes;
    header->header_hash = 0;
    header->header_hash = XXH3_64bits(header, sizeof(*header));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (good == NULL) {
        build();
    }
    uint8_t *bytes = malloc(good_len); /* of its own, so that an overrun is seen */
    assert(bytes != NULL);
    memcpy(bytes, good, good_len);
    for (size_t i = 0; i + 4 <= size && i < changes_max * 4; i += 4) {
        size_t at = (size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2];
        bytes[at % good_len] = data[i + 3];
    }
    seal(bytes);
    const struct snapshot *snapshot = snapshot_verify(span_of(bytes, good_len));
    assert(snapshot != NULL || size >= 4);
    if (snapshot != NULL) {
        use(snapshot);
    }
    free(bytes);
    return 0;
}
