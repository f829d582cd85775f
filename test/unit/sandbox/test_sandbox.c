/* SPDX-License-Identifier: MIT */
/* The sandbox, seen from within: a child enters it and tries what it must not be able to
 * do any more. Under the sanitizers, which need more, only the texts are tested. */
#include "sandbox/sandbox.h"

#include "base/sanitizer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { FAILED_TO_ENTER = 200, PASSED = 0 };

static char folder[] = "/tmp/detour-sandbox-XXXXXX";
static char outside[] = "/tmp/detour-outside-XXXXXX";
static char writable[] = "/tmp/detour-writable-XXXXXX";
static char pipe_path[32];
static void *shared_page;          /* that was given to read */
static int listener_fd;            /* as a worker has one */
static struct sockaddr_in address; /* of somebody who listens */

enum { declared_port = 3 }; /* of an origin; nobody listens there */

static int try_open(void)
{
    int fd = open("/etc/passwd", O_RDONLY);
    return fd < 0 ? errno : PASSED;
}

static int try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : PASSED;
}

static int try_exec(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno;
}

static int try_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return pid < 0 ? errno : PASSED;
}

static int try_executable_memory(void)
{
    void *memory =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : PASSED;
}

static int try_to_write_in_shared_pages(void)
{
    return mprotect(shared_page, 4096, PROT_READ | PROT_WRITE) != 0 ? errno : PASSED;
}

static int try_to_be_root_again(void)
{
    return setuid(0) != 0 ? errno : PASSED;
}

static int try_memory(void)
{
    char *bytes = malloc(10 << 20);
    if (bytes == NULL) {
        return ENOMEM;
    }
    memset(bytes, 1, 10 << 20);
    free(bytes);
    return PASSED;
}

static int try_named_file(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/read", folder);
    return open(path, O_RDONLY) < 0 ? errno : PASSED;
}

static int try_write_where_reading_is_allowed(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/new", folder);
    return open(path, O_WRONLY | O_CREAT, 0600) < 0 ? errno : PASSED;
}

static int try_file_outside(void)
{
    return open(outside, O_RDONLY) < 0 ? errno : PASSED;
}

static int try_bind(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 ? errno : PASSED;
}

/* Refused by the peer, not by the sandbox. */
static int try_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in nobody = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1)};
    int result = connect(fd, (struct sockaddr *)&nobody, sizeof(nobody));
    return result != 0 && errno != ECONNREFUSED ? errno : PASSED;
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    struct sockaddr_in nobody = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    if (fd < 0) {
        return errno;
    }
    int result = connect(fd, (struct sockaddr *)&nobody, sizeof(nobody));
    return result != 0 && errno != ECONNREFUSED && errno != EINPROGRESS ? errno : PASSED;
}

static int try_declared_port(void)
{
    return connect_to(declared_port);
}

static int try_other_port(void)
{
    return connect_to(declared_port + 1);
}

static int try_datagrams(void)
{
    return socket(AF_INET, SOCK_DGRAM, 0) < 0 ? errno : PASSED;
}

/* Streams too, but not TCP, whose ports are known. */
static int try_other_streams(void)
{
    return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) < 0 ? errno : PASSED;
}

static int try_many_paths(void)
{
    return socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) < 0 ? errno : PASSED;
}

static int try_local_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : PASSED;
}

/* A listening socket that was shut down is a new one, and data can carry a connection. */
static int try_to_connect_by_sending(void)
{
    if (shutdown(listener_fd, SHUT_RDWR) != 0) {
        return errno;
    }
    ssize_t n = sendto(listener_fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
                       (struct sockaddr *)&address, sizeof(address));
    return n < 0 ? errno : PASSED;
}

static int try_to_connect_by_message(void)
{
    struct iovec bytes = {.iov_base = (char[1]){'x'}, .iov_len = 1};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &bytes, .msg_iovlen = 1};
    if (shutdown(listener_fd, SHUT_RDWR) != 0) {
        return errno;
    }
    return sendmsg(listener_fd, &message, MSG_FASTOPEN | MSG_NOSIGNAL) < 0 ? errno : PASSED;
}

