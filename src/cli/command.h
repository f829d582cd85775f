/* SPDX-License-Identifier: MIT */
/* What the subcommands share: how they are called, their exit codes, how they complain, and
 * the configuration that most of them read. */
#pragma once

#include "base/exit.h"
#include "control/configuration.h"

#include <getopt.h>

/* argv[0] is the name of the command. Each prints its own usage for -h and --help, and
 * returns the status to exit with. */
int cli_serve(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_conformance(int argc, char **argv);
int cli_uri(int argc, char **argv);
int cli_on(int argc, char **argv);
int cli_off(int argc, char **argv);
int cli_extend(int argc, char **argv);
int cli_link(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_pools(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_history(int argc, char **argv);
int cli_revert(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_diff(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_drain(int argc, char **argv);
int cli_ready(int argc, char **argv);
int cli_weight(int argc, char **argv);
int cli_server(int argc, char **argv);
int cli_targets(int argc, char **argv);
int cli_token(int argc, char **argv);

/* One line to standard error: "detour check: …". Gives exit_could_not_run. */
int complain(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What getopt_long did not understand; result is what it returned. */
int complain_option(int argc, char **argv, int result);

/* The file to read when there is no -c: detour.yaml here, or that of the system. */
const char *config_path_default(void);

/* Reads the command line of a command that takes -c FILE, -h, flags that getopt_long sets by
 * itself, and no words. The text of an option whose val is option_values + i goes into
 * values[i] (NULL: there are none). *path_out is left alone when the usage or a complaint
 * was printed. */
enum { option_values = 256 };
int options_read(int argc, char **argv, const struct option *options, const char *usage,
                 const char **values, const char **path_out);

/* Reads and checks a file as serve does. *out is filled, whether it has errors or not
 * (model NULL), when exit_ok is returned; else the reason has been printed. */
int config_load(const char *command, const char *path, int64_t now_ns, struct configuration **out);
