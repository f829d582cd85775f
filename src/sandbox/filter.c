/* SPDX-License-Identifier: MIT */
/* seccomp: the system calls that a role needs, by name and where it matters by argument,
 * and no other. A process that was taken over can ask the kernel for little more than what
 * it already does. Besides what our own code calls there is what the C library, OpenSSL and
 * libcurl call in other versions and on other machines. */
#include "sandbox/internal.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANY(name)              \
    {                          \
        .call = SCMP_SYS(name) \
    }
/* Only when the argument is this, or has of the bits in the mask these. */
#define IF(name, number, value)                                                         \
    {                                                                                   \
        .call = SCMP_SYS(name), .count = 1, .args = { {number, SCMP_CMP_EQ, value, 0} } \
    }
#define IF_BITS(name, number, mask, value)                                                        \
    {                                                                                             \
        .call = SCMP_SYS(name), .count = 1, .args = { {number, SCMP_CMP_MASKED_EQ, mask, value} } \
    }
#define IF_BOTH(name, number, value, other, other_value) \
    {                                                    \
        .call = SCMP_SYS(name), .count = 2, .args = {    \
            {number, SCMP_CMP_EQ, value, 0},             \
            {other, SCMP_CMP_EQ, other_value, 0}         \
        }                                                \
    }

struct rule {
    int call;
    unsigned count;
    struct scmp_arg_cmp args[3];
};

/* Memory, time, its own descriptors and its own end. */
static const struct rule everybody[] = {
    ANY(brk),
    ANY(clock_gettime),
    ANY(close),
    ANY(exit),
    ANY(exit_group),
    IF(fcntl, 1, F_ADD_SEALS),
    IF(fcntl, 1, F_DUPFD_CLOEXEC),
    IF(fcntl, 1, F_GETFD),
    IF(fcntl, 1, F_GETFL),
    IF(fcntl, 1, F_GET_SEALS),
    IF(fcntl, 1, F_SETFD),
    IF(fcntl, 1, F_SETFL),
    ANY(fstat),
    ANY(futex),
    ANY(getpid),
    ANY(getrandom),
    ANY(gettid),
    ANY(gettimeofday),
    ANY(madvise),
    /* Memory that is writable now and executable later is how code is brought in. */
    IF_BITS(mmap, 2, PROT_EXEC, 0),
    ANY(mremap),
    ANY(munmap),
    /* fstat, as this C library asks. */
    IF(newfstatat, 3, AT_EMPTY_PATH),
    ANY(poll),
    ANY(ppoll),
    /* Its own limits, to look at. */
    IF(prlimit64, 2, 0),
    ANY(read),
    ANY(recvmsg),
    ANY(restart_syscall),
    ANY(rt_sigaction),
    ANY(rt_sigprocmask),
    ANY(rt_sigreturn),
    /* Its data may make a connection, which neither connect nor Landlock sees: a listening
     * socket that was shut down is a new socket. */
    IF_BITS(sendmsg, 2, MSG_FASTOPEN, 0),
    ANY(sysinfo),
    ANY(time),
    ANY(write),
    ANY(writev),
};

static const struct rule worker[] = {
    ANY(accept4),
    ANY(epoll_ctl),
    ANY(epoll_pwait),
    ANY(epoll_wait),
    ANY(recvfrom),
    /* No sendto, which can make a connection as sendmsg can: answers leave by write. */
    IF_BOTH(setsockopt, 1, SOL_SOCKET, 2, SO_RCVLOWAT),
    ANY(shutdown),
};

/* A TCP socket and no other stream: Landlock knows the ports of TCP alone. */
#define IF_TCP(family, protocol)                                                                \
    {                                                                                           \
        .call = SCMP_SYS(socket), .count = 3, .args = {                                         \
            {0, SCMP_CMP_EQ, family, 0},                                                        \
            {1, SCMP_CMP_MASKED_EQ, UINT32_MAX & ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), \
             SOCK_STREAM},                                                                      \
            {2, SCMP_CMP_EQ, protocol, 0}                                                       \
        }                                                                                       \
    }

/* Connections to origins. Landlock says to which ports. */
static const struct rule passing[] = {
    ANY(connect),
    IF_BOTH(getsockopt, 1, SOL_SOCKET, 2, SO_ERROR),
    IF_BOTH(setsockopt, 1, IPPROTO_TCP, 2, TCP_NODELAY),
    IF_BOTH(setsockopt, 1, SOL_SOCKET, 2, SO_LINGER), /* an answer broken off: serve/exchange1.c */
    IF_TCP(AF_INET, 0),
    IF_TCP(AF_INET, IPPROTO_TCP),
    IF_TCP(AF_INET6, 0),
    IF_TCP(AF_INET6, IPPROTO_TCP),
};

