/* SPDX-License-Identifier: MIT */
/* What a decision costs in front of a pool with `require: exists`.
 *
 *   exists WHO SERVERS PATHS DECISIONS      prints nanoseconds of CPU for a decision
 *
 * WHO is known to have what is asked for: all of the servers, one of them, or nobody; free: nothing
 * is required. */
#include "compile/compile.h"
#include "cpu.h"
#include "decide/decide.h"
#include "http/h1/parse.h"

#include <stdio.h>
#include <stdlib.h>

enum { servers_max_here = 1000, yaml_bytes_max = 1 << 18 };

static struct server_live live[servers_max_here];
static uint32_t given;

static uint32_t rule_slot(void *context, struct span identity)
{
    return 0;
}

static uint32_t server_slot(void *context, struct span identity)
{
    atomic_store(&live[given].word, server_live_word(SERVER_UP, server_weight_ppm_full));
    return given++;
}

static const struct snapshot *compile(bool required, unsigned servers)
{
    static char yaml[yaml_bytes_max];
    static struct arena arena;
    struct problems problems;
    struct compile_slots slots = {.rule = rule_slot, .server = server_slot};
    uint8_t *bytes;
    size_t len;
    int used = snprintf(yaml, sizeof(yaml),
                        "sites: [{hosts: a.example, routes: [{path: '/*', pool: p}]}]\n"
                        "pools:\n  p:\n    health: off\n%s    servers:\n",
                        required ? "    require: exists\n" : "");
    for (unsigned i = 0; i < servers; i++) {
        used += snprintf(yaml + used, sizeof(yaml) - (size_t)used,
                         "      - {name: s%u, url: 'https://s%u.example', weight: %u}\n", i, i,
                         1 + i % 7);
    }
    arena_init(&arena, 0);
    problems_init(&problems, &arena, "bench.yaml");
    const struct model *model = model_load(span_cstr(yaml), 0, &problems);
    if (model == NULL || snapshot_compile(model, &slots, 1, 0, &bytes, &len) != ERR_NONE) {
        problems_print(&problems, stderr);
        exit(1);
    }
    return snapshot_open(span_of(bytes, len));
}

/* Ever other paths of one length. */
static void set_path(char *text, unsigned number)
{
    for (int i = 0; i < 6; i++, number /= 10) {
        text[i] = (char)('0' + number % 10);
    }
}

static void learn(struct decide_exists *exists, const struct snapshot *snapshot,
                  struct facts *facts, const char *who, unsigned paths)
{
    char path[] = "/pub/000000/file.iso";
    uint32_t known = strcmp(who, "all") == 0 ? snapshot->servers.count : strcmp(who, "one") == 0;
    for (unsigned i = 0; i < paths; i++) {
        set_path(path + 5, i);
        uint64_t hash = facts_path(facts, span_cstr(path));
        for (uint32_t k = 0; k < known; k++) {
            uint32_t server = (i * 7 + k) % snapshot->servers.count;
            facts_set(facts, facts_key(hash, snapshot_server(snapshot, server)->exists_key),
                      FACT_YES, exists->now_s, 600);
        }
    }
}

static double measure(struct decide_context *context, unsigned paths, uint64_t decisions)
{
    char text[] = "GET /pub/000000/file.iso HTTP/1.1\r\nHost: a.example\r\n\r\n";
    static struct h1_head head;
    struct client peer = {.port = 1};
    uint64_t sum = 0;
    int64_t began = cpu_ns();
    for (uint64_t i = 0; i < decisions; i++) {
        size_t scanned = 0;
        size_t used;
        uint16_t status;
        struct decision decision;
        set_path(text + 9, (unsigned)(i * 7919 % paths));
        if (h1_parse(span_cstr(text), &scanned, &head, &used, &status) != H1_DONE) {
            exit(1);
        }
        context->exists.ask_count = 0;
        decide(context, &head.request, &peer, 0, &decision);
        sum += decision.status;
    }
    int64_t took = cpu_ns() - began;
    return sum == 1 ? 0 : (double)took / (double)decisions;
}

int main(int argc, char **argv)
{
    static struct decide_context context;
    static _Atomic uint64_t epoch;
    struct facts *facts;
    int fd;
    if (argc != 5 || atoi(argv[2]) < 1 || atoi(argv[2]) > servers_max_here || atoi(argv[3]) < 1) {
        fprintf(stderr, "usage: exists WHO SERVERS PATHS DECISIONS\n");
        return 2;
    }
    bool required = strcmp(argv[1], "free") != 0;
    unsigned paths = (unsigned)atoi(argv[3]);
    uint64_t decisions = strtoull(argv[4], NULL, 10);
    struct regex_set *regexes;
    const struct pools_setting setting = {.live = live, .epoch = &epoch};
    context.snapshot = compile(required, (unsigned)atoi(argv[2]));
    if (facts_create(&fd) != ERR_NONE || facts_open(fd, true, &facts) != ERR_NONE ||
        regex_set_new(context.snapshot, NULL, &regexes) != ERR_NONE ||
        pools_new(context.snapshot, &setting, NULL, &context.pools) != ERR_NONE) {
        return 1;
    }
    context.regexes = regexes;
    context.exists.facts = facts;
    context.exists.now_s = 1000;
    learn(&context.exists, context.snapshot, facts, argv[1], paths);
    measure(&context, paths, decisions / 4);
    printf("%.1f\n", measure(&context, paths, decisions));
    return 0;
}
