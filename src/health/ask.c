/* SPDX-License-Identifier: MIT */
/* One question over the network, and whether the answer is the one that was hoped for. */
#include "health/internal.h"

#include "base/cidr.h"
#include "base/log.h"

#include <stdio.h>

enum { place_bytes_max = 64 };

/* Where the host is; false: nobody knows. *why_out: NULL when that is not its fault. */
static bool find_host(const struct probe *probe, uint8_t address[16], uint32_t *scope_out,
                      const char **why_out)
{
    const struct health_names *names = &probe->health->names;
    *scope_out = 0;
    *why_out = NULL;
    if (address_parse(probe->target.host, address)) {
        return true;
    }
    enum health_found found = names->find(names->context, probe->target.host, address, scope_out);
    *why_out = found == HEALTH_NOWHERE ? "its name could not be looked up" : NULL;
    return found == HEALTH_FOUND;
}

static void tell(struct question *question, const char *why, int64_t latency_us)
{
    if (question->of_agent) {
        probe_hear_agent(question->probe, (struct span){0}, why);
    } else {
        probe_hear(question->probe, why, latency_us);
    }
}

/* ---- by HTTP ---- */

static const char *judge(const struct probe *probe, const struct fetch_answer *answer, char *room,
                         size_t size)
{
    const struct health_target *target = &probe->target;
    if (answer->error != NULL) {
        return answer->error;
    }
    if (!expect_status(&target->expect, answer->status)) {
        snprintf(room, size, "it answered %ld", answer->status);
        return room;
    }
    if (!expect_body(&target->expect, answer->body)) {
        snprintf(room, size, "its answer does not hold \"%.*s\"",
                 (int)(target->expect.body.len < 80 ? target->expect.body.len : 80),
                 (const char *)target->expect.body.ptr);
        return room;
    }
    return NULL;
}

/* An answer may be an error of its own, with its line as content. */
static void hear_agent(struct probe *probe, const struct fetch_answer *answer)
{
    char why[64];
    if (answer->error != NULL) {
        probe_hear_agent(probe, (struct span){0}, answer->error);
    } else if (answer->status < 200 || answer->status > 299) {
        snprintf(why, sizeof(why), "it answered %ld", answer->status);
        probe_hear_agent(probe, (struct span){0}, why);
    } else {
        probe_hear_agent(probe, answer->body, NULL);
    }
}

static void on_answer(void *context, const struct fetch_answer *answer)
{
    char room[health_error_bytes];
    struct question *question = context;
    question_answered(question);
    if (question->of_agent) {
        hear_agent(question->probe, answer);
    } else {
        probe_hear(question->probe, judge(question->probe, answer, room, sizeof(room)),
                   answer->latency_us);
    }
}

/* "192.0.2.7:8443", "[2001:db8::1]:443". */
static void put_place(const uint8_t address[16], uint16_t port, char out[place_bytes_max])
{
    char text[address_text_max];
    int len = (int)address_format(address, text);
    const char *format = address_is_v4(address) ? "%.*s:%u" : "[%.*s]:%u";
    snprintf(out, place_bytes_max, format, len, text, (unsigned)port);
}

static enum err ask_by_http(struct question *question, const char *url, const char *place)
{
    const struct probe *probe = question->probe;
    const struct health_target *target = &probe->target;
    bool of_agent = question->of_agent;
    struct fetch_options options = {.url = url,
                                    .method = of_agent ? NULL : target->method,
                                    .fields = &probe->host_field,
                                    .field_count = !of_agent && probe->host_field != NULL,
                                    .user_agent = "detour/" DETOUR_VERSION " (health)",
                                    .connect_to = place,
                                    .timeout_ms = target->timeout_ms,
                                    .body_bytes_max = of_agent ? agent_line_bytes_max
                                                      : target->expect.body.len > 0
                                                          ? expect_read_bytes_max
                                                          : 0,
                                    .fresh = true,
                                    .ca_file = probe->ca_file,
                                    .unverified = target->unverified,
                                    .done = on_answer,
                                    .context = question};
    return fetch_start(probe->health->fetch, &options, &question->fetch);
}

/* ---- by TCP ---- */

static void on_connection(void *context, const struct tcp_answer *answer)
{
    struct question *question = context;
    question_answered(question);
    if (question->of_agent) {
        probe_hear_agent(question->probe, answer->line, answer->error);
    } else {
        probe_hear(question->probe, answer->error, answer->latency_us);
    }
}

static enum err ask_by_tcp(struct question *question, const uint8_t address[16], uint32_t scope)
{
    const struct health_target *target = &question->probe->target;
    struct tcp_options options = {.scope = scope,
                                  .port = question->of_agent ? target->agent_port : target->port,
                                  .timeout_ms = target->timeout_ms,
                                  .wants_line = question->of_agent,
                                  .done = on_connection,
                                  .context = question};
    memcpy(options.address, address, sizeof(options.address));
    return tcp_start(question->probe->health->loop, &options, &question->tcp);
}

/* ---- either ---- */

/* A path on the server is where the server is; another URL is libcurl's to look up. */
static bool is_elsewhere(const struct question *question)
{
    const struct health_target *target = &question->probe->target;
    struct span url = target->agent_url;
    return question->of_agent && url.len > 0 &&
           !(span_starts(url, target->url) && url.len > target->url.len &&
             url.ptr[target->url.len] == '/');
}

bool ask_begin(struct question *question)
{
    const struct probe *probe = question->probe;
    const struct health_target *target = &probe->target;
    uint8_t address[16];
    uint32_t scope;
    char place[place_bytes_max];
    const char *why;
    enum err err;
    bool by_agent_url = question->of_agent && target->agent_url.len > 0;
    const char *url = by_agent_url ? (const char *)target->agent_url.ptr : probe->question;
    if (is_elsewhere(question)) {
        err = ask_by_http(question, url, NULL);
    } else if (!find_host(probe, address, &scope, &why)) {
        if (why != NULL) {
            tell(question, why, 0);
        }
        return false;
    } else if (!by_agent_url && (question->of_agent || target->type == HEALTH_TCP)) {
        err = ask_by_tcp(question, address, scope);
    } else {
        put_place(address, target->port, place);
        err = ask_by_http(question, url, place);
    }
    if (err != ERR_NONE) {
        log_error("cannot probe %.*s: %s", SPAN_ARG(target->name), err_text(err));
    }
    return err == ERR_NONE;
}
