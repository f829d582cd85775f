/* SPDX-License-Identifier: MIT */
/* A store's file: its records, which decode to what encodes to the same bytes, and the whole of it
 * as it is read through before LMDB may see it: whatever the bytes are, it says yes or no. */
#include "client/file.h"
#include "client/memo.h"

#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A seal stands at the end, so that what is tried is not the checksum alone. */
static void check_record(const uint8_t *data, size_t size)
{
    static uint8_t bytes[memo_bytes_max];
    static uint8_t again[memo_bytes_max];
    struct memo record;
    if (size + 8 > sizeof(bytes)) {
        return;
    }
    memcpy(bytes, data, size);
    uint64_t seal = hash_bytes(span_of(data, size), 0x64746f72);
    memcpy(bytes + size, &seal, sizeof(seal));
    if (memo_decode(span_of(bytes, size + 8), &record)) {
        struct buffer out = buffer_over(again, sizeof(again));
        assert(record.count > 0 && record.count <= DETOUR_VARIANTS_MAX);
        memo_encode(&record, &out);
        assert(span_eq(buffer_span(&out), span_of(bytes, size + 8)));
    }
}

static void check_file(const uint8_t *data, size_t size)
{
    char why[DETOUR_WHY_BYTES] = "";
    int fd = memfd_create("redirects", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, data, size) == (ssize_t)size) {
        enum detour_error error = file_check(fd, why);
        assert(error == DETOUR_OK || error == DETOUR_ERROR_DAMAGED || error == DETOUR_ERROR_NEWER ||
               error == DETOUR_ERROR_MEMORY);
        assert(error == DETOUR_OK || error == DETOUR_ERROR_MEMORY || why[0] != '\0');
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_record(data, size);
    check_file(data, size);
    return 0;
}
