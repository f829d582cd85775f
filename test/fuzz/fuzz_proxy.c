/* SPDX-License-Identifier: MIT */
/* PROXY headers: bounded, the same octet by octet, and nothing is written but on success. */
#include "http/proxy_protocol.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct client before = {.address = {1, 2, 3}, .port = 4};
    struct span bytes = span_of(data, size);
    struct client client = before;
    struct client slow_client = before;
    size_t used = 0;
    size_t slow_used = 0;
    enum proxy_result result = proxy_decode(bytes, &used, &client);

    enum proxy_result slow = PROXY_MORE;
    for (size_t len = 1; slow == PROXY_MORE && len <= size; len++) {
        slow = proxy_decode(span_slice(bytes, 0, len), &slow_used, &slow_client);
    }
    assert(slow == result && slow_used == used);
    assert(memcmp(client.address, slow_client.address, 16) == 0);
    assert(client.port == slow_client.port && client.secure == slow_client.secure);
    if (result == PROXY_DONE) {
        assert(used > 0 && used <= size && used <= proxy_v2_bytes_max);
    } else {
        assert(used == 0 && client.port == before.port && !client.secure);
        assert(memcmp(client.address, before.address, 16) == 0);
    }
    assert(result != PROXY_MORE || size < proxy_v2_bytes_max);
    return 0;
}
