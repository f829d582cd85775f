/* SPDX-License-Identifier: MIT */
/* The key that signs the tickets of wait pages. */
#pragma once

#include "base/error.h"

/* A new key in a sealed memfd. ERR_IO. */
enum err secret_seal(int *fd_out);
