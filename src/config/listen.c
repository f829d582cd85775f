/* SPDX-License-Identifier: MIT */
/* listen: addresses, and what is answered on each of them. */
#include "config/listen.h"

#include "config/read.h"

enum listen_key {
    LISTEN_ADDRESS,
    LISTEN_PROXY,
    LISTEN_ANSWER,
    LISTEN_ORIGINAL,
    LISTEN_PASS,
    LISTEN_DETOUR,
    LISTEN_KEYS
};
static const char *const listen_keys[LISTEN_KEYS] = {"address",  "proxy_protocol", "answer",
                                                     "original", "pass_status",    "detour_status"};

static const char default_listener[] = "http://127.0.0.1:8307";

bool parse_listener(struct load *load, const struct node *node, struct listener *out)
{
    const char *reason = "it is not understood";
    if (node->kind != NODE_SCALAR || node->text.len == 0) {
        return read_refuse(load, node, "an address like http://0.0.0.0:8307");
    }
    if (listener_parse(node->text, out, &reason) != ERR_NONE) {
        problems_error(load->problems, node->place, "cannot listen on \"%.*s\": %s",
                       SHOW(node->text), reason);
        return false;
    }
    return true;
}

static bool read_answer(struct load *load, const struct node *node, bool *decision)
{
    *decision = node_is_word(node, "decision");
    return *decision || node_is_word(node, "request") ||
           read_refuse(load, node, "`request` (the default) or `decision`");
}

/* Names as they are sent, so that they can be compared with the proxy's own file. */
static bool read_original(struct load *load, const struct node *node, uint8_t *out)
{
    static const struct {
        const char *name;
        enum listener_original original;
    } forms[] = {{"X-Forwarded-Uri", LISTENER_ORIGINAL_FORWARDED},
                 {"X-Original-URL", LISTENER_ORIGINAL_URL},
                 {"path", LISTENER_ORIGINAL_PATH}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        if (node->kind == NODE_SCALAR && span_eq_ci(node->text, span_cstr(forms[i].name))) {
            *out = (uint8_t)forms[i].original;
            return true;
        }
    }
    return read_refuse(load, node, "X-Forwarded-Uri, X-Original-URL or path");
}

/* A 3xx would need a Location, and a 1xx is no answer. */
static bool read_pass_status(struct load *load, const struct node *node, uint16_t *out)
{
    uint64_t value;
    if (!read_integer(load, node, 200, 599, &value)) {
        return false;
    }
    if (value >= 300 && value < 400) {
        return read_refuse(load, node,
                           "a status that is no redirect, like 204 (the default), 200 or 418");
    }
    *out = (uint16_t)value;
    return true;
}

static bool read_detour_status(struct load *load, const struct node *node, uint16_t *out)
{
    uint64_t value;
    if (!read_integer(load, node, 400, 599, &value)) {
        return false;
    }
    *out = (uint16_t)value;
    return true;
}

/* Who may ask is who may say for whom: without a list of them, a client could. */
static bool check_decision(struct load *load, const struct node *const at[LISTEN_KEYS],
                           const struct node *proxies, const struct listener_answer *answer)
{
    bool good = true;
    if (!answer->decision) {
        for (enum listen_key key = LISTEN_ORIGINAL; key < LISTEN_KEYS; key++) {
            if (at[key] != NULL && key != LISTEN_PASS) {
                problems_error(load->problems, at[key]->key->place,
                               "`%s` belongs to a listener with `answer: decision`; say that, or "
                               "take `%s` out",
                               listen_keys[key], listen_keys[key]);
                good = false;
            }
        }
        return good;
    }
    if (proxies == NULL || list_count(proxies) == 0) {
        problems_error(load->problems, at[LISTEN_ANSWER]->place,
                       "`answer: decision` needs to know whom to believe; add `trusted_proxies: "
                       "[127.0.0.1]` with the addresses of the proxies that ask");
        good = false;
    }
    if (answer->detour_status != 0 &&
        answer->detour_status == (answer->pass_status != 0 ? answer->pass_status : 204)) {
        problems_error(load->problems, at[LISTEN_DETOUR]->place,
                       "`detour_status` and `pass_status` are the same, so the proxy could not "
                       "tell what to do; give them different ones");
        good = false;
    }
    if (answer->original == LISTENER_ORIGINAL_ANY) {
        problems_warning(load->problems, at[LISTEN_ANSWER]->place,
                         "say where this proxy writes the original request: `original: "
                         "X-Forwarded-Uri`, `original: X-Original-URL` or `original: path`; "
                         "without it a question that has two of them is refused");
    }
    return good;
}

static bool read_listener_map(struct load *load, const struct node *node,
                              const struct node *proxies, struct listener *out)
{
    const struct node *at[LISTEN_KEYS];
    struct listener_answer answer = {0};
    bool proxy = false;
    if (!read_map(load, node, "a listener", listen_keys, LISTEN_KEYS, at)) {
        return false;
    }
    if (at[LISTEN_ADDRESS] == NULL) {
        problems_error(load->problems, node->place,
                       "a listener needs an `address`, like `address: http://0.0.0.0:8307`");
        return false;
    }
    bool good = at[LISTEN_PROXY] == NULL || read_bool(load, at[LISTEN_PROXY], &proxy);
    good = (at[LISTEN_ANSWER] == NULL || read_answer(load, at[LISTEN_ANSWER], &answer.decision)) &&
           good;
    good = (at[LISTEN_ORIGINAL] == NULL ||
            read_original(load, at[LISTEN_ORIGINAL], &answer.original)) &&
           good;
    good =
        (at[LISTEN_PASS] == NULL || read_pass_status(load, at[LISTEN_PASS], &answer.pass_status)) &&
        good;
    good = (at[LISTEN_DETOUR] == NULL ||
            read_detour_status(load, at[LISTEN_DETOUR], &answer.detour_status)) &&
           good;
    good = parse_listener(load, at[LISTEN_ADDRESS], out) && good;
    good = good && check_decision(load, at, proxies, &answer);
    out->proxy_protocol = proxy;
    out->answer = answer;
    return good;
}

static bool listener_is_new(struct load *load, const struct node *node,
                            const struct listener *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (listener_same_address(&items[i], &items[count])) {
            problems_error(load->problems, node->place,
                           "the address %s stands twice under `listen`; keep one", items[i].text);
            return false;
        }
    }
    return true;
}

static bool default_listen(struct load *load, struct listener *items)
{
    const char *reason;
    if (listener_parse(span_cstr(default_listener), &items[0], &reason) != ERR_NONE) {
        return false;
    }
    load->model->listeners = items;
    load->model->listener_count = 1;
    return true;
}

bool read_listen(struct load *load, const struct node *node, const struct node *proxies)
{
    bool good = true;
    size_t count = 0;
    size_t wanted = list_count(node);
    if (wanted > listeners_max) {
        return read_refuse(load, node, "a list of at most 64 addresses");
    }
    struct listener *items = load_alloc(load, wanted + 1, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    if (wanted == 0) {
        return default_listen(load, items);
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        bool read = item->kind == NODE_MAP ? read_listener_map(load, item, proxies, &items[count])
                                           : parse_listener(load, item, &items[count]);
        if (read && listener_is_new(load, item, items, count)) {
            count++;
        } else {
            good = false;
        }
    }
    load->model->listeners = items;
    load->model->listener_count = count;
    return good;
}