/* What makes a process, or a namespace, of a thread. */
static const unsigned long clone_bits = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_VFORK |
                                        CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                        CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

/* The file, the store, the probes with their resolver's threads, the metrics, snapshots. */
static const struct rule control[] = {
    ANY(accept4),
    ANY(bind),
    IF_BITS(clone, 0, clone_bits, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD),
    ANY(connect),
    ANY(epoll_ctl),
    ANY(epoll_pwait),
    ANY(epoll_wait),
    ANY(eventfd2),
    ANY(fallocate),
    IF(fcntl, 1, F_GETLK),
    IF(fcntl, 1, F_SETLK),
    IF(fcntl, 1, F_SETLKW),
    IF(fcntl, 1, F_SETPIPE_SZ),
    ANY(fdatasync),
    ANY(fstatfs),
    ANY(fsync),
    ANY(getegid),
    ANY(geteuid),
    ANY(getgid),
    ANY(getpeername),
    ANY(getsockname),
    ANY(getsockopt),
    ANY(getuid),
    IF(ioctl, 1, FIONBIO),
    IF(ioctl, 1, FIONREAD),
    IF(ioctl, 1, TCGETS),
    ANY(lseek),
    ANY(memfd_create),
    /* The resolver loads libraries, and its threads have heaps of their own. Others have no
     * use of it but to write in pages that they were given to read. */
    IF_BITS(mmap, 2, PROT_WRITE | PROT_EXEC, PROT_EXEC),
    IF_BITS(mprotect, 2, PROT_EXEC, 0),
    ANY(newfstatat),
    ANY(openat),
    ANY(pipe2),
    IF(prctl, 0, PR_SET_NAME),
    IF(prctl, 0, PR_SET_VMA),
    ANY(pread64),
    ANY(pwrite64),
    ANY(pwritev),
    ANY(recvfrom),
    ANY(rseq),
    ANY(sched_getaffinity),
    ANY(sched_yield),
    ANY(sendmmsg),
    ANY(sendto),
    ANY(set_robust_list),
    ANY(setsockopt),
    ANY(shutdown),
    IF(socket, 0, AF_INET),
    IF(socket, 0, AF_INET6),
    IF(socket, 0, AF_UNIX),
    IF_BOTH(socket, 0, AF_NETLINK, 2, 0), /* NETLINK_ROUTE: which addresses there are */
    IF(socketpair, 0, AF_UNIX),
    ANY(statx),
    ANY(timerfd_settime),
    ANY(uname),
};

/* 0, or a negative errno. A call that this machine does not have is left out. */
static int allow_each(scmp_filter_ctx filter, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        int result = rule->call < 0 ? 0
                                    : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call,
                                                             rule->count, rule->args);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

#define ALLOW(list) allow_each(filter, list, sizeof(list) / sizeof(*(list)))

/* abort() signals itself. All of us may be the same user, and others too. */
static int allow_abort(scmp_filter_ctx filter)
{
    const struct rule rules[] = {IF(tgkill, 0, (scmp_datum_t)getpid())};
    return ALLOW(rules);
}

/* Its flags stand in memory, where no filter looks: the C library then takes clone. */
static int hide_clone3(scmp_filter_ctx filter)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
}

static int allow_role(scmp_filter_ctx filter, enum sandbox_role role, bool passes)
{
    int result = ALLOW(everybody);
    if (result == 0) {
        result = allow_abort(filter);
    }
    if (result == 0 && role == SANDBOX_WORKER) {
        result = ALLOW(worker);
    }
    if (result == 0 && role == SANDBOX_WORKER && passes) {
        result = ALLOW(passing);
    }
    if (result == 0 && role == SANDBOX_CONTROL) {
        result = ALLOW(control);
    }
    if (result == 0 && role == SANDBOX_CONTROL) {
        result = hide_clone3(filter);
    }
    return result;
}

enum err filter_enter(const struct sandbox_policy *policy, enum sandbox_role role)
{
    uint32_t otherwise =
        policy->mode == SANDBOX_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM);
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (filter == NULL) {
        errno = ENOSYS; /* the library asks the kernel first whether it knows the actions */
        return ERR_IO;
    }
    int result = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
    if (result == 0) {
        result = allow_role(filter, role, policy->port_count > 0);
    }
    if (result == 0) {
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    errno = -result;
    return result == 0 ? ERR_NONE : ERR_IO;
}
