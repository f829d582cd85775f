/* SPDX-License-Identifier: MIT */
/* The paths that control keeps. Folders, not files: an editor replaces a file by another
 * one of the same name. */
#include "control/confine.h"

#include "control/files/named.h"
#include "control/runtime/state.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Names, certificates of authorities, libraries that the resolver loads, zones. */
static const char *const system_folders[] = {"/etc", "/usr", "/run/systemd/resolve", "/run/nscd"};
/* A link to wherever this system keeps it. */
static const char resolver_file[] = "/etc/resolv.conf";

enum {
    system_count = sizeof(system_folders) / sizeof(*system_folders),
    files_of_their_own = 5, /* the resolver's, the configuration, the log, the store, places */
    paths_of_a_file = 2,    /* as it is called, and where a link leads */
    files_of_a_certificate = 3,
    files_of_a_pool = 2,
};

struct paths {
    struct arena arena;
    struct sandbox_path *list;
    size_t count;
};

static void add(struct paths *paths, const char *path, bool write)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (paths->list[i].write == write && strcmp(paths->list[i].path, path) == 0) {
            return;
        }
    }
    paths->list[paths->count++] = (struct sandbox_path){.path = path, .write = write};
}

/* What is no regular file, such as a terminal, stands alone: /dev has more than that. So
 * does what is in the root, below which is everything. */
static enum err add_place(struct paths *paths, const char *file, bool write)
{
    struct stat status;
    bool alone = stat(file, &status) == 0 && !S_ISREG(status.st_mode);
    char *copy = arena_printf(&paths->arena, "%s", file);
    char *text = arena_printf(&paths->arena, "%s", file);
    if (copy == NULL || text == NULL) {
        return ERR_MEMORY;
    }
    const char *folder = dirname(text);
    bool root = strcmp(folder, "/") == 0;
    add(paths, alone || root ? copy : folder, write);
    if (write && alone && S_ISFIFO(status.st_mode)) {
        add(paths, copy, false); /* it is opened from both ends */
    }
    return ERR_NONE;
}

/* The file may be a link into another folder. */
static enum err add_file(struct paths *paths, const char *file, bool write)
{
    char target[PATH_MAX];
    enum err err = add_place(paths, file, write);
    if (err == ERR_NONE && realpath(file, target) != NULL) {
        err = add_place(paths, target, write);
    }
    return err;
}

/* As the configuration names it; empty: it names none. */
static enum err add_named(struct paths *paths, const char *config_path, struct span file)
{
    if (file.len == 0) {
        return ERR_NONE;
    }
    const char *path = named_path(&paths->arena, config_path, file);
    return path != NULL ? add_file(paths, path, false) : ERR_MEMORY;
}

static enum err add_certificates(struct paths *paths, const char *config_path,
                                 const struct model *model)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < model->certificate_count; i++) {
        const struct model_certificate *named = &model->certificates[i];
        const struct span files[files_of_a_certificate] = {named->certificate, named->key,
                                                           named->ocsp};
        for (size_t k = 0; k < files_of_a_certificate && err == ERR_NONE; k++) {
            err = add_named(paths, config_path, files[k]);
        }
    }
    return err;
}

static enum err add_pages(struct paths *paths, const char *config_path, const struct model *model)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < model->page_count && err == ERR_NONE; i++) {
        err = add_named(paths, config_path, model->pages[i].file);
    }
    return err;
}

static enum err add_origins(struct paths *paths, const char *config_path, const struct model *model)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < model->origin_count && err == ERR_NONE; i++) {
        err = add_named(paths, config_path, model->origins[i].ca);
    }
    return err;
}

static enum err add_pools(struct paths *paths, const char *config_path, const struct model *model)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < model->pool_count && err == ERR_NONE; i++) {
        err = add_named(paths, config_path, model->pools[i].health.ca);
        if (err == ERR_NONE) {
            err = add_named(paths, config_path, model->pools[i].sign.key_file);
        }
    }
    return err;
}

/* To be read, too: after a disk that failed the store is opened again. */
static enum err add_state(struct paths *paths, const char *config_path, const struct model *model)
{
    if (model->state.len == 0) {
        return ERR_NONE;
    }
    const char *folder = state_folder(&paths->arena, config_path, model);
    if (folder == NULL) {
        return ERR_MEMORY;
    }
    add(paths, folder, true);
    add(paths, folder, false);
    return ERR_NONE;
}

/* A file that is replaced is read again. */
static enum err add_geo(struct paths *paths, const char *config_path, const struct model *model)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < model->geo_count && err == ERR_NONE; i++) {
        err = add_named(paths, config_path, model->geo[i].path);
    }
    return err;
}

static enum err add_secrets(struct paths *paths, const char *config_path, const struct model *model)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < model->webhook_count && err == ERR_NONE; i++) {
        err = add_named(paths, config_path, model->webhooks[i].secret_file);
    }
    return err;
}

static enum err add_log(struct paths *paths, struct span log)
{
    if (log.len == 0 || span_eq(log, SPAN("-"))) {
        return ERR_NONE; /* a descriptor that is there already */
    }
    const char *path = arena_printf(&paths->arena, "%.*s", SPAN_ARG(log));
    return path != NULL ? add_file(paths, path, true) : ERR_MEMORY;
}

static enum err collect(struct paths *paths, const char *config_path, const struct model *model)
{
    size_t files = files_of_their_own + model->page_count + model->origin_count +
                   files_of_a_pool * model->pool_count + model->webhook_count +
                   files_of_a_certificate * model->certificate_count;
    paths->list = arena_array(&paths->arena, system_count + (paths_of_a_file + 1) * files,
                              sizeof(*paths->list));
    if (paths->list == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < system_count; i++) {
        add(paths, system_folders[i], false);
    }
    enum err err = add_file(paths, resolver_file, false);
    if (err == ERR_NONE) {
        err = add_file(paths, config_path, false);
    }
    if (err == ERR_NONE) {
        err = add_log(paths, model->access_log);
    }
    if (err == ERR_NONE) {
        err = add_pages(paths, config_path, model);
    }
    if (err == ERR_NONE) {
        err = add_origins(paths, config_path, model);
    }
    if (err == ERR_NONE) {
        err = add_pools(paths, config_path, model);
    }
    if (err == ERR_NONE) {
        err = add_state(paths, config_path, model);
    }
    if (err == ERR_NONE) {
        err = add_geo(paths, config_path, model);
    }
    if (err == ERR_NONE) {
        err = add_secrets(paths, config_path, model);
    }
    return err == ERR_NONE ? add_certificates(paths, config_path, model) : err;
}

enum err control_confine(const struct sandbox_policy *policy, const char *config_path,
                         const struct model *model)
{
    struct paths paths = {0};
    arena_init(&paths.arena, 0);
    enum err err = collect(&paths, config_path, model);
    if (err == ERR_NONE) {
        err = sandbox_enter(policy, SANDBOX_CONTROL, paths.list, paths.count);
    } else {
        errno = ENOMEM;
    }
    int why = errno;
    arena_fini(&paths.arena);
    errno = why;
    return err;
}

const char *control_why(const struct configuration *configuration, int why)
{
    if (why != EACCES || !configuration->confined) {
        return strerror(why);
    }
    return "Permission denied; if its folder was not named when Detour began, put it into one "
           "that was, or restart Detour";
}
