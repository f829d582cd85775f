/* SPDX-License-Identifier: MIT */
/* What a server says of itself, in a line as HAProxy's agents send it. Pure.
 *
 * Words stand apart by blanks, tabs or commas, in any case; the line ends at CR, LF or NUL,
 * and from '#' on is a remark for people:
 *   up                            it works, as far as it knows
 *   down, failed, fail, stopped   it does not
 *   ready, drain, maint           what its keeper wants of it, until another of these words
 *   75%                           this part of its weight; over 100% counts as 100%
 *   maxconn:N                     for proxies: passed over
 * Words that are not named leave what was said before as it is. */
#pragma once

#include "base/error.h"
#include "base/span.h"
#include "shared/servers.h"

enum { agent_line_bytes_max = 1024, agent_remark_bytes_max = 128 };

struct agent {
    bool down;
    enum server_state wanted; /* SERVER_UP, SERVER_DRAIN or SERVER_MAINT */
    uint32_t weight_ppm;
};

/* One that has said nothing: up, with all of its weight. */
struct agent agent_silent(void);
/* One that said what is in a word of the live state. */
struct agent agent_from_word(uint64_t word);
/* MAINT before DOWN before DRAIN. */
enum server_state agent_state(const struct agent *agent);

/* Hears a line; *remark_out is what stands behind '#', without blanks around it. ERR_SYNTAX: a
 * word that is none of these, or no word at all; nothing has changed then. */
enum err agent_hear(struct agent *agent, struct span line, struct span *remark_out);
