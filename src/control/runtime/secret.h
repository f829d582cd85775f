/* SPDX-License-Identifier: MIT */
/* The key that signs the tickets of wait pages. */
#pragma once

#include "store/store.h"

/* The store's key, or a new one when store is NULL, or cannot keep one (which the log says): a
 * key that ends with the program is better than no page. In a sealed memfd. ERR_IO. */
enum err secret_seal(struct store *store, int *fd_out);
