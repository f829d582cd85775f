/* SPDX-License-Identifier: MIT */
/* wait.js and wait.css as tools/embed.py has read them, and their hashes as a
 * Content-Security-Policy names them: "sha256-…". Private to page/. */
#pragma once

#include "base/span.h"

extern const struct span wait_script;
extern const struct span wait_script_hash;
extern const struct span wait_style;
extern const struct span wait_style_hash;