static int try_to_filter_packets(void)
{
    struct sock_filter all = {.code = BPF_RET | BPF_K, .k = 1};
    struct sock_fprog program = {.len = 1, .filter = &all};
    return setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0
               ? errno
               : PASSED;
}

static int try_low_water(void)
{
    int bytes = 10;
    return setsockopt(listener_fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)) != 0 ? errno
                                                                                        : PASSED;
}

static int try_to_send_signals_by_descriptor(void)
{
    return fcntl(listener_fd, F_SETOWN, getppid()) != 0 ? errno : PASSED;
}

static int try_to_signal_by_thread(void)
{
    pid_t parent = getppid();
    return syscall(SYS_tgkill, parent, parent, 0) != 0 ? errno : PASSED;
}

static int try_to_signal_itself(void)
{
    return syscall(SYS_tgkill, getpid(), gettid(), 0) != 0 ? errno : PASSED;
}

static void *nothing(void *context)
{
    return context;
}

static int try_thread(void)
{
    pthread_t thread;
    int result = pthread_create(&thread, NULL, nothing, NULL);
    return result != 0 ? result : pthread_join(thread, NULL);
}

static int try_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_DGRAM, 0) < 0 ? errno : PASSED;
}

static int try_netlink_of_routes(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) < 0 ? errno : PASSED;
}

static int try_other_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG) < 0 ? errno : PASSED;
}

static int try_to_make_file(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/%d", writable, getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    return fd < 0 || write(fd, "x", 1) != 1 ? errno : PASSED;
}

static int try_to_read_where_writing_is_allowed(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/log", writable);
    return open(path, O_RDONLY) < 0 ? errno : PASSED;
}

static int try_to_remove_file(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/log", writable);
    return unlink(path) != 0 ? errno : PASSED;
}

static int try_to_read_configuration_of_kernel(void)
{
    return open("/proc/self/status", O_RDONLY) < 0 ? errno : PASSED;
}

/* The first line with a time must not want a file. */
static int try_time(void)
{
    time_t now = time(NULL);
    struct tm parts;
    return gmtime_r(&now, &parts) != NULL && localtime_r(&now, &parts) != NULL ? PASSED : EINVAL;
}

/* A user who can do nothing has no children to signal, but itself would do. */
static int try_to_signal_parent(void)
{
    return kill(getppid(), 0) != 0 ? errno : PASSED;
}

struct attempt {
    const char *name;
    enum sandbox_role role;
    int (*attempt)(void);
    int denied; /* the error under "deny"; PASSED: allowed under both */
    int killed; /* the signal under "kill"; 0: the error, by another layer than seccomp */
};

