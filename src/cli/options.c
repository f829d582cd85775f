/* SPDX-License-Identifier: MIT */
/* From a table of options to getopt_long's, and its findings to where they belong. */
#include "cli/options.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* What getopt_long is told: a '+', '-' or ':' first, then letters. */
struct getopt_table {
    struct option longs[command_options_max + 2];
    char letters[2 * command_options_max + 4];
};

static size_t option_count(const struct command_line *line)
{
    return line->option_count + line->more_count;
}

static const struct command_option *option_at(const struct command_line *line, size_t index)
{
    return index < line->option_count ? &line->options[index]
                                      : &line->more[index - line->option_count];
}

static void table_fill(const struct command_line *line, struct getopt_table *table)
{
    size_t at = 0;
    table->letters[at++] = ':';
    table->letters[at++] = 'h';
    for (size_t i = 0; i < option_count(line); i++) {
        const struct command_option *option = option_at(line, i);
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
    table->longs[option_count(line)] = (struct option){"help", no_argument, NULL, 'h'};
}

static const struct command_option *find_option(const struct command_line *line, int found)
{
    if (found >= option_values) {
        return option_at(line, (size_t)(found - option_values));
    }
    for (size_t i = 0; i < option_count(line); i++) {
        if (option_at(line, i)->letter == found) {
            return option_at(line, i);
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
    assert(option_count(line) <= command_options_max);
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

int option_seconds(const char *command, const char *option, const char *text, uint32_t *ms_out)
{
    char *end = NULL;
    if (text == NULL) {
        return exit_ok;
    }
    double seconds = strtod(text, &end);
    if (end == text || *end != 0 || !(seconds >= 0 && seconds <= 86400)) {
        return complain(command, "%s wants seconds, 0 to 86400", option);
    }
    *ms_out = (uint32_t)(seconds * 1000 + 0.5);
    return exit_ok;
}

int option_number(const char *command, const char *option, const char *text, uint32_t least,
                  uint32_t most, uint32_t *out)
{
    char *end = NULL;
    if (text == NULL) {
        return exit_ok;
    }
    long number = strtol(text, &end, 10);
    if (end == text || *end != 0 || number < (long)least || number > (long)most) {
        return complain(command, "%s wants a number, %u to %u", option, least, most);
    }
    *out = (uint32_t)number;
    return exit_ok;
}
