/* SPDX-License-Identifier: MIT */
/* Methods (RFC 9110, 9): case-sensitive tokens. */
#pragma once

#include "http/request.h"

enum method method_find(struct span name);
/* The registered name; empty for METHOD_OTHER. */
struct span method_name(enum method method);

/* RFC 9110, 9.2.1 and 9.2.2. METHOD_OTHER is neither: nobody knows what it does. */
bool method_is_safe(enum method method);
bool method_is_idempotent(enum method method);
