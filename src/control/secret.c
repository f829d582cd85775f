/* SPDX-License-Identifier: MIT */
/* Makes the key, which stays in this process only while it is copied. */
#include "control/secret.h"

#include "control/publish.h"
#include "tls/mac.h"
#include "tls/material.h"

#include <errno.h>

enum err secret_seal(int *fd_out)
{
    uint8_t key[mac_key_bytes];
    enum err err = mac_key_new(key);
    if (err == ERR_NONE) {
        err = publish_sealed("detour-secret", span_of(key, sizeof(key)), fd_out);
    }
    int why = errno;
    tls_wipe(key, sizeof(key));
    errno = why;
    return err;
}
