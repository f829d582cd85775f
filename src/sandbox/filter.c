/* SPDX-License-Identifier: MIT */
/* seccomp: the system calls that a role needs, by name, and no other. A process that was
 * taken over can ask the kernel for little more than what it already does. */
#include "sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>

/* Memory, time, its own descriptors and its own end. */
static const int everybody[] = {
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(close),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(fcntl),
    SCMP_SYS(fstat),
    SCMP_SYS(futex),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(lseek),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(nanosleep),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(read),
    SCMP_SYS(recvmsg),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),
    SCMP_SYS(time),
    SCMP_SYS(write),
    SCMP_SYS(writev),
};

static const int worker[] = {
    SCMP_SYS(accept4),     SCMP_SYS(dup),        SCMP_SYS(getpeername),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),      SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
};

/* The file, the probes with their resolver's threads, the metrics, snapshots. */
static const int control[] = {
    SCMP_SYS(accept4),
    SCMP_SYS(access),
    SCMP_SYS(bind),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(connect),
    SCMP_SYS(dup),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fchmod),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(getdents64),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getuid),
    SCMP_SYS(ioctl),
    SCMP_SYS(memfd_create),
    SCMP_SYS(mkdirat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(pipe2),
    SCMP_SYS(prctl),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(stat),
    SCMP_SYS(statfs),
    SCMP_SYS(statx),
    SCMP_SYS(sysinfo),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(uname),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
};

/* 0, or a negative errno. A call that this machine does not have is left out. */
static int allow_each(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int result = calls[i] < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

/* Memory that is writable now and executable later is how code is brought in. The
 * resolver of control loads libraries, so there it stays allowed. */
static int allow_memory(scmp_filter_ctx filter, bool executable)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        int result = executable ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0)
                                : seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
                                                   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

/* The size of an open file, as the C library asks for it, and the own limits: questions,
 * by the same calls that could do more. */
static int allow_questions(scmp_filter_ctx filter)
{
    int result =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
    return result != 0 ? result
                       : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                                          SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
}

#define ALLOW(list) allow_each(filter, list, sizeof(list) / sizeof(*(list)))

static int allow_role(scmp_filter_ctx filter, enum sandbox_role role)
{
    int result = ALLOW(everybody);
    if (result == 0) {
        result = allow_memory(filter, role == SANDBOX_CONTROL);
    }
    if (result == 0) {
        result = allow_questions(filter);
    }
    if (result == 0 && role == SANDBOX_WORKER) {
        result = ALLOW(worker);
    }
    if (result == 0 && role == SANDBOX_CONTROL) {
        result = ALLOW(control);
    }
    return result;
}

enum err filter_enter(enum sandbox_mode mode, enum sandbox_role role)
{
    uint32_t otherwise = mode == SANDBOX_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM);
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (filter == NULL) {
        errno = ENOMEM;
        return ERR_IO;
    }
    int result = allow_role(filter, role);
    if (result == 0) {
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    errno = -result;
    return result == 0 ? ERR_NONE : ERR_IO;
}
