/* SPDX-License-Identifier: MIT */
/* Where the admin API listens. */
#include "cli/admin_client.h"

#include "cli/show.h"
#include "config/yaml.h"

#include <stdlib.h>
#include <unistd.h>

static const char address_usual[] = "unix:/run/detour/admin.sock";
static const char path_here[] = "detour.yaml";

static bool is_socket(struct arena *arena, struct span path, struct admin_address *out)
{
    if (path.len == 0) {
        return false;
    }
    const char *text = show_printf(arena, "%.*s", SPAN_ARG(path));
    /* The host is for the Host field alone. */
    *out = (struct admin_address){
        .shown = show_printf(arena, "unix:%s", text), .url = "http://detour", .path = text};
    return true;
}

/* One that listens on all addresses is asked on the loopback's. */
static const char *host_to_ask(struct span *rest)
{
    static const struct {
        struct span any;
        const char *instead;
    } hosts[] = {{{(const uint8_t *)"0.0.0.0", 7}, "127.0.0.1"},
                 {{(const uint8_t *)"[::]", 4}, "[::1]"}};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        size_t len = hosts[i].any.len;
        if (span_starts(*rest, hosts[i].any) && (rest->len == len || rest->ptr[len] == ':')) {
            *rest = span_from(*rest, len);
            return hosts[i].instead;
        }
    }
    return "";
}

static bool is_url(struct arena *arena, struct span text, struct admin_address *out)
{
    bool secure = span_starts(text, SPAN("https://"));
    struct span rest = span_from(text, secure ? 8 : 7);
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/') {
        rest.len--;
    }
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] <= ' ' || rest.ptr[i] >= 0x7F || strchr("/?#@\\", rest.ptr[i]) != NULL) {
            return false;
        }
    }
    if (rest.len == 0) {
        return false;
    }
    const char *host = host_to_ask(&rest);
    const char *url =
        show_printf(arena, "%s://%s%.*s", secure ? "https" : "http", host, SPAN_ARG(rest));
    *out = (struct admin_address){.shown = url, .url = url};
    return true;
}

bool admin_address_read(struct arena *arena, struct span text, struct admin_address *out)
{
    static const char *const sockets[] = {"http://unix:", "unix:"};
    for (size_t i = 0; i < sizeof(sockets) / sizeof(*sockets); i++) {
        struct span prefix = span_cstr(sockets[i]);
        if (span_starts(text, prefix)) {
            return is_socket(arena, span_from(text, prefix.len), out);
        }
    }
    if (span_starts(text, SPAN("/")) || span_starts(text, SPAN("./"))) {
        return is_socket(arena, text, out);
    }
    return (span_starts(text, SPAN("http://")) || span_starts(text, SPAN("https://"))) &&
           is_url(arena, text, out);
}

/* ---- the file ---- */

static const struct node *member(const struct node *map, const char *name)
{
    for (const struct node *item = map->first; item != NULL; item = item->next) {
        if (item->key != NULL && span_eq(item->key->text, span_cstr(name))) {
            return item;
        }
    }
    return NULL;
}

/* `admin: {listen: ADDRESS}` or `admin: ADDRESS`. NULL: it says nothing. The rest of the file
 * may be wrong: what runs was made of an earlier one. */
static const struct node *listen_of(const struct node *root)
{
    const struct node *admin = root->kind == NODE_MAP ? member(root, "admin") : NULL;
    if (admin != NULL && admin->kind == NODE_MAP) {
        admin = member(admin, "listen");
    }
    if (admin != NULL && admin->kind == NODE_MAP) { /* with the options of a listener */
        admin = member(admin, "address");
    }
    return admin != NULL && admin->kind == NODE_SCALAR ? admin : NULL;
}

/* *found_out: the file says it. */
static int find_in_file(const char *command, const char *path, struct arena *arena,
                        struct admin_address *out, bool *found_out)
{
    struct span text;
    struct problems problems;
    enum err err = configuration_read_file(path, arena, &text);
    if (err != ERR_NONE) {
        return complain(command, "cannot read %s: %s", path, configuration_read_why(err));
    }
    problems_init(&problems, arena, path);
    const struct node *root = yaml_read(text, arena, &problems);
    if (root == NULL) {
        problems_print(&problems, stderr);
        return exit_could_not_run;
    }
    const struct node *listen = listen_of(root);
    if (listen == NULL) {
        return exit_ok;
    }
    if (!admin_address_read(arena, listen->text, out)) {
        return complain(command,
                        "%s:%u: admin listens on \"%s\", which is no address like "
                        "unix:/run/detour/admin.sock or http://127.0.0.1:8308",
                        path, listen->place.line,
                        show_clean(arena, (const char *)listen->text.ptr));
    }
    *found_out = true;
    return exit_ok;
}

int admin_address_find(const char *command, const struct admin_where *where, struct arena *arena,
                       struct admin_address *out)
{
    const char *files[] = {where->config, access(path_here, F_OK) == 0 ? path_here : NULL};
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        int status =
            files[i] != NULL ? find_in_file(command, files[i], arena, out, &found) : exit_ok;
        if (status != exit_ok || found) {
            return status;
        }
    }
    const char *named = getenv("DETOUR_ADMIN");
    bool is_named = named != NULL && named[0] != 0;
    if (!admin_address_read(arena, span_cstr(is_named ? named : address_usual), out)) {
        return complain(command,
                        "DETOUR_ADMIN is \"%s\", which is no address like "
                        "unix:/run/detour/admin.sock or http://127.0.0.1:8308",
                        show_clean(arena, named));
    }
    return exit_ok;
}
