/* SPDX-License-Identifier: MIT */
/* `tls`: which files the certificates are in. Internal to config/. The files themselves are
 * looked at by those who serve or check, and not by those who only explain. */
#pragma once

#include "config/load.h"

/* listen and tls: the values of these keys, NULL where they are absent. The listeners must
 * have been read. */
void read_tls(struct load *load, const struct node *listen, const struct node *tls);
