/* SPDX-License-Identifier: MIT */
/* Fetches or makes the key, which stays in this process only while it is copied. */
#include "control/runtime/secret.h"

#include "base/log.h"
#include "control/publish.h"
#include "tls/mac.h"
#include "tls/material.h"

#include <assert.h>
#include <errno.h>

static_assert((int)store_secret_bytes == (int)mac_key_bytes, "a key is a secret");

static enum err find_key(struct store *store, uint8_t key[mac_key_bytes])
{
    enum err err = store != NULL ? store_secret(store, SPAN("tickets"), key) : ERR_NOTFOUND;
    if (err == ERR_NONE) {
        return ERR_NONE;
    }
    if (store != NULL) {
        log_warning("tickets of wait pages end with the program, since the store keeps no key: %s",
                    err_why(err));
    }
    return mac_key_new(key);
}

enum err secret_seal(struct store *store, int *fd_out)
{
    uint8_t key[mac_key_bytes];
    enum err err = find_key(store, key);
    if (err == ERR_NONE) {
        err = publish_sealed("detour-secret", span_of(key, sizeof(key)), fd_out);
    }
    int why = errno;
    tls_wipe(key, sizeof(key));
    errno = why;
    return err;
}
