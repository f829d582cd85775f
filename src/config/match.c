/* SPDX-License-Identifier: MIT */
/* What a rule matches: pattern or prefix, and the conditions. */
#include "config/rule.h"

#include "http/field.h"
#include "http/method.h"

/* `{slug}` is how templates write a variable; in a pattern it is the text "slug". */
static void warn_of_braces(struct load *load, const struct node *node)
{
    struct span text = node->text;
    size_t open = span_find(text, 0, '{');
    while (open < text.len) {
        size_t close = open + 1;
        while (close < text.len && (text.ptr[close] == '_' || ascii_is_alpha(text.ptr[close]) ||
                                    ascii_is_digit(text.ptr[close]))) {
            close++;
        }
        bool word = close > open + 1 && close < text.len && text.ptr[close] == '}';
        bool modified = close + 1 < text.len && memchr("?*+", text.ptr[close + 1], 3) != NULL;
        if (word && !modified) {
            struct span name = span_slice(text, open + 1, close);
            problems_warning(
                load->problems, node_place_at(node, open),
                "{%.*s} in a pattern is the text \"%.*s\"; a variable is written :%.*s", SHOW(name),
                SHOW(name), SHOW(name));
        }
        open = span_find(text, open + 1, '{');
    }
}

bool read_pattern(struct load *load, const struct node *node, enum pattern_kind kind,
                  const struct pattern **out)
{
    struct pattern_error error = {0};
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node, "a pattern");
    }
    struct span text = node->text;
    if (text.len == 0 || text.len > pattern_bytes_max) {
        return read_refuse(load, node, "a pattern of 1 to 4096 bytes");
    }
    if (kind == PATTERN_PATH && memchr("/*{(", text.ptr[0], 4) == NULL) {
        problems_error(load->problems, node->place,
                       "the pattern \"%.*s\" can match no path, since paths begin with '/'; write "
                       "\"/%.*s\"",
                       SHOW(text), SHOW(text));
        return false;
    }
    enum err err = pattern_compile(kind, text, load->arena, out, &error);
    if (err == ERR_MEMORY) {
        load->no_memory = true;
        return false;
    }
    if (err != ERR_NONE) {
        problems_error(load->problems, node_place_at(node, error.offset),
                       "the pattern \"%.*s\" is not valid: %s", SHOW(text),
                       error.reason[0] != 0 ? error.reason : err_text(err));
        return false;
    }
    if (kind == PATTERN_PATH) {
        warn_of_braces(load, node);
    }
    return check_captures(load, node, *out);
}

static bool prefix_is_plain(struct load *load, const struct node *node)
{
    struct span text = node->text;
    if (text.len == 0 || text.ptr[0] != '/') {
        return read_refuse(load, node, "a path that begins with '/'");
    }
    if (memchr(text.ptr, '*', text.len) != NULL) {
        problems_error(load->problems, node->place,
                       "`path_prefix` is taken literally and already covers what lies below; take "
                       "the `*` away, or write a pattern as `path`");
        return false;
    }
    if (memchr(text.ptr, '?', text.len) != NULL || memchr(text.ptr, '#', text.len) != NULL) {
        problems_error(load->problems, node->place,
                       "`path_prefix` is a path alone; a condition on the query stands under "
                       "`query:`");
        return false;
    }
    for (size_t i = 0; i + 2 < text.len; i++) {
        if (text.ptr[i] == '/' && text.ptr[i + 1] == ':') {
            problems_warning(load->problems, node_place_at(node, i),
                             "`path_prefix` is taken literally, and so is the `:` here; a pattern "
                             "stands under `path`");
            break;
        }
    }
    return true;
}

bool read_prefix(struct load *load, const struct node *node, struct span *out)
{
    struct path path;
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node, "a path that begins with '/'");
    }
    if (!prefix_is_plain(load, node)) {
        return false;
    }
    if (node->text.len > pattern_bytes_max ||
        path_normalise(node->text, load->path_scratch, &path) != ERR_NONE) {
        return read_refuse(load, node, "a path of at most 4096 bytes");
    }
    struct span norm = path.norm;
    while (norm.len > 0 && norm.ptr[norm.len - 1] == '/') {
        norm.len--;
    }
    *out = load_copy(load, norm);
    return true;
}

/* ---- conditions ---- */

static bool method_unknown(struct load *load, const struct node *node)
{
    char upper[32];
    if (node->text.len < sizeof(upper)) {
        for (size_t i = 0; i < node->text.len; i++) {
            uint8_t c = node->text.ptr[i];
            upper[i] = (char)((uint8_t)(c - 'a') < 26 ? c & ~0x20 : c);
        }
        struct span name = span_of(upper, node->text.len);
        if (!span_eq(name, node->text) && method_find(name) != METHOD_OTHER) {
            problems_error(load->problems, node->place,
                           "methods are written in capitals: %.*s, not %.*s", SPAN_ARG(name),
                           SHOW(node->text));
            return true;
        }
    }
    return false;
}

