/* SPDX-License-Identifier: MIT */
/* The words of an agent. */
#include "health/agent.h"

struct agent agent_silent(void)
{
    return (struct agent){.wanted = SERVER_UP, .weight_ppm = server_weight_ppm_full};
}

struct agent agent_from_word(uint64_t word)
{
    enum server_state state = server_word_state(word);
    return (struct agent){.down = state == SERVER_DOWN,
                          .wanted = state == SERVER_DOWN ? SERVER_UP : state,
                          .weight_ppm = server_word_weight_ppm(word)};
}

enum server_state agent_state(const struct agent *agent)
{
    if (agent->wanted == SERVER_MAINT) {
        return SERVER_MAINT;
    }
    return agent->down ? SERVER_DOWN : agent->wanted;
}

static bool is_apart(uint8_t c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* "75%", and "7.5%" as little as HAProxy: digits alone. */
static bool read_percent(struct span word, uint32_t *ppm_out)
{
    uint32_t percent = 0;
    if (word.len < 2 || word.ptr[word.len - 1] != '%') {
        return false;
    }
    for (size_t i = 0; i + 1 < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9') {
            return false;
        }
        percent = percent * 10 + (word.ptr[i] - '0');
        percent = percent > 100 ? 100 : percent;
    }
    *ppm_out = percent * (server_weight_ppm_full / 100);
    return true;
}

static bool is_maxconn(struct span word)
{
    static const struct span name = {(const uint8_t *)"maxconn:", 8};
    bool good = word.len > name.len && span_eq_ci(span_slice(word, 0, name.len), name);
    for (size_t i = name.len; i < word.len; i++) {
        good = good && word.ptr[i] >= '0' && word.ptr[i] <= '9';
    }
    return good;
}

static bool hear_word(struct agent *agent, struct span word)
{
    static const char *const failures[] = {"down", "failed", "fail", "stopped"};
    static const struct {
        const char *word;
        enum server_state state;
    } wishes[] = {{"ready", SERVER_UP}, {"drain", SERVER_DRAIN}, {"maint", SERVER_MAINT}};
    if (read_percent(word, &agent->weight_ppm) || is_maxconn(word)) {
        return true;
    }
    if (span_eq_ci(word, SPAN("up"))) {
        agent->down = false;
        return true;
    }
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (span_eq_ci(word, span_cstr(failures[i]))) {
            agent->down = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        if (span_eq_ci(word, span_cstr(wishes[i].word))) {
            agent->wanted = wishes[i].state;
            return true;
        }
    }
    return false;
}

static struct span first_line(struct span text)
{
    size_t end = 0;
    while (end < text.len && text.ptr[end] != '\r' && text.ptr[end] != '\n' && text.ptr[end] != 0) {
        end++;
    }
    return span_slice(text, 0, end);
}

static struct span trim(struct span text)
{
    while (text.len > 0 && is_apart(text.ptr[0])) {
        text = span_from(text, 1);
    }
    while (text.len > 0 && is_apart(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

enum err agent_hear(struct agent *agent, struct span line, struct span *remark_out)
{
    struct agent heard = *agent;
    struct span text = first_line(line);
    size_t hash = span_find(text, 0, '#');
    struct span rest = trim(span_slice(text, 0, hash));
    if (rest.len == 0) {
        return ERR_SYNTAX;
    }
    while (rest.len > 0) {
        size_t end = 0;
        while (end < rest.len && !is_apart(rest.ptr[end])) {
            end++;
        }
        if (!hear_word(&heard, span_slice(rest, 0, end))) {
            return ERR_SYNTAX;
        }
        rest = trim(span_from(rest, end));
    }
    struct span remark = hash < text.len ? trim(span_from(text, hash + 1)) : (struct span){0};
    remark.len = remark.len > agent_remark_bytes_max ? agent_remark_bytes_max : remark.len;
    *agent = heard;
    *remark_out = remark;
    return ERR_NONE;
}
