/* SPDX-License-Identifier: MIT */
/* detour uri match|expand|resolve: a pattern, a template or a reference tried by hand,
 * with the very functions that a worker calls. */
#include "cli/command.h"

#include "cli/json.h"
#include "uri/host.h"
#include "uri/path.h"
#include "uri/pattern.h"
#include "uri/template.h"
#include "uri/url.h"

#include <assert.h>
#include <stdio.h>

/* No match, or no URL: an answer, not a mistake. */
enum { exit_no = 1 };

static const char command[] = "uri";

static const char usage[] =
    "usage: detour uri match [--host] PATTERN PATH\n"
    "       detour uri expand TEMPLATE JSON-VARIABLES\n"
    "       detour uri resolve BASE REFERENCE\n"
    "\n"
    "match    prints the groups of a path pattern (with --host: of a host pattern) as a\n"
    "         JSON object, null for a group that took no part; 1 when nothing matches\n"
    "expand   prints a URI Template (RFC 6570, levels 1 to 3) with the values filled in;\n"
    "         null stands for undefined\n"
    "resolve  prints the URL that a reference gives against a base; 1 when there is none;\n"
    "         an empty base stands for no base\n"
    "\n"
    "Options: -h, --help; -- ends the options.\n"
    "Exit codes: 0 done, 1 no match or no URL, 2 a mistake in what was given.\n";

/* What a subcommand is given. */
struct arguments {
    struct span first;
    struct span second;
    bool host;
};

/* A subject that is no request path: only what a path may not hold is encoded. */
static enum err path_encoded(struct span text, struct path_scratch *scratch, struct span *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (len + 3 > sizeof(scratch->norm)) {
            return ERR_LIMIT;
        }
        if (c > ' ' && c < 0x7F && strchr("\"#<>?^`{}", c) == NULL) {
            scratch->norm[len++] = c;
        } else {
            scratch->norm[len++] = '%';
            scratch->norm[len++] = (uint8_t)digits[c >> 4];
            scratch->norm[len++] = (uint8_t)digits[c & 15];
        }
    }
    *out = span_of(scratch->norm, len);
    return ERR_NONE;
}

static enum err subject_of(struct span text, bool host, struct arena *arena, struct span *out)
{
    if (host) {
        return host_from_config(text, arena, out);
    }
    struct path_scratch *scratch = arena_alloc(arena, sizeof(*scratch));
    if (scratch == NULL) {
        return ERR_MEMORY;
    }
    if (text.len == 0 || text.ptr[0] != '/') {
        return path_encoded(text, scratch, out);
    }
    struct path path;
    enum err err = path_normalise(text, scratch, &path);
    if (err == ERR_NONE) {
        *out = path.norm;
    }
    return err;
}

static int print_json(json_t *object)
{
    int failed = object == NULL || json_dumpf(object, stdout, 0) != 0;
    json_decref(object);
    if (failed) {
        return complain(command, "%s", err_text(ERR_MEMORY));
    }
    putchar('\n');
    return exit_ok;
}