static const struct attempt attempts[] = {
    {"a worker opens a file", SANDBOX_WORKER, try_open, EPERM, SIGSYS},
    {"a worker makes a socket", SANDBOX_WORKER, try_socket, EPERM, SIGSYS},
    {"a worker runs a program", SANDBOX_WORKER, try_exec, EPERM, SIGSYS},
    {"a worker forks", SANDBOX_WORKER, try_fork, EPERM, SIGSYS},
    {"a worker makes code", SANDBOX_WORKER, try_executable_memory, EPERM, SIGSYS},
    {"a worker writes in pages to read", SANDBOX_WORKER, try_to_write_in_shared_pages, EPERM,
     SIGSYS},
    {"a worker becomes root", SANDBOX_WORKER, try_to_be_root_again, EPERM, SIGSYS},
    {"a worker signals", SANDBOX_WORKER, try_to_signal_parent, EPERM, SIGSYS},
    {"a worker uses memory", SANDBOX_WORKER, try_memory, PASSED, 0},
    {"a worker connects by sending", SANDBOX_WORKER, try_to_connect_by_sending, EPERM, SIGSYS},
    {"a worker connects by message", SANDBOX_WORKER, try_to_connect_by_message, EPERM, SIGSYS},
    {"a worker filters packets", SANDBOX_WORKER, try_to_filter_packets, EPERM, SIGSYS},
    {"a worker gathers bytes", SANDBOX_WORKER, try_low_water, PASSED, 0},
    {"a worker lends its signals", SANDBOX_WORKER, try_to_send_signals_by_descriptor, EPERM,
     SIGSYS},
    {"a worker signals as a thread", SANDBOX_WORKER, try_to_signal_by_thread, EPERM, SIGSYS},
    {"a worker aborts", SANDBOX_WORKER, try_to_signal_itself, PASSED, 0},
    {"a worker makes a thread", SANDBOX_WORKER, try_thread, EPERM, SIGSYS},
    {"a worker without origins connects", SANDBOX_WORKER, try_declared_port, EPERM, SIGSYS},
    {"a worker tells the time", SANDBOX_WORKER, try_time, PASSED, 0},
    {"the logger tells the time", SANDBOX_LOGGER, try_time, PASSED, 0},
    {"the logger opens a file", SANDBOX_LOGGER, try_open, EPERM, SIGSYS},
    {"the logger makes a socket", SANDBOX_LOGGER, try_socket, EPERM, SIGSYS},
    {"control opens a named file", SANDBOX_CONTROL, try_named_file, PASSED, 0},
    {"control opens another file", SANDBOX_CONTROL, try_file_outside, EACCES, 0},
    {"control writes where it may read", SANDBOX_CONTROL, try_write_where_reading_is_allowed,
     EACCES, 0},
    {"control makes a file for the log", SANDBOX_CONTROL, try_to_make_file, PASSED, 0},
    {"control reads the log", SANDBOX_CONTROL, try_to_read_where_writing_is_allowed, EACCES, 0},
    {"control removes the log", SANDBOX_CONTROL, try_to_remove_file, EPERM, SIGSYS},
    {"control looks at processes", SANDBOX_CONTROL, try_to_read_configuration_of_kernel, EACCES, 0},
    {"control forks", SANDBOX_CONTROL, try_fork, EPERM, SIGSYS},
    {"control makes a thread", SANDBOX_CONTROL, try_thread, PASSED, 0},
    {"control makes code", SANDBOX_CONTROL, try_executable_memory, EPERM, SIGSYS},
    {"control reads packets", SANDBOX_CONTROL, try_packet_socket, EPERM, SIGSYS},
    {"control asks for routes", SANDBOX_CONTROL, try_netlink_of_routes, PASSED, 0},
    {"control asks for sockets", SANDBOX_CONTROL, try_other_netlink, EPERM, SIGSYS},
    {"control signals as a thread", SANDBOX_CONTROL, try_to_signal_by_thread, EPERM, SIGSYS},
    {"control listens", SANDBOX_CONTROL, try_bind, EACCES, 0},
    {"control connects", SANDBOX_CONTROL, try_connect, PASSED, 0},
    {"control runs a program", SANDBOX_CONTROL, try_exec, EPERM, SIGSYS},
    {"control becomes another user", SANDBOX_CONTROL, try_to_be_root_again, EPERM, SIGSYS},
};

/* The same where the configuration has an origin at declared_port. */
static const struct attempt attempts_with_origin[] = {
    {"a worker connects to an origin", SANDBOX_WORKER, try_declared_port, PASSED, 0},
    {"a worker connects elsewhere", SANDBOX_WORKER, try_other_port, EACCES, 0},
    {"a worker sends datagrams", SANDBOX_WORKER, try_datagrams, EPERM, SIGSYS},
    {"a worker with another stream", SANDBOX_WORKER, try_other_streams, EPERM, SIGSYS},
    {"a worker with many paths", SANDBOX_WORKER, try_many_paths, EPERM, SIGSYS},
    {"a worker with a local socket", SANDBOX_WORKER, try_local_socket, EPERM, SIGSYS},
    {"a worker with origins sends", SANDBOX_WORKER, try_to_connect_by_sending, EPERM, SIGSYS},
    {"a worker with origins binds", SANDBOX_WORKER, try_bind, EPERM, SIGSYS},
    {"the logger beside origins", SANDBOX_LOGGER, try_socket, EPERM, SIGSYS},
};

