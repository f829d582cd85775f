/* SPDX-License-Identifier: MIT */
/* Where a rule may point: templates, their variables, the labels of an authority, and
 * allowed_targets. */
#include "config/rule.h"

#include "uri/host.h"
#include "uri/location.h"
#include "uri/url.h"

static const char *const builtins[] = {"scheme", "host", "port", "path", "query", "method"};
enum { builtin_count = sizeof(builtins) / sizeof(builtins[0]) };

bool variable_is_builtin(struct span name)
{
    for (size_t i = 0; i < builtin_count; i++) {
        if (span_eq(name, span_cstr(builtins[i]))) {
            return true;
        }
    }
    return false;
}

/* RFC 6570, 2.3, without its escapes and dots, which no pattern can hold. */
static bool name_is_spellable(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '_') {
            return false;
        }
    }
    return name.len > 0;
}

bool check_captures(struct load *load, const struct node *node, const struct pattern *pattern)
{
    bool good = true;
    for (size_t i = 0; i < pattern_group_count(pattern); i++) {
        struct span name = pattern_group_name(pattern, i);
        if (variable_is_builtin(name)) {
            problems_error(load->problems, node->place,
                           "the capture `:%.*s` hides the variable of that name; call it "
                           "otherwise, `:%.*s_part` for example",
                           SHOW(name), SHOW(name));
            good = false;
        } else if (!name_is_spellable(name)) {
            problems_error(load->problems, node->place,
                           "the capture `:%.*s` cannot be written in a target, where names are "
                           "letters, digits and '_' (RFC 6570); call it otherwise",
                           SHOW(name));
            good = false;
        }
    }
    return good;
}

/* ---- origins ---- */

static struct origin origin_from_url(const struct url *url)
{
    return (struct origin){.scheme = url->scheme, .host = url->host, .port = url->port};
}

enum err origin_of(struct span text, struct arena *arena, struct origin *out)
{
    struct url url;
    enum err err = url_parse(text, NULL, arena, &url);
    if (err != ERR_NONE) {
        return err;
    }
    bool web = span_eq(url.scheme, SPAN("http")) || span_eq(url.scheme, SPAN("https"));
    if (!web || url.host.len == 0) {
        return ERR_SYNTAX;
    }
    *out = origin_from_url(&url);
    return ERR_NONE;
}

static bool origin_holds(const struct origin *allowed, const struct origin *origin)
{
    if (!span_eq(allowed->scheme, origin->scheme) || allowed->port != origin->port) {
        return false;
    }
    if (!allowed->wildcard) {
        return span_eq(allowed->host, origin->host);
    }
    size_t len = allowed->host.len;
    return origin->host.len > len + 1 && span_ends(origin->host, allowed->host) &&
           origin->host.ptr[origin->host.len - len - 1] == '.';
}

bool target_allowed(struct load *load, struct place place, const struct origin *origin)
{
    if (!load->allowed_given) {
        return true;
    }
    for (size_t i = 0; i < load->allowed_count; i++) {
        if (origin_holds(&load->allowed[i], origin)) {
            return true;
        }
    }
    char port[16] = "";
    if (origin->port >= 0) {
        snprintf(port, sizeof(port), ":%d", (int)origin->port);
    }
    problems_error(load->problems, place,
                   "the target %.*s://%.*s%s is not one of `allowed_targets`; add it there, or "
                   "point elsewhere",
                   SHOW(origin->scheme), SHOW(origin->host), port);
    return false;
}

