/* SPDX-License-Identifier: MIT */
/* detour uri match|expand|resolve: a pattern, a template or a reference tried by hand,
 * with the very functions that a worker calls. */
#pragma once

/* argv[0] is "uri". Gives the exit code: 0 done; 1 no match, or not a URL; 2 what was
 * given cannot be used, said in one line on standard error. */
int cli_uri(int argc, char **argv);
