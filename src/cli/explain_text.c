/* SPDX-License-Identifier: MIT */
/* An explanation to be read. */
#include "cli/explain.h"

#include "config/time.h"
#include "http/status.h"

#include <stdio.h>

/* A configuration may hold anything; a terminal must not obey it. */
static void put(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x20 || c == 0x7F) {
            printf("\\x%02x", c);
        } else {
            putchar(c);
        }
    }
}

static void put_line(const char *label, struct span text)
{
    if (text.len > 0) {
        fputs(label, stdout);
        put(text);
        putchar('\n');
    }
}

static void print_request(const struct explanation *e)
{
    char address[address_text_max];
    size_t len = address_format(e->run.decision.client.address, address);
    printf("%s ", e->options.method);
    put(e->request.shown);
    printf("\n  client: %.*s%s\n", (int)len, address,
           e->run.decision.client.secure ? ", encrypted" : "");
    if (e->options.at_given) {
        char text[time_text_max];
        printf("  at: %s\n", time_format(e->options.at_ns, text));
    }
    if (e->run.decision.site != SNAP_NONE) {
        const struct snap_site *site = snapshot_site(e->snapshot, e->run.decision.site);
        put_line("  site: ", snapshot_text(e->snapshot, site->name));
    }
    if (!span_eq(e->run.trace.path.norm, e->request.head.request.path)) {
        put_line("  path, as it is matched: ", e->run.trace.path.norm);
    }
}

struct span explain_origin_name(const struct explanation *e, const struct decision *decision)
{
    return snapshot_text(e->snapshot, snapshot_origin(e->snapshot, decision->origin)->name);
}

/* "the origin shop, http://10.0.0.5:8080" */
static void put_origin(const struct explanation *e, const struct decision *decision)
{
    const struct snap_origin *origin = snapshot_origin(e->snapshot, decision->origin);
    struct span name = snapshot_text(e->snapshot, origin->name);
    struct span url = snapshot_text(e->snapshot, origin->url);
    fputs("the origin ", stdout);
    put(name);
    if (!span_eq(name, url)) {
        fputs(", ", stdout);
        put(url);
    }
}

static void print_passed(const struct explanation *e)
{
    fputs("\npassed to ", stdout);
    put_origin(e, &e->run.decision);
    printf(" (line %u), whose answer is the answer\n",
           snapshot_origin(e->snapshot, e->run.decision.origin)->line);
}

static void print_ticket(const struct explanation *e)
{
    const struct snap_pool *pool = explain_ticket(e);
    if (pool != NULL) {
        fputs("  ... with a signed ticket, ", stdout);
        put(snapshot_text(e->snapshot, pool->sign_param));
        printf("=..., good for %u s\n", pool->sign_ttl_s);
    }
}

static void print_answer(const struct explanation *e)
{
    const struct response *response = &e->response;
    if (e->run.decision.origin != SNAP_NONE) {
        print_passed(e);
        return;
    }
    printf("\n%u ", response->status);
    put(status_reason(response->status));
    putchar('\n');
    put_line("  Location: ", response->location);
    print_ticket(e);
    for (size_t i = 0; i < response->field_count; i++) {
        fputs("  ", stdout);
        put(response->fields[i].name);
        put_line(": ", response->fields[i].value);
    }
    if (response->content_type.len > 0) {
        fputs("  Content-Type: ", stdout);
        put(response->content_type);
        printf(" (%zu bytes)\n", response->body.len);
    }
    if (e->run.decision.json) { /* it is what a Location would be */
        printf("\n%.*s", SPAN_ARG(response->body));
    }
}

static void print_rule(const struct explain_rule *rule)
{
    put(rule->identity);
    printf(" (line %u", rule->line);
    if (rule->source.len > 0) {
        fputs(", ", stdout);
        put(rule->source);
    }
    putchar(')');
}

static void print_winner(const struct explanation *e, const struct explain_rule *rules,
                         size_t count)
{
    fputs("\nwhy: ", stdout);
    put(reason_text(e->run.decision.reason));
    putchar('\n');
    for (size_t i = 0; i < count; i++) {
        if (rules[i].won) {
            fputs("  rule: ", stdout);
            print_rule(&rules[i]);
            putchar('\n');
            put_line("  window: ", rules[i].window);
            put_line("  link: ", rules[i].link);
            put_line("  reason: ", rules[i].reason);
            put_line("  owner: ", rules[i].owner);
        }
    }
    if (e->run.decision.server != SNAP_NONE) {
        const struct snap_server *server = snapshot_server(e->snapshot, e->run.decision.server);
        fputs("  server: ", stdout);
        put(snapshot_text(e->snapshot, server->identity));
        printf(" (line %u)\n", server->line);
    }
}

/* What the detour covers. */
static void print_bare(const struct explanation *e, const struct explain_rule *rules, size_t count)
{
    const struct decision *bare = &e->bare.decision;
    fputs("  without detours: ", stdout);
    put(reason_text(bare->reason));
    for (size_t i = 0; i < count; i++) {
        if (rules[i].bare) {
            fputs(", ", stdout);
            print_rule(&rules[i]);
        }
    }
    if (bare->origin != SNAP_NONE) {
        fputs(": passed to ", stdout);
        put_origin(e, bare);
    } else {
        printf(": %u", bare->status);
    }
    put_line(" ", bare->location);
    if (bare->location.len == 0) {
        putchar('\n');
    }
}

static void print_losers(const struct explain_rule *rules, size_t count)
{
    const char *heading = "\nwhy no other:\n";
    for (size_t i = 0; i < count; i++) {
        if (!rules[i].won) {
            printf("%s  ", heading);
            print_rule(&rules[i]);
            put_line(": ", rules[i].why);
            heading = "";
        }
    }
}

static void print_servers(const struct explanation *e)
{
    size_t count;
    const struct explain_server *servers = explain_servers(e, &count);
    const char *heading = "\nwhy no other server:\n";
    for (size_t i = 0; i < count; i++) {
        if (servers[i].chosen) {
            continue;
        }
        printf("%s  ", heading);
        heading = "";
        put(servers[i].identity);
        printf(" (line %u", servers[i].line);
        if (servers[i].km >= 0) {
            printf(", %.0f km away", servers[i].km);
        }
        fputs("): ", stdout);
        put(servers[i].why);
        if (servers[i].alternative != 0) {
            printf("; named as alternative, with priority %u", servers[i].alternative);
        }
        putchar('\n');
    }
    if (explain_existence(e) && e->run.context.exists.facts == NULL) {
        puts("\nthe pool requires that a server has this; each of them is taken to have it");
    }
}

int explain_print_text(const struct explanation *e)
{
    size_t count;
    const struct explain_rule *rules = explain_rules(e, &count);
    if (rules == NULL) {
        return complain("explain", "out of memory");
    }
    print_request(e);
    print_answer(e);
    print_winner(e, rules, count);
    if (e->detoured) {
        print_bare(e, rules, count);
    }
    print_servers(e);
    print_losers(rules, count);
    return exit_ok;
}
