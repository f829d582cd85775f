/* SPDX-License-Identifier: MIT */
/* One configuration that was read: its text, the model made of it, and what control needs
 * to have at hand beside the model. All of it ends together. */
#pragma once

#include "config/model.h"
#include "control/metrics.h"
#include "control/runtime/unfit.h"

enum { config_bytes_max = 64 << 20 };

struct sign_secrets;
struct signing_loaded;
struct tls_certificate;

struct configuration {
    struct arena arena;
    struct problems problems;
    const struct model *model; /* NULL: it has errors */
    struct span text;
    const struct span *kept; /* files that came with the text (files/kept.h); NULL: none did */
    size_t kept_count;
    bool confined;                         /* it was read in the sandbox */
    int log_fd;                            /* the access log, opened; -1: none */
    int64_t read_ns;                       /* when its file was read */
    struct tls_certificate **certificates; /* loaded, until they are sealed */
    size_t certificate_count;
    struct sign_secrets *secrets;   /* of the model's webhooks, one each; NULL: not read */
    struct signing_loaded *signing; /* of signed tickets, until they are sealed; NULL: none */
    struct metrics_rule *rules;
    size_t rule_count;
    bool rules_noted; /* with their slots */
    struct metrics_detour *detours;
    size_t detour_count;
    struct metrics_server *servers;
    size_t server_count;
    struct unfit_list unfit; /* of what was set at run time: what is not in the model */

    struct model_text *source;  /* the text as it was read; of the first of its text */
    bool files_read;            /* ... with the files that it names */
    struct model_live live;     /* what run time says, as it was read */
    struct configuration *root; /* the first of the same text; NULL: this is it */
    size_t users;               /* its owner, and those that it is the root of */
};

/* Reads at most config_bytes_max from a file into the arena. ERR_LIMIT, ERR_MEMORY, or
 * ERR_IO with errno. */
enum err configuration_read_file(const char *path, struct arena *arena, struct span *out);
enum err configuration_read_fd(int fd, struct arena *arena, struct span *out);
/* Why one of them failed, for people; errno is still what it left. */
const char *configuration_read_why(enum err err);

/* An empty one; `file` is how problems call the text and must outlive it. NULL: no memory. */
struct configuration *configuration_new(const char *file);
/* Another one of the same text, to be loaded, which costs what differs. It keeps what it
 * shares. NULL: no memory. */
struct configuration *configuration_again(const struct configuration *configuration);
void configuration_free(struct configuration **configuration);

/* Makes the model of configuration->text, and reads the files of its pages and origins. False when
 * there are errors; all problems are in configuration->problems either way. */
bool configuration_load(struct configuration *configuration, struct model_overrides *overrides,
                        int64_t now_ns);

/* Opens the access log that the model names, to append. ERR_IO: errno says why. */
enum err configuration_open_log(struct configuration *configuration);

/* The lines of MESSAGE_LISTEN; ERR_LIMIT: too many listeners. */
enum err configuration_listeners(const struct configuration *configuration, struct buffer *out);

/* When the next window of a detour opens or closes, or ramps have made steps, which are gathered
 * for a quarter of a second; later than after_ns; TIME_NEVER. */
int64_t configuration_next_edge(const struct model *model, int64_t after_ns);
