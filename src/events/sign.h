/* SPDX-License-Identifier: MIT */
/* Signatures of webhooks as Standard Webhooks has them (standardwebhooks.com, version 1):
 *
 *   webhook-signature: v1,<base64 of HMAC-SHA-256 over "id.timestamp.content">
 *
 * and one after the other, with a space between, while secrets are being changed. Pure. */
#pragma once

#include "base/span.h"

enum {
    sign_secrets_max = 4,
    sign_secret_bytes_min = 24,
    sign_secret_bytes_max = 256,
    sign_file_bytes_max = 4096,
    sign_one_bytes = 48, /* "v1,", 44 of base64, a space or the NUL */
    sign_text_bytes = sign_secrets_max * sign_one_bytes,
};

struct sign_secret {
    uint8_t bytes[sign_secret_bytes_max];
    size_t len;
};

struct sign_secrets {
    struct sign_secret items[sign_secrets_max];
    size_t count;
};

/* What stands in a file of secrets: one a line, the newest first. "whsec_" is followed by base64
 * (RFC 4648, 4); anything else stands for its own bytes. Blank lines are skipped. NULL when it is
 * good; else what is wrong, for people, and *out is not written. */
const char *sign_read(struct span file, struct sign_secrets *out);

/* The value of webhook-signature. */
void sign_make(const struct sign_secrets *secrets, struct span id, int64_t timestamp_s,
               struct span content, char out[sign_text_bytes]);
