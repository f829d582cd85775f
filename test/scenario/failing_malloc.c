/* SPDX-License-Identifier: MIT */
/* Preloaded into a worker: an allocation that the test chooses fails. The test and the
 * worker share a page, which is mapped before the sandbox closes the files. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct plan {
    _Atomic int64_t until; /* so many allocations succeed; 0: all do from here on */
    _Atomic int64_t for_;  /* then so many fail */
    _Atomic int64_t failed;
    _Atomic int64_t asked; /* allocations so far */
};

static struct plan *plan;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static int is_worker(void)
{
    char words[256] = {0};
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, words, sizeof(words) - 1);
    close(fd);
    return n > 0 && memmem(words, (size_t)n, "_worker", 7) != NULL;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAILING_MALLOC");
    if (path == NULL || !is_worker()) {
        return;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *page = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    plan = page == MAP_FAILED ? NULL : page;
}

static int fails(void)
{
    if (plan == NULL) {
        return 0;
    }
    atomic_fetch_add(&plan->asked, 1);
    if (atomic_load(&plan->until) == 0) {
        return 0;
    }
    if (atomic_load(&plan->until) > 1) {
        atomic_fetch_sub(&plan->until, 1);
        return 0;
    }
    if (atomic_fetch_sub(&plan->for_, 1) == 1) {
        atomic_store(&plan->until, 0);
    }
    atomic_fetch_add(&plan->failed, 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *reallocarray(void *memory, size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = fails() ? NULL : __libc_memalign(alignment, size);
    if (memory == NULL) {
        return ENOMEM;
    }
    *out = memory;
    return 0;
}
