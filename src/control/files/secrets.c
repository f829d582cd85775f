/* SPDX-License-Identifier: MIT */
/* What was read is wiped where it stood. */
#include "control/files/secrets.h"

#include "control/files/named.h"
#include "events/sign.h"
#include "tls/material.h"

bool secrets_load(struct configuration *c)
{
    bool good = true;
    uint8_t bytes[sign_file_bytes_max + 1];
    c->secrets = arena_array(&c->arena, c->model->webhook_count + 1, sizeof(*c->secrets));
    if (c->secrets == NULL) {
        problems_error(&c->problems, (struct place){0}, "out of memory");
        return false;
    }
    for (size_t i = 0; i < c->model->webhook_count; i++) {
        const struct model_webhook *webhook = &c->model->webhooks[i];
        struct buffer text = buffer_over(bytes, sizeof(bytes));
        const char *path = named_path(&c->arena, c->problems.file, webhook->secret_file);
        if (!named_read(c, path, webhook->secret_place, &text)) {
            good = false;
            continue;
        }
        const char *why = sign_read(buffer_span(&text), &c->secrets[i]);
        if (why != NULL) {
            problems_error(&c->problems, webhook->secret_place, "cannot use %s: %s", path, why);
            good = false;
        }
    }
    tls_wipe(bytes, sizeof(bytes));
    return good;
}