static int listen_somewhere(struct sockaddr_in *where)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(*where);
    *where = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)where, len) == 0 && listen(fd, 5) == 0 &&
                getsockname(fd, (struct sockaddr *)where, &len) == 0;
    return good ? fd : -1;
}

/* Gives the status of a child that entered the sandbox and tried. */
static int attempt_in_child(const struct attempt *a, enum sandbox_mode mode, bool origin)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_policy policy;
        const char *reason;
        struct sandbox_path paths[] = {{.path = folder},
                                       {.path = "/does/not/exist"},
                                       {.path = writable, .write = true},
                                       {.path = pipe_path, .write = true}};
        size_t count = a->role == SANDBOX_CONTROL ? 4 : 0;
        struct sockaddr_in own;
        listener_fd = listen_somewhere(&own);
        shared_page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (listener_fd < 0 || sandbox_policy_read(NULL, NULL, &policy, &reason) != ERR_NONE) {
            _exit(FAILED_TO_ENTER);
        }
        policy.mode = mode;
        policy.ports[0] = declared_port;
        policy.port_count = origin;
        if (sandbox_enter(&policy, a->role, paths, count) != ERR_NONE) {
            _exit(FAILED_TO_ENTER);
        }
        _exit(a->attempt());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void try_each(const struct attempt *list, size_t count, bool origin)
{
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &list[i];
        int status = attempt_in_child(a, SANDBOX_DENY, origin);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != a->denied) {
            fail_msg("%s, denied: status %#x", a->name, status);
        }
        status = attempt_in_child(a, SANDBOX_KILL, origin);
        bool as_wanted = a->killed != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == a->killed
                                        : WIFEXITED(status) && WEXITSTATUS(status) == a->denied;
        if (!as_wanted) {
            fail_msg("%s, killed: status %#x", a->name, status);
        }
    }
}

static void roles_are_confined(void **state)
{
    (void)state;
    if (SANITIZED) {
        skip();
    }
    try_each(attempts, sizeof(attempts) / sizeof(attempts[0]), false);
    try_each(attempts_with_origin, sizeof(attempts_with_origin) / sizeof(attempts_with_origin[0]),
             true);
}

struct shown {
    const char *name;
    enum sandbox_role role;
    unsigned user;
    const char *lines[4];
};

/* CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH are bits 1 and 2. */
static const struct shown shown[] = {
    {"a worker",
     SANDBOX_WORKER,
     65534,
     {"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n",
      "CapPrm:\t0000000000000000\n", "CapBnd:\t0000000000000000\n"}},
    {"the logger",
     SANDBOX_LOGGER,
     65534,
     {"Uid:\t65534\t65534\t65534\t65534\n", "Groups:\t \n", "CapEff:\t0000000000000000\n",
      "CapBnd:\t0000000000000000\n"}},
    {"a worker that stays root",
     SANDBOX_WORKER,
     0,
     {"Uid:\t0\t0\t0\t0\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
      "CapBnd:\t0000000000000000\n"}},
    {"control",
     SANDBOX_CONTROL,
     65534,
     {"Uid:\t0\t0\t0\t0\n", "CapPrm:\t0000000000000006\n", "CapEff:\t0000000000000006\n",
      "CapBnd:\t0000000000000006\n"}},
};

