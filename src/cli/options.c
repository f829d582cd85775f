/* SPDX-License-Identifier: MIT */
/* From a table of options to getopt_long's, and its findings to where they belong. */
#include "cli/options.h"

#include <assert.h>
#include <stdio.h>

/* What getopt_long is told: a '+', '-' or ':' first, then letters. */
struct getopt_table {
    struct option longs[command_options_max + 2];
    char letters[2 * command_options_max + 4];
};

static void table_fill(const struct command_line *line, struct getopt_table *table)
{
    size_t at = 0;
    table->letters[at++] = ':';
    table->letters[at++] = 'h';
    for (size_t i = 0; i < line->option_count; i++) {
        const struct command_option *option = &line->options[i];
        bool valued = option->flag == NULL;
        table->longs[i] = (struct option){option->name, valued ? required_argument : no_argument,
                                          NULL, option_values + (int)i};
        if (option->letter != 0) {
            table->letters[at++] = option->letter;
            if (valued) {
                table->letters[at++] = ':';
            }
        }
    }
    table->longs[line->option_count] = (struct option){"help", no_argument, NULL, 'h'};
}

static const struct command_option *find_option(const struct command_line *line, int found)
{
    if (found >= option_values) {
        return &line->options[found - option_values];
    }
    for (size_t i = 0; i < line->option_count; i++) {
        if (line->options[i].letter == found) {
            return &line->options[i];
        }
    }
    return NULL;
}

static int take(const char *command, const struct command_option *option, const char *value)
{
    if (option->flag != NULL) {
        *option->flag = true;
        return exit_ok;
    }
    if (option->text != NULL) {
        if (*option->text != NULL) {
            return complain(command, "--%s stands there twice; keep one of them", option->name);
        }
        *option->text = value;
        return exit_ok;
    }
    if (option->list->count == option_list_max) {
        return complain(command, "--%s may stand there at most %d times", option->name,
                        option_list_max);
    }
    option->list->items[option->list->count++] = value;
    return exit_ok;
}

static int take_words(int argc, char **argv, const struct command_line *line)
{
    for (int i = optind; i < argc; i++) {
        size_t at = (size_t)(i - optind);
        if (at >= line->words_max) {
            return complain(argv[0], "what is \"%s\"? try detour %s --help", argv[i], argv[0]);
        }
        line->words[at] = argv[i];
    }
    return exit_ok;
}

bool command_line_read(int argc, char **argv, const struct command_line *line, int *status_out)
{
    struct getopt_table table = {0};
    int found;
    assert(line->option_count <= command_options_max);
    table_fill(line, &table);
    optind = 0; /* glibc: from the beginning, whoever has read before */
    *status_out = exit_ok;
    while ((found = getopt_long(argc, argv, table.letters, table.longs, NULL)) != -1) {
        if (found == 'h') {
            fputs(line->usage, stdout);
            return false;
        }
        const struct command_option *option = find_option(line, found);
        *status_out =
            option != NULL ? take(argv[0], option, optarg) : complain_option(argc, argv, found);
        if (*status_out != exit_ok) {
            return false;
        }
    }
    *status_out = take_words(argc, argv, line);
    return *status_out == exit_ok;
}
