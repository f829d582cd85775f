/* SPDX-License-Identifier: MIT */
/* A disk that fails: at a write of pages, at their way to the disk, at the one write that makes
 * them count. The functions of the C library that LMDB calls are replaced by these. */
#include "fixture.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault { FAULT_NONE, FAULT_PAGES, FAULT_SYNC, FAULT_META };

enum { meta_bytes_max = 200 }; /* far less than a page */

static enum fault fault;
static int fault_error;
static unsigned fault_count;

static bool fails(enum fault wanted)
{
    if (fault != wanted) {
        return false;
    }
    fault_count++;
    errno = fault_error;
    return true;
}

/* By the names that LMDB links to: here a macro may have made others of them. */
ssize_t faulty_pwrite(int fd, const void *bytes, size_t len, off_t at) __asm__("pwrite");
ssize_t faulty_writev(int fd, const struct iovec *pieces, int count) __asm__("writev");
int faulty_fdatasync(int fd) __asm__("fdatasync");

ssize_t faulty_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return fails(len < meta_bytes_max ? FAULT_META : FAULT_PAGES)
               ? -1
               : (ssize_t)syscall(SYS_pwrite64, fd, bytes, len, at);
}

ssize_t faulty_writev(int fd, const struct iovec *pieces, int count)
{
    return fails(FAULT_PAGES) ? -1 : (ssize_t)syscall(SYS_writev, fd, pieces, count);
}

int faulty_fdatasync(int fd)
{
    return fails(FAULT_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static enum err apply_faulty(struct fixture *f, enum fault where, int error)
{
    uint64_t number;
    const struct store_change change = change_set("s/faulty", "1", 0);
    fault = where;
    fault_error = error;
    fault_count = 0;
    enum err err = store_apply(f->store, &change, 1, &number);
    int why = errno;
    fault = FAULT_NONE;
    assert_true(fault_count > 0);
    errno = why;
    return err;
}

/* After each the store can be used on, has what it had, and counts on without a gap. */
static void a_change_that_fails_is_none(void **state)
{
    static const struct {
        enum fault where;
        int error;
        bool full;
    } rows[] = {{FAULT_PAGES, ENOSPC, true}, {FAULT_PAGES, EDQUOT, true}, {FAULT_PAGES, EIO, false},
                {FAULT_SYNC, ENOSPC, true},  {FAULT_SYNC, EIO, false},    {FAULT_META, EIO, false},
                {FAULT_META, ENOSPC, true},  {FAULT_META, EIO, false}};
    struct fixture *f = *state;
    fixture_open(f);
    apply_one(f, change_set("s/d", "1", 0));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t digest = fixture_digest(f);
        assert_int_equal(apply_faulty(f, rows[i].where, rows[i].error), ERR_IO);
        assert_int_equal(errno, rows[i].error);
        assert_int_equal(store_is_full(errno), rows[i].full);
        assert_true(fixture_digest(f) == digest);
        assert_int_equal(apply_one(f, change_set("s/d", "2", i)), i + 2);
        fixture_reopen(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_that_fails_is_none, fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