static int print_groups(const struct pattern *pattern, const struct pattern_groups *groups,
                        struct span subject)
{
    json_t *object = json_object();
    for (size_t i = 0; object != NULL && i < pattern_group_count(pattern); i++) {
        struct span name = pattern_group_name(pattern, i);
        json_t *item = json_null();
        if (pattern_group_found(groups, i)) {
            item = json_text(span_slice(subject, groups->at[i].from, groups->at[i].to));
        }
        if (json_object_setn_new(object, (const char *)name.ptr, name.len, item) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return print_json(object);
}

static int match_compiled(const struct pattern *pattern, struct span subject)
{
    struct regex *regex = NULL;
    const char *reason = NULL;
    struct span source = pattern_regex(pattern);
    if (source.len > 0 && regex_compile(source, &regex, &reason) != ERR_NONE) {
        return complain(command, "the pattern's regular expression: %s",
                        reason != NULL ? reason : err_text(ERR_SYNTAX));
    }
    struct regex_budget budget = {.steps = regex_steps_per_request};
    struct pattern_groups groups = {0};
    enum match match = pattern_match(pattern, regex, subject, &budget, &groups);
    regex_free(&regex);
    switch (match) {
    case MATCH_YES:
        return print_groups(pattern, &groups, subject);
    case MATCH_LIMIT:
        return complain(command, "the pattern takes more steps than a request may spend");
    default:
        return exit_no;
    }
}

static int match(const struct arguments *given, struct arena *arena)
{
    const struct pattern *pattern = NULL;
    struct pattern_error error = {0};
    enum err err = pattern_compile(given->host ? PATTERN_HOST : PATTERN_PATH, given->first, arena,
                                   &pattern, &error);
    if (err == ERR_SYNTAX) {
        return complain(command, "pattern, at byte %zu: %s", error.offset, error.reason);
    }
    if (err != ERR_NONE) {
        return complain(command, "pattern: %s", err_text(err));
    }
    struct span subject;
    err = subject_of(given->second, given->host, arena, &subject);
    if (err == ERR_SYNTAX) {
        return exit_no;
    }
    if (err != ERR_NONE) {
        return complain(command, "%s: %s", given->host ? "host" : "path", err_text(err));
    }
    return match_compiled(pattern, subject);
}

/* Where the member's value begins at or after text[at], in an object that is known to be
 * well formed: behind the next colon outside strings. */
static size_t value_begin(struct span text, size_t at)
{
    bool quoted = false;
    for (; at < text.len && (quoted || text.ptr[at] != ':'); at++) {
        if (quoted && text.ptr[at] == '\\') {
            at++;
        } else if (text.ptr[at] == '"') {
            quoted = !quoted;
        }
    }
    return at < text.len ? at + 1 : text.len;
}

/* The end of the value that begins there: a comma or a bracket of the object itself. */
static size_t value_end(struct span text, size_t at)
{
    bool quoted = false;
    size_t depth = 0;
    for (; at < text.len; at++) {
        uint8_t c = text.ptr[at];
        if (quoted) {
            at += c == '\\';
            quoted = c != '"';
        } else if (depth == 0 && (c == ',' || c == '}')) {
            break;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return at < text.len ? at : text.len;
}

/* The text of member number index as it was written: 1.50 stays 1.50. */
static struct span value_text(struct span json, size_t index)
{
    assert(json.ptr != NULL);
    size_t from = value_begin(json, 0);
    size_t to = value_end(json, from);
    while (index-- > 0) {
        from = value_begin(json, to);
        to = value_end(json, from);
    }
    struct span text = span_slice(json, from, to);
    while (text.len > 0 && text.ptr[0] <= ' ') {
        text = span_from(text, 1);
    }
    while (text.len > 0 && text.ptr[text.len - 1] <= ' ') {
        text.len--;
    }
    return text;
}

/* The place of a member among its siblings, which jansson keeps in order. */
static bool member_index(json_t *object, struct span name, size_t *out)
{
    size_t index = 0;
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        struct span key = span_of(json_object_iter_key(at), json_object_iter_key_len(at));
        if (span_eq(key, name)) {
            *out = index;
            return true;
        }
        index++;
    }
    return false;
}

/* False: the value is a list or an object. */
static bool variable_of(json_t *object, struct span json, struct span name,
                        struct template_value *out)
{
    json_t *value = json_object_getn(object, (const char *)name.ptr, name.len);
    size_t index = 0;
    *out = (struct template_value){0};
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (json_is_array(value) || json_is_object(value)) {
        return false;
    }
    out->defined = true;
    if (json_is_string(value)) {
        out->bytes = span_of(json_string_value(value), json_string_length(value));
    } else if (member_index(object, name, &index)) {
        out->bytes = value_text(json, index);
    }
    return true;
}

static int print_expansion(const struct template *template, json_t *object, struct span json,
                           struct arena *arena)
{
    struct template_value values[template_vars_max];
    for (size_t i = 0; i < template_var_count(template); i++) {
        struct span name = template_var_name(template, i);
        if (!variable_of(object, json, name, &values[i])) {
            return complain(command, "%.*s is a list or an object, which only level 4 knows",
                            SPAN_ARG(name));
        }
    }
    /* Doubled until it fits: what came through a command line is not long. */
    struct buffer out = {.full = true};
    for (size_t cap = 4096; out.full; cap *= 2) {
        uint8_t *memory = arena_alloc(arena, cap);
        if (memory == NULL) {
            return complain(command, "%s", err_text(ERR_MEMORY));
        }
        out = buffer_over(memory, cap);
        template_expand(template, values, &out);
    }
    printf("%.*s\n", SPAN_ARG(buffer_span(&out)));
    return exit_ok;
}

static int expand(const struct arguments *given, struct arena *arena)
{
    const struct template *template = NULL;
    struct template_error error = {0};
    enum err err = template_compile(given->first, arena, &template, &error);
    if (err == ERR_SYNTAX) {
        return complain(command, "template, at byte %zu: %s", error.offset, error.reason);
    }
    if (err != ERR_NONE) {
        return complain(command, "template: %s", err_text(err));
    }
    struct span json = given->second;
    json_error_t json_error;
    json_t *object = json_loadb((const char *)json.ptr, json.len,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &json_error);
    if (object == NULL) {
        return complain(command, "variables, at byte %d: %s", json_error.position, json_error.text);
    }
    int code = json_is_object(object) ? print_expansion(template, object, json, arena)
                                      : complain(command, "the variables must be a JSON object");
    json_decref(object);
    return code;
}

static int resolve(const struct arguments *given, struct arena *arena)
{
    struct url base;
    struct url url;
    struct span href;
    struct span base_text = given->first;
    bool based = base_text.len > 0;
    enum err err = based ? url_parse(base_text, NULL, arena, &base) : ERR_NONE;
    if (err == ERR_NONE) {
        err = url_parse(given->second, based ? &base : NULL, arena, &url);
    }
    if (err == ERR_NONE) {
        err = url_serialise(&url, arena, &href);
    }
    if (err == ERR_SYNTAX) {
        return exit_no;
    }
    if (err != ERR_NONE) {
        return complain(command, "%s", err_text(err));
    }
    printf("%.*s\n", SPAN_ARG(href));
    return exit_ok;
}

static const struct subcommand {
    const char *name;
    int (*run)(const struct arguments *given, struct arena *arena);
} subcommands[] = {{"match", match}, {"expand", expand}, {"resolve", resolve}};

static int run(const struct subcommand *subcommand, int count, char **words, bool host)
{
    if (count != 2) {
        return complain(command, "%s wants two arguments; try detour uri --help", subcommand->name);
    }
    if (host && subcommand->run != match) {
        return complain(command, "--host is for match alone; try detour uri --help");
    }
    struct arguments given = {span_cstr(words[0]), span_cstr(words[1]), host};
    struct arena arena;
    arena_init(&arena, 0);
    int status = subcommand->run(&given, &arena);
    arena_fini(&arena);
    return status;
}

static int run_named(int count, char **words, bool host)
{
    for (size_t i = 0; count > 0 && i < sizeof(subcommands) / sizeof(*subcommands); i++) {
        if (strcmp(words[0], subcommands[i].name) == 0) {
            return run(&subcommands[i], count - 1, words + 1, host);
        }
    }
    return complain(command, "match, expand or resolve is needed; try detour uri --help");
}

int cli_uri(int argc, char **argv)
{
    static const struct option options[] = {
        {"host", no_argument, NULL, 'H'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool host = false;
    int option;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case 'H':
            host = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return exit_ok;
        default:
            return complain_option(argc, argv, option);
        }
    }
    return run_named(argc - optind, argv + optind, host);
}