/* An origin with an optional port: a scheme, a host that may begin with a star, a port. */
static bool allowed_parse(struct load *load, struct span text, struct origin *out)
{
    struct origin origin = {0};
    size_t skip = span_starts(text, SPAN("https://"))  ? 8
                  : span_starts(text, SPAN("http://")) ? 7
                                                       : 0;
    if (skip == 0) {
        return false;
    }
    struct span rest = span_from(text, skip);
    if (span_starts(rest, SPAN("*."))) {
        origin.wildcard = true;
        rest = span_from(rest, 2);
    }
    struct span url =
        load_printf(load, "%.*s%.*s", (int)skip, (const char *)text.ptr, SPAN_ARG(rest));
    struct url parsed;
    if (url_parse(url, NULL, load->arena, &parsed) != ERR_NONE || parsed.host.len == 0 ||
        parsed.path.len > 1 || parsed.query.ptr != NULL || parsed.fragment.ptr != NULL ||
        parsed.username.len > 0 || parsed.password.len > 0 ||
        memchr(parsed.host.ptr, '*', parsed.host.len) != NULL) {
        return false;
    }
    origin.scheme = parsed.scheme;
    origin.host = parsed.host;
    origin.port = parsed.port;
    *out = origin;
    return true;
}

bool read_allowed_targets(struct load *load, const struct node *node)
{
    bool good = true;
    struct origin *items = load_alloc(load, list_count(node), sizeof(*items));
    if (items == NULL) {
        return false;
    }
    size_t count = 0;
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        if (item->kind == NODE_SCALAR && allowed_parse(load, item->text, &items[count])) {
            count++;
        } else {
            good = read_refuse(load, item,
                               "an origin like https://www.example.com or https://*.example.com, "
                               "without a path");
        }
    }
    load->allowed = items;
    load->allowed_count = count;
    load->allowed_given = good; /* a list with errors would report its targets too */
    return good;
}

/* ---- labels ---- */

static bool label_is_ldh(struct span label)
{
    bool good =
        label.len > 0 && label.len <= 63 && label.ptr[0] != '-' && label.ptr[label.len - 1] != '-';
    for (size_t i = 0; i < label.len && good; i++) {
        uint8_t c = label.ptr[i];
        good = (uint8_t)(c - 'a') < 26 || ascii_is_digit(c) || c == '-';
    }
    return good;
}

static bool read_label_values(struct load *load, const struct node *node, struct model_labels *out)
{
    size_t count = list_count(node);
    struct span *values = load_alloc(load, count, sizeof(*values));
    bool good = values != NULL;
    if (count == 0 || count > label_values_max) {
        return read_refuse(load, node, "a list of 1 to 1000 labels like [eu, us]");
    }
    size_t used = 0;
    for (const struct node *item = list_first(node); item != NULL && values != NULL;
         item = list_next(node, item)) {
        if (item->kind == NODE_SCALAR && label_is_ldh(item->text)) {
            values[used++] = load_copy(load, item->text);
        } else {
            good = read_refuse(load, item,
                               "one label of a host: small letters, digits and '-', no dots");
        }
    }
    *out = (struct model_labels){
        .variable = load_copy(load, node->key->text), .values = values, .value_count = used};
    return good;
}

bool read_labels(struct load *load, const struct node *node, const struct model_labels **out,
                 size_t *count_out)
{
    bool good = true;
    if (node->kind != NODE_MAP || node->count > labels_max) {
        return read_refuse(load, node, "a map like `region: [eu, us]` of at most 8 variables");
    }
    struct model_labels *items = load_alloc(load, node->count, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    size_t count = 0;
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        good = read_label_values(load, item, &items[count++]) && good;
    }
    *out = items;
    *count_out = count;
    return good;
}

static const struct model_labels *labels_find(const struct scope *scope, struct span variable)
{
    for (size_t i = 0; i < scope->label_count; i++) {
        if (span_eq(scope->labels[i].variable, variable)) {
            return &scope->labels[i];
        }
    }
    return NULL;
}

/* ---- variables ---- */

static bool pattern_has(const struct pattern *pattern, struct span name)
{
    for (size_t i = 0; pattern != NULL && i < pattern_group_count(pattern); i++) {
        if (span_eq(pattern_group_name(pattern, i), name)) {
            return true;
        }
    }
    return false;
}

