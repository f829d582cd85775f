/* SPDX-License-Identifier: MIT */
/* memfd_create, seals and mmap. */
#include "shared/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;

enum err pages_create(const char *name, size_t bytes, int *fd_out)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return ERR_IO;
    }
    if (ftruncate(fd, (off_t)bytes) != 0 || fcntl(fd, F_ADD_SEALS, size_seals) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return ERR_IO;
    }
    *fd_out = fd;
    return ERR_NONE;
}

enum err pages_map(int fd, off_t at, size_t bytes, bool writable, void **out)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ERR_IO;
    }
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & size_seals) != size_seals || at > st.st_size ||
        (uint64_t)(st.st_size - at) < bytes) {
        return ERR_SYNTAX;
    }
    void *memory = mmap(NULL, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                        MAP_SHARED | MAP_NORESERVE, fd, at);
    if (memory == MAP_FAILED) {
        return ERR_IO;
    }
    /* They are large and hold nothing that a core file is read for. */
    (void)madvise(memory, bytes, MADV_DONTDUMP);
    *out = memory;
    return ERR_NONE;
}

void pages_unmap(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}
