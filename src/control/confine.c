/* SPDX-License-Identifier: MIT */
/* The paths that control keeps. Folders, not files: an editor replaces a file by another
 * one of the same name. */
#include "control/confine.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { paths_max = 16 };

struct paths {
    struct sandbox_path list[paths_max];
    char texts[paths_max][PATH_MAX];
    size_t count;
};

static void add_folder_of(struct paths *paths, const char *file, bool write)
{
    if (paths->count < paths_max) {
        char *text = paths->texts[paths->count];
        snprintf(text, PATH_MAX, "%s", file);
        paths->list[paths->count++] = (struct sandbox_path){.path = dirname(text), .write = write};
    }
}

static void add_text(struct paths *paths, struct span file, bool write)
{
    char text[PATH_MAX];
    snprintf(text, sizeof(text), "%.*s", SPAN_ARG(file));
    add_folder_of(paths, text, write);
}

/* The file may be a link into another folder. */
static void add_configuration(struct paths *paths, const char *path)
{
    char target[PATH_MAX];
    add_folder_of(paths, path, false);
    if (realpath(path, target) != NULL) {
        add_folder_of(paths, target, false);
    }
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
    add_configuration(paths, config_path);
    if (model->access_log.len > 0 && !span_eq(model->access_log, SPAN("-"))) {
        add_text(paths, model->access_log, true);
    }
    enum err err = sandbox_enter(policy, SANDBOX_CONTROL, paths->list, paths->count);
    free(paths);
    return err;
}