static size_t names_of_pattern(const struct pattern *pattern, struct span *names, size_t count)
{
    for (size_t i = 0; pattern != NULL && i < pattern_group_count(pattern); i++) {
        names[count++] = pattern_group_name(pattern, i);
    }
    return count;
}

static void report_variable(struct load *load, struct place place, const struct scope *scope,
                            struct span name)
{
    struct span names[2 * pattern_groups_max + builtin_count];
    char text[512];
    struct buffer list = buffer_over(text, sizeof(text));
    size_t count = names_of_pattern(scope->path, names, 0);
    count = names_of_pattern(scope->host, names, count);
    for (size_t i = 0; i < builtin_count; i++) {
        names[count++] = span_cstr(builtins[i]);
    }
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&list, "%s%.*s", i > 0 ? ", " : "", SHOW(names[i]));
    }
    problems_error(load->problems, place,
                   "the variable {%.*s} of the target is not known; there are: %.*s%s", SHOW(name),
                   (int)list.len, text, load_hint(load, name, names, count));
}

static bool check_variables(struct load *load, const struct node *node, const struct template *t,
                            const struct scope *scope)
{
    bool good = true;
    for (size_t i = 0; i < template_var_count(t); i++) {
        struct span name = template_var_name(t, i);
        if (!variable_is_builtin(name) && !pattern_has(scope->path, name) &&
            !pattern_has(scope->host, name)) {
            report_variable(load, node->place, scope, name);
            good = false;
        }
    }
    return good;
}

static bool check_host_variable(struct load *load, const struct node *node,
                                const struct scope *scope)
{
    if (scope->fallback) {
        problems_error(load->problems, node->place,
                       "a pool's fallback serves every site, so {host} in its authority would be "
                       "an open redirect; write the host out");
        return false;
    }
    if (scope->site != NULL && scope->site->catch_all) {
        problems_error(load->problems, node->place,
                       "{host} in the authority of a target under hosts \"*\" is an open redirect: "
                       "anybody could choose the host; list the hosts, or write the target's out");
        return false;
    }
    return true;
}

/* Each variable of the authority must have been given a list of values, but {host}. */
static bool check_authority(struct load *load, const struct node *node, const struct template *t,
                            const struct scope *scope)
{
    bool good = true;
    uint32_t vars = location_authority_vars(t);
    for (size_t i = 0; i < template_var_count(t); i++) {
        struct span name = template_var_name(t, i);
        if ((vars & UINT32_C(1) << i) == 0) {
            continue;
        }
        if (span_eq(name, SPAN("host"))) {
            good = check_host_variable(load, node, scope) && good;
        } else if (labels_find(scope, name) == NULL) {
            problems_error(load->problems, node->place,
                           "{%.*s} in the authority of a target needs the list of its values; add "
                           "`labels: {%.*s: [eu, us]}` to the rule",
                           SHOW(name), SHOW(name));
            good = false;
        }
    }
    return good;
}

/* ---- every authority that a target can have ---- */

enum { combinations_max = 10000 };

struct combination {
    const struct template *t;
    const struct scope *scope;
    uint32_t vars;
    size_t turn[template_vars_max];
};

static struct span combination_value(const struct combination *c, size_t var, size_t *choices)
{
    struct span name = template_var_name(c->t, var);
    if (span_eq(name, SPAN("host"))) {
        const struct model_site *site = c->scope->site;
        *choices = site != NULL ? site->host_count : 0;
        struct span host = *choices > 0 ? site->hosts[c->turn[var]] : SPAN("x.invalid");
        return span_starts(host, SPAN("*.")) ? span_from(host, 2) : host;
    }
    const struct model_labels *labels = labels_find(c->scope, name);
    *choices = labels != NULL ? labels->value_count : 0;
    return *choices > 0 ? labels->values[c->turn[var]] : SPAN("x");
}

