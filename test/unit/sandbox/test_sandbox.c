/* SPDX-License-Identifier: MIT */
/* The sandbox, seen from within: a child enters it and tries what it must not be able to
 * do any more. Under the sanitizers, which need more, only the texts are tested. */
#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { FAILED_TO_ENTER = 200, PASSED = 0 };

static char folder[] = "/tmp/detour-sandbox-XXXXXX";
static char outside[] = "/tmp/detour-outside-XXXXXX";

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
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ? errno : PASSED;
}

/* Refused by the peer, not by the sandbox. */
static int try_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1)};
    int result = connect(fd, (struct sockaddr *)&address, sizeof(address));
    return result != 0 && errno != ECONNREFUSED ? errno : PASSED;
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
    {"a worker becomes root", SANDBOX_WORKER, try_to_be_root_again, EPERM, SIGSYS},
    {"a worker signals", SANDBOX_WORKER, try_to_signal_parent, EPERM, SIGSYS},
    {"a worker uses memory", SANDBOX_WORKER, try_memory, PASSED, 0},
    {"the logger opens a file", SANDBOX_LOGGER, try_open, EPERM, SIGSYS},
    {"the logger makes a socket", SANDBOX_LOGGER, try_socket, EPERM, SIGSYS},
    {"control opens a named file", SANDBOX_CONTROL, try_named_file, PASSED, 0},
    {"control opens another file", SANDBOX_CONTROL, try_file_outside, EACCES, 0},
    {"control writes where it may read", SANDBOX_CONTROL, try_write_where_reading_is_allowed,
     EACCES, 0},
    {"control listens", SANDBOX_CONTROL, try_bind, EACCES, 0},
    {"control connects", SANDBOX_CONTROL, try_connect, PASSED, 0},
    {"control runs a program", SANDBOX_CONTROL, try_exec, EPERM, SIGSYS},
    {"control becomes another user", SANDBOX_CONTROL, try_to_be_root_again, EPERM, SIGSYS},
};

/* Gives the status of a child that entered the sandbox and tried. */
static int attempt_in_child(const struct attempt *a, enum sandbox_mode mode)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_policy policy;
        const char *reason;
        struct sandbox_path paths[] = {{.path = folder}, {.path = "/does/not/exist"}};
        size_t count = a->role == SANDBOX_CONTROL ? 2 : 0;
        if (sandbox_policy_read(NULL, NULL, &policy, &reason) != ERR_NONE) {
            _exit(FAILED_TO_ENTER);
        }
        policy.mode = mode;
        if (sandbox_enter(&policy, a->role, paths, count) != ERR_NONE) {
            _exit(FAILED_TO_ENTER);
        }
        _exit(a->attempt());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void roles_are_confined(void **state)
{
    (void)state;
    if (SANITIZED) {
        skip();
    }
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const struct attempt *a = &attempts[i];
        int status = attempt_in_child(a, SANDBOX_DENY);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != a->denied) {
            fail_msg("%s, denied: status %#x", a->name, status);
        }
        status = attempt_in_child(a, SANDBOX_KILL);
        bool as_wanted = a->killed != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == a->killed
                                        : WIFEXITED(status) && WEXITSTATUS(status) == a->denied;
        if (!as_wanted) {
            fail_msg("%s, killed: status %#x", a->name, status);
        }
    }
}

/* What the kernel shows of a worker that waits in the sandbox. */
static void root_is_given_up(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    int entered[2];
    int leave[2];
    assert_int_equal(pipe(entered), 0);
    assert_int_equal(pipe(leave), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_policy policy = {.mode = SANDBOX_KILL, .uid = 65534, .gid = 65534};
        char byte = sandbox_enter(&policy, SANDBOX_WORKER, NULL, 0) == ERR_NONE ? 'y' : 'n';
        bool done = write(entered[1], &byte, 1) == 1 && read(leave[0], &byte, 1) == 1;
        _exit(done ? 0 : 1);
    }
    char byte = 0;
    assert_int_equal(read(entered[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    char path[64];
    char text[4096] = {0};
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    int fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    assert_non_null(strstr(text, "Uid:\t65534\t65534\t65534\t65534\n"));
    assert_non_null(strstr(text, "Gid:\t65534\t65534\t65534\t65534\n"));
    assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
    assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
    if (!SANITIZED) {
        assert_non_null(strstr(text, "Seccomp:\t2\n"));
    }
    assert_int_equal(write(leave[1], &byte, 1), 1);
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
        struct sandbox_policy policy = {.mode = SANDBOX_OFF, .uid = 65534, .gid = 65534};
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
    struct sandbox_policy sent = {.mode = SANDBOX_KILL, .uid = 4294967294u, .gid = 7};
    char text[sandbox_text_max];
    sandbox_policy_encode(&sent, text);
    assert_string_equal(text, "kill:4294967294:7");
    struct sandbox_policy got;
    assert_int_equal(sandbox_policy_decode(text, &got), ERR_NONE);
    assert_memory_equal(&sent, &got, sizeof(sent));
    static const char *const bad[] = {
        "",       "kill",        "kill:1",   "kill:1:",   "kill:1:2x",
        "no:1:2", "killing:1:2", "kill::2",  "kill:-1:2", "kill:1:99999999999",
        ":1:2",   "kill:1:2:3",  "kill:a:2", "kill: 1:2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (sandbox_policy_decode(bad[i], &got) != ERR_SYNTAX) {
            fail_msg("taken: %s", bad[i]);
        }
    }
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
    return inside_fd >= 0 && outside_fd >= 0 ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof(path), "%s/read", folder);
    unlink(path);
    rmdir(folder);
    unlink(outside);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_are_confined), cmocka_unit_test(root_is_given_up),
        cmocka_unit_test(off_is_off),         cmocka_unit_test(policies_are_read),
        cmocka_unit_test(policies_travel),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
