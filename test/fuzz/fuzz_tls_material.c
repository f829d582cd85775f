/* SPDX-License-Identifier: MIT */
/* The block that a worker's TLS context is made of: what is accepted is written again to
 * the very same bytes, and a context that cannot be made of it says why. */
#include "tls/material.h"
#include "tls/tls.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_material material;
    struct span block = span_of(data, size);
    struct tls_context *context = NULL;
    const char *reason = NULL;
    enum err err = tls_material_decode(block, &material);
    if (err == ERR_NONE) {
        assert(tls_material_bytes(&material) == size);
        uint8_t *again = malloc(size);
        struct buffer out = buffer_over(again, size);
        tls_material_encode(&material, &out);
        assert(!out.full && span_eq(buffer_span(&out), block));
        free(again);
    }
    enum err made = tls_context_new(block, &context, &reason);
    assert(err == ERR_NONE || made == ERR_SYNTAX);
    assert((made == ERR_NONE) == (context != NULL) && (context != NULL || reason != NULL));
    tls_context_free(&context);
    return 0;
}