/* What the kernel shows of a process that waits in the sandbox. */
static void show(const struct shown *s, char *text, size_t size)
{
    int entered[2];
    int leave[2];
    assert_int_equal(pipe(entered), 0);
    assert_int_equal(pipe(leave), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_policy policy = {.mode = SANDBOX_KILL, .uid = s->user, .gid = s->user};
        char byte = sandbox_enter(&policy, s->role, NULL, 0) == ERR_NONE ? 'y' : 'n';
        bool done = write(entered[1], &byte, 1) == 1 && read(leave[0], &byte, 1) == 1;
        _exit(done ? 0 : 1);
    }
    char byte = 0;
    assert_int_equal(read(entered[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, size - 1);
    assert_true(n > 0);
    text[n] = 0;
    close(fd);
    assert_int_equal(write(leave[1], &byte, 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        close(entered[i]);
        close(leave[i]);
    }
}

static void root_is_given_up(void **state)
{
    (void)state;
    if (geteuid() != 0 || SANITIZED) {
        skip();
    }
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        char text[4096];
        show(&shown[i], text, sizeof(text));
        for (size_t k = 0; k < 4; k++) {
            if (strstr(text, shown[i].lines[k]) == NULL) {
                fail_msg("%s: no %s in %s", shown[i].name, shown[i].lines[k], text);
            }
        }
        assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
        assert_non_null(strstr(text, "Seccomp:\t2\n"));
    }
}

/* A kernel that knows neither, as a filter around the filter plays it. */
static void forget_the_sandbox(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        _exit(FAILED_TO_ENTER);
    }
}

static void enter_on_an_old_kernel(enum sandbox_mode mode)
{
    int said[2];
    assert_int_equal(pipe(said), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_policy policy = {.mode = mode};
        policy.uid = policy.gid = geteuid() == 0 ? 65534 : 0;
        dup2(said[1], STDERR_FILENO);
        forget_the_sandbox();
        if (sandbox_enter(&policy, SANDBOX_WORKER, NULL, 0) != ERR_NONE) {
            _exit(FAILED_TO_ENTER);
        }
        _exit(geteuid() == 0 ? FAILED_TO_ENTER : try_open());
    }
    close(said[1]);
    char text[1024];
    size_t len = 0;
    ssize_t n;
    while ((n = read(said[0], text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    text[len] = 0;
    close(said[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_non_null(strstr(text, "no Landlock for us (Function not implemented)"));
    assert_non_null(strstr(text, "no seccomp for us ("));
}

static void an_old_kernel_costs_a_warning(void **state)
{
    (void)state;
    enter_on_an_old_kernel(SANDBOX_DENY);
    enter_on_an_old_kernel(SANDBOX_KILL);
}

/* But who was named is become all the same. */
static void a_user_without_a_sandbox(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    struct sandbox_policy policy;
    const char *reason;
    assert_int_equal(sandbox_policy_read("off", NULL, &policy, &reason), ERR_NONE);
    assert_int_equal(policy.uid, 0);
    assert_int_equal(sandbox_policy_read("off", "12345", &policy, &reason), ERR_NONE);
    assert_int_equal(policy.uid, 12345);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        enum err err = sandbox_enter(&policy, SANDBOX_WORKER, NULL, 0);
        _exit(err == ERR_NONE && geteuid() == 12345 ? 0 : FAILED_TO_ENTER);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Of all capabilities one that says nothing about users stays. */
static int drop_setuid(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    data[0].effective = data[0].permitted = 1u << CAP_NET_BIND_SERVICE;
    return (int)syscall(SYS_capset, &header, data);
}

/* Root without CAP_SETUID, as in some containers. */
static void a_root_who_may_not(void **state)
{
    (void)state;
    if (geteuid() != 0 || SANITIZED) {
        skip();
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_policy policy = {.uid = 77};
        const char *reason = "";
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* it warns */
        struct sandbox_policy none = {.mode = SANDBOX_DENY};
        if (drop_setuid() != 0 || sandbox_policy_read(NULL, "12345", &policy, &reason) != ERR_IO ||
            strstr(reason, "CAP_SETUID") == NULL ||
            sandbox_policy_read(NULL, NULL, &policy, &reason) != ERR_NONE || policy.uid != 0) {
            _exit(FAILED_TO_ENTER);
        }
        _exit(sandbox_enter(&none, SANDBOX_WORKER, NULL, 0) == ERR_NONE ? 0 : FAILED_TO_ENTER);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void off_is_off(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_policy policy = {.mode = SANDBOX_OFF};
        if (sandbox_enter(&policy, SANDBOX_WORKER, NULL, 0) != ERR_NONE) {
            _exit(FAILED_TO_ENTER);
        }
        _exit(try_open());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void policies_are_read(void **state)
{
    (void)state;
    struct sandbox_policy policy;
    const char *reason = NULL;
    assert_int_equal(sandbox_policy_read("kill", NULL, &policy, &reason), ERR_NONE);
    assert_int_equal(policy.mode, SANDBOX_KILL);
    assert_int_equal(sandbox_policy_read(NULL, NULL, &policy, &reason), ERR_NONE);
    assert_int_equal(policy.mode, SANDBOX_DENY);
    assert_int_equal(sandbox_policy_read("perhaps", NULL, &policy, &reason), ERR_SYNTAX);
    assert_non_null(reason);
    reason = NULL;
    assert_int_equal(sandbox_policy_read(NULL, "no such user", &policy, &reason), ERR_SYNTAX);
    assert_non_null(reason);
    if (geteuid() == 0) {
        assert_int_equal(sandbox_policy_read(NULL, "12345", &policy, &reason), ERR_NONE);
        assert_int_equal(policy.uid, 12345);
        assert_int_equal(policy.gid, 12345);
        assert_int_equal(sandbox_policy_read(NULL, "root", &policy, &reason), ERR_NONE);
        assert_int_equal(policy.uid, 0);
    }
}

static void policies_travel(void **state)
{
    (void)state;
    struct sandbox_policy sent = {
        .mode = SANDBOX_KILL, .uid = 4294967294u, .gid = 7, .ports = {80, 65535}, .port_count = 2};
    char text[sandbox_text_max];
    sandbox_policy_encode(&sent, text);
    assert_string_equal(text, "kill:4294967294:7:80,65535");
    struct sandbox_policy got;
    assert_int_equal(sandbox_policy_decode(text, &got), ERR_NONE);
    assert_memory_equal(&sent, &got, sizeof(sent));
    static const char *const bad[] = {"",
                                      "kill",
                                      "kill:1",
                                      "kill:1:",
                                      "kill:1:2x:",
                                      "no:1:2:",
                                      "killing:1:2:",
                                      "kill::2:",
                                      "kill:-1:2:",
                                      "kill:1:99999999999:",
                                      ":1:2:",
                                      "kill:1:2",
                                      "kill:a:2:",
                                      "kill: 1:2:",
                                      "kill:1:2:x",
                                      "kill:1:2:0",
                                      "kill:1:2:65536",
                                      "kill:1:2:1,",
                                      "kill:1:2:,1",
                                      "kill:1:2: 1",
                                      "kill:1:2:1:2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sandbox_policy_decode(bad[i], &got) != ERR_SYNTAX) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_int_equal(sandbox_policy_decode("deny:1:2:", &got), ERR_NONE);
    assert_int_equal(got.port_count, 0);
}

static int make_files(void **state)
{
    (void)state;
    char path[64];
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/read", folder);
    int inside_fd = open(path, O_WRONLY | O_CREAT, 0644);
    int outside_fd = mkstemp(outside);
    close(inside_fd);
    close(outside_fd);
    if (mkdtemp(writable) == NULL || chmod(writable, 0777) != 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/log", writable);
    close(open(path, O_WRONLY | O_CREAT, 0644));
    int ends[2];
    if (pipe(ends) != 0) {
        return -1;
    }
    snprintf(pipe_path, sizeof(pipe_path), "/proc/self/fd/%d", ends[1]);
    return inside_fd >= 0 && outside_fd >= 0 && listen_somewhere(&address) >= 0 ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof(path), "%s/read", folder);
    unlink(path);
    rmdir(folder);
    unlink(outside);
    DIR *made = opendir(writable);
    for (struct dirent *entry; made != NULL && (entry = readdir(made)) != NULL;) {
        unlinkat(dirfd(made), entry->d_name, 0);
    }
    closedir(made);
    rmdir(writable);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_are_confined),
        cmocka_unit_test(root_is_given_up),
        cmocka_unit_test(off_is_off),
        cmocka_unit_test(policies_are_read),
        cmocka_unit_test(policies_travel),
        cmocka_unit_test(an_old_kernel_costs_a_warning),
        cmocka_unit_test(a_user_without_a_sandbox),
        cmocka_unit_test(a_root_who_may_not),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