/* A list that was emptied must not turn a rule for a few into one for all. */
static bool holds_any(struct load *load, const struct node *node)
{
    if (list_count(node) > 0) {
        return true;
    }
    problems_error(load->problems, node->place,
                   "`%.*s` is empty, and a rule without it holds for all; fill it, or take it away",
                   SHOW(node->key->text));
    return false;
}

static bool read_methods(struct load *load, const struct node *node, struct model_conditions *out)
{
    bool good = true;
    out->methods_other = load_alloc(load, list_count(node), sizeof(*out->methods_other));
    if (out->methods_other == NULL) {
        return false;
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        if (item->kind != NODE_SCALAR || !token_valid(item->text)) {
            good = read_refuse(load, item, "a method like GET or a list of them");
            continue;
        }
        enum method method = method_find(item->text);
        out->methods |= UINT32_C(1) << method;
        if (method == METHOD_OTHER) {
            if (method_unknown(load, item)) {
                good = false;
                continue;
            }
            out->methods_other[out->methods_other_count++] = load_copy(load, item->text);
        }
    }
    return good;
}

typedef bool (*name_check_fn)(struct span name);

static bool any_name(struct span name)
{
    return name.len > 0 && memchr(name.ptr, 0, name.len) == NULL;
}

static bool read_test(struct load *load, const struct node *node, name_check_fn check,
                      struct model_test *out)
{
    bool present;
    if (!check(node->key->text)) {
        problems_error(load->problems, node->key->place, "\"%.*s\" cannot be a name here",
                       SHOW(node->key->text));
        return false;
    }
    *out = (struct model_test){.name = load_copy(load, node->key->text)};
    bool boolean = node->kind == NODE_SCALAR && node->plain &&
                   (span_eq_ci(node->text, SPAN("true")) || span_eq_ci(node->text, SPAN("false")));
    if (boolean && read_bool(load, node, &present)) {
        out->kind = present ? TEST_PRESENT : TEST_ABSENT;
        return true;
    }
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node,
                           "a text (with `*` for anything), true for present, false for absent");
    }
    out->kind = TEST_EQUAL;
    out->glob = memchr(node->text.ptr, '*', node->text.len) != NULL;
    return read_text(load, node, &out->value);
}

static bool read_tests(struct load *load, const struct node *node, name_check_fn check,
                       struct model_tests *out)
{
    bool good = true;
    if (node->kind != NODE_MAP) {
        return read_refuse(load, node, "a map like `name: value`");
    }
    if (node->count > tests_max) {
        return read_refuse(load, node, "a map of at most 64 names");
    }
    struct model_test *items = load_alloc(load, node->count, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    size_t count = 0;
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        if (read_test(load, item, check, &items[count])) {
            count++;
        } else {
            good = false;
        }
    }
    *out = (struct model_tests){.items = items, .count = count};
    return good;
}

static bool read_clients(struct load *load, const struct node *node, struct model_conditions *out)
{
    if (load->clients_place.line == 0) {
        load->clients_place = node->place;
    }
    return read_cidrs(load, node, &out->clients, &out->client_count);
}

enum when_key { WHEN_METHODS, WHEN_HEADERS, WHEN_COOKIES, WHEN_QUERY, WHEN_CLIENTS, WHEN_KEYS };
static const char *const when_keys[WHEN_KEYS] = {"methods", "headers", "cookies", "query",
                                                 "clients"};

/* The value of one condition, which may stand in the rule or under `when`. */
static const struct node *either(struct load *load, const struct node *here,
                                 const struct node *there, bool *good)
{
    if (here != NULL && there != NULL) {
        problems_error(load->problems, there->key->place,
                       "`%.*s` stands both here and in line %u; keep one of them",
                       SHOW(there->key->text), here->key->place.line);
        *good = false;
    }
    return here != NULL ? here : there;
}

bool read_conditions(struct load *load, const struct node *const *at, struct model_conditions *out)
{
    const struct node *when[WHEN_KEYS] = {0};
    bool good =
        at[KEY_WHEN] == NULL || read_map(load, at[KEY_WHEN], "`when`", when_keys, WHEN_KEYS, when);
    const struct node *query = node_is(at[KEY_QUERY], NODE_MAP) ? at[KEY_QUERY] : NULL;
    const struct node *methods = either(load, at[KEY_METHODS], when[WHEN_METHODS], &good);
    const struct node *cookies = either(load, at[KEY_COOKIES], when[WHEN_COOKIES], &good);
    const struct node *clients = either(load, at[KEY_CLIENTS], when[WHEN_CLIENTS], &good);
    query = either(load, query, when[WHEN_QUERY], &good);
    good =
        (methods == NULL || (holds_any(load, methods) && read_methods(load, methods, out))) && good;
    good = (cookies == NULL || read_tests(load, cookies, token_valid, &out->cookies)) && good;
    good =
        (clients == NULL || (holds_any(load, clients) && read_clients(load, clients, out))) && good;
    good = (query == NULL || read_tests(load, query, any_name, &out->query)) && good;
    if (when[WHEN_HEADERS] != NULL) {
        good = read_tests(load, when[WHEN_HEADERS], token_valid, &out->headers) && good;
    }
    return good;
}