/* Goes to the next combination; false after the last one. */
static bool combination_next(struct combination *c)
{
    for (size_t i = 0; i < template_var_count(c->t); i++) {
        size_t choices;
        if ((c->vars & UINT32_C(1) << i) == 0) {
            continue;
        }
        combination_value(c, i, &choices);
        if (c->turn[i] + 1 < choices) {
            c->turn[i]++;
            return true;
        }
        c->turn[i] = 0;
    }
    return false;
}

static bool expand_sample(struct load *load, const struct combination *c, struct span *out)
{
    struct template_value values[template_vars_max] = {0};
    size_t choices;
    for (size_t i = 0; i < template_var_count(c->t); i++) {
        if (c->vars & UINT32_C(1) << i) {
            values[i].bytes = combination_value(c, i, &choices);
            values[i].defined = true;
            values[i].sent = true;
        }
    }
    struct buffer text = buffer_over(load->location, location_bytes_max);
    template_expand(c->t, values, &text);
    *out = buffer_span(&text);
    return !text.full;
}

static bool host_as_written(struct load *load, const struct node *node, struct span sample,
                            const struct origin *origin)
{
    struct span written = location_authority(sample);
    if (memchr(written.ptr, '%', written.len) == NULL) {
        return true;
    }
    problems_error(load->problems, node->place, "a host in a target is written in ASCII: %.*s",
                   SHOW(origin->host));
    return false;
}

static bool check_origins(struct load *load, const struct node *node, const struct template *t,
                          const struct scope *scope)
{
    struct combination c = {.t = t, .scope = scope, .vars = location_authority_vars(t)};
    for (size_t n = 0; n < combinations_max; n++) {
        struct span sample;
        struct origin origin;
        if (!expand_sample(load, &c, &sample)) {
            return read_refuse(load, node, "a shorter target");
        }
        if (origin_of(sample, load->scratch, &origin) != ERR_NONE) {
            problems_error(load->problems, node->place,
                           "the target \"%.*s\" is not a URL that a browser would take",
                           SHOW(sample));
            return false;
        }
        if (!host_as_written(load, node, sample, &origin) ||
            !target_allowed(load, node->place, &origin)) {
            return false;
        }
        if (!combination_next(&c)) {
            return true;
        }
    }
    return read_refuse(load, node, "a target of at most 10000 different authorities");
}

static bool compile_target(struct load *load, const struct node *node, const struct template **out)
{
    struct template_error error = {0};
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node, "a target like https://www.example.com{+path}");
    }
    enum err err = template_compile(node->text, load->arena, out, &error);
    if (err == ERR_NONE) {
        err = location_target_check(*out, &error);
    }
    if (err == ERR_MEMORY) {
        load->no_memory = true;
        return false;
    }
    if (err != ERR_NONE) {
        problems_error(load->problems, node_place_at(node, error.offset),
                       "the target \"%.*s\" is not valid: %s", SHOW(node->text),
                       error.reason[0] != 0 ? error.reason : err_text(err));
        return false;
    }
    return true;
}

bool read_target(struct load *load, const struct node *node, const struct scope *scope,
                 const struct template **out)
{
    const struct template *t = NULL;
    if (!compile_target(load, node, &t)) {
        return false;
    }
    bool good = check_variables(load, node, t, scope);
    good = check_authority(load, node, t, scope) && good;
    if (!good || !check_origins(load, node, t, scope)) {
        return false;
    }
    *out = t;
    return true;
}

bool read_page_url(struct load *load, const struct node *node, const struct template **out)
{
    const struct template *t = NULL;
    struct scope none = {.fallback = true};
    if (!compile_target(load, node, &t)) {
        return false;
    }
    if (template_var_count(t) > 0) {
        problems_error(load->problems, node->place,
                       "a page is one URL without variables; take {%.*s} away, or use `to`",
                       SHOW(template_var_name(t, 0)));
        return false;
    }
    if (!check_origins(load, node, t, &none)) {
        return false;
    }
    *out = t;
    return true;
}
