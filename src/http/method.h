/* SPDX-License-Identifier: MIT */
/* Methods (RFC 9110, 9): case-sensitive tokens. */
#pragma once

#include "http/request.h"

enum method method_find(struct span name);
/* The registered name; empty for METHOD_OTHER. */
struct span method_name(enum method method);
