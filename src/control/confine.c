/* SPDX-License-Identifier: MIT */
/* The paths that control keeps. Folders, not files: an editor replaces a file by another
 * one of the same name. */
#include "control/confine.h"

#include "base/log.h"
#include "control/certificates.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { paths_max = 64 };

struct paths {
    struct sandbox_path list[paths_max];
    char texts[paths_max][PATH_MAX];
    size_t count;
};

static bool has(const struct paths *paths, const char *folder, bool write)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (paths->list[i].write == write && strcmp(paths->list[i].path, folder) == 0) {
            return true;
        }
    }
    return false;
}

static void add_folder_of(struct paths *paths, const char *file, bool write)
{
    if (paths->count == paths_max) {
        log_warning("a reload will not be able to read %s: its folder is one too many", file);
        return;
    }
    char *text = paths->texts[paths->count];
    snprintf(text, PATH_MAX, "%s", file);
    char *folder = dirname(text);
    if (!has(paths, folder, write)) {
        paths->list[paths->count++] = (struct sandbox_path){.path = folder, .write = write};
    }
}

static void add_text(struct paths *paths, struct span file, bool write)
{
    char text[PATH_MAX];
    snprintf(text, sizeof(text), "%.*s", SPAN_ARG(file));
    add_folder_of(paths, text, write);
}

/* The file may be a link into another folder. */
static void add_file(struct paths *paths, const char *path)
{
    char target[PATH_MAX];
    add_folder_of(paths, path, false);
    if (realpath(path, target) != NULL) {
        add_folder_of(paths, target, false);
    }
}

static enum err add_certificates(struct paths *paths, const char *config_path,
                                 const struct model *model)
{
    struct arena arena;
    enum err err = ERR_NONE;
    arena_init(&arena, 0);
    for (size_t i = 0; i < 3 * model->certificate_count && err == ERR_NONE; i++) {
        const struct model_certificate *named = &model->certificates[i / 3];
        struct span files[3] = {named->certificate, named->key, named->ocsp};
        const char *path = files[i % 3].len > 0
                               ? certificates_path(&arena, config_path, files[i % 3])
                               : config_path;
        err = path == NULL ? ERR_MEMORY : ERR_NONE;
        if (path != NULL) {
            add_file(paths, path);
        }
    }
    arena_fini(&arena);
    return err;
}

static void add_system(struct paths *paths)
{
    /* Names, certificates of authorities, libraries that the resolver loads, zones. */
    static const char *const folders[] = {"/etc", "/usr", "/run/systemd/resolve", "/run/nscd"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        paths->list[paths->count++] = (struct sandbox_path){.path = folders[i]};
    }
    paths->list[paths->count++] = (struct sandbox_path){.path = "/dev/null", .write = true};
}

enum err control_confine(const struct sandbox_policy *policy, const char *config_path,
                         const struct model *model)
{
    struct paths *paths = calloc(1, sizeof(*paths));
    if (paths == NULL) {
        return ERR_MEMORY;
    }
    add_system(paths);
    add_file(paths, config_path);
    if (model->access_log.len > 0 && !span_eq(model->access_log, SPAN("-"))) {
        add_text(paths, model->access_log, true);
    }
    enum err err = add_certificates(paths, config_path, model);
    if (err == ERR_NONE) {
        err = sandbox_enter(policy, SANDBOX_CONTROL, paths->list, paths->count);
    }
    free(paths);
    return err;
}
