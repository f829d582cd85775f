/* SPDX-License-Identifier: MIT */
/* page.html and page.js, as embed.py has read them. Private to referee/. */
#pragma once

#include "base/span.h"

extern const struct span referee_page;
extern const struct span referee_script;
