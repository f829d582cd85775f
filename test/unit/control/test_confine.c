/* SPDX-License-Identifier: MIT */
/* Which paths control keeps: a child confines itself for a configuration and then opens what
 * it must be able to, and what it must not. */
#include "control/confine.h"

#include "base/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { certificates = 200, opens_max = 6, FAILED_TO_ENTER = 200 };

static char folder[] = "/tmp/detour-confine-XXXXXX";

struct attempt {
    const char *path; /* below the folder, if it is not absolute */
    int flags;
    int error; /* 0: it opens */
};

struct situation {
    const char *name;
    const char *config;
    const char *log;
    size_t certificates; /* keys/N/cert.pem, each in a folder of its own */
    struct attempt attempts[opens_max];
};

static const struct situation situations[] = {
    {.name = "a file beside the configuration",
     .config = "conf/detour.yaml",
     .attempts = {{"conf/detour.yaml", O_RDONLY, 0},
                  {"conf/new", O_WRONLY | O_CREAT, EACCES},
                  {"other/file", O_RDONLY, EACCES},
                  {"/etc/hosts", O_RDONLY, 0},
                  {"/dev/full", O_WRONLY, EACCES},
                  {"/proc/self/maps", O_RDONLY, EACCES}}},
    {.name = "a configuration that is a link",
     .config = "link.yaml",
     .attempts = {{"conf/detour.yaml", O_RDONLY, 0}, {"other/file", O_RDONLY, 0}}},
    {.name = "a configuration behind a link",
     .config = "links/detour.yaml",
     .attempts = {{"conf/detour.yaml", O_RDONLY, 0}, {"other/file", O_RDONLY, EACCES}}},
    {.name = "a log",
     .config = "conf/detour.yaml",
     .log = "log/access.log",
     .attempts = {{"log/access.log", O_WRONLY | O_APPEND | O_CREAT, 0},
                  {"log/another", O_WRONLY | O_CREAT, 0},
                  {"log/access.log", O_RDONLY, EACCES},
                  {"other/file", O_WRONLY, EACCES}}},
    {.name = "a log behind a link",
     .config = "conf/detour.yaml",
     .log = "links/log/access.log",
     .attempts = {{"log/access.log", O_WRONLY | O_APPEND | O_CREAT, 0}}},
    {.name = "a log that is a device",
     .config = "conf/detour.yaml",
     .log = "/dev/zero",
     .attempts = {{"/dev/zero", O_WRONLY, 0},
                  {"/dev/zero", O_RDONLY, EACCES},
                  {"/dev/full", O_WRONLY, EACCES},
                  {"/dev/full", O_RDONLY, EACCES}}},
    {.name = "a log that is a pipe",
     .config = "conf/detour.yaml",
     .log = "log/pipe",
     .attempts = {{"log/pipe", O_RDWR | O_NONBLOCK, 0}, {"log/access.log", O_WRONLY, EACCES}}},
    {.name = "a log in the root",
     .config = "conf/detour.yaml",
     .log = "/detour-confine-test.log",
     .attempts = {{"/tmp", O_RDONLY, EACCES}, {"other/file", O_WRONLY, EACCES}}},
    {.name = "many certificates",
     .config = "conf/detour.yaml",
     .certificates = certificates,
     .attempts = {{"keys/0/cert.pem", O_RDONLY, 0},
                  {"keys/199/cert.pem", O_RDONLY, 0},
                  {"keys/199/cert.pem", O_WRONLY, EACCES},
                  {"keys/200/cert.pem", O_RDONLY, EACCES}}},
};

static const char *below(const char *path)
{
    static char room[4][128];
    static unsigned next;
    char *text = room[next++ % 4];
    if (path[0] == '/') {
        return path;
    }
    snprintf(text, sizeof(room[0]), "%s/%s", folder, path);
    return text;
}

/* Gives 0, or one more than the number of the attempt that went otherwise. */
static int confine_and_open(const struct situation *s)
{
    static char paths[certificates][64];
    static struct model_certificate named[certificates];
    static struct model model;
    for (size_t i = 0; i < s->certificates; i++) {
        snprintf(paths[i], sizeof(paths[i]), "../keys/%zu/cert.pem", i);
        named[i].certificate = named[i].key = span_cstr(paths[i]);
    }
    model.certificates = named;
    model.certificate_count = s->certificates;
    model.access_log = s->log != NULL ? span_cstr(below(s->log)) : (struct span){0};
    const struct sandbox_policy policy = {.mode = SANDBOX_DENY};
    if (control_confine(&policy, below(s->config), &model) != ERR_NONE) {
        return FAILED_TO_ENTER;
    }
    for (int i = 0; i < opens_max && s->attempts[i].path != NULL; i++) {
        const struct attempt *a = &s->attempts[i];
        int fd = open(below(a->path), a->flags | O_CLOEXEC, 0600);
        if (fd < 0 ? errno != a->error : a->error != 0) {
            return i + 1;
        }
    }
    return 0;
}

static void paths_are_kept(void **state)
{
    (void)state;
    if (SANITIZED) {
        skip();
    }
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            _exit(confine_and_open(&situations[i]));
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0) {
            fail_msg("%s: attempt %d, status %#x", situations[i].name, WEXITSTATUS(status), status);
        }
    }
}

static void the_mend_is_named(void **state)
{
    (void)state;
    struct configuration c = {.confined = false};
    assert_string_equal(control_why(&c, EACCES), strerror(EACCES));
    c.confined = true;
    assert_non_null(strstr(control_why(&c, EACCES), "restart Detour"));
    assert_string_equal(control_why(&c, ENOENT), strerror(ENOENT));
}

static int make_file(const char *path)
{
    int fd = open(below(path), O_WRONLY | O_CREAT, 0644);
    return fd < 0 ? -1 : close(fd);
}

static int make_files(void **state)
{
    (void)state;
    static const char *const folders[] = {"conf", "other", "log", "keys"};
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        return -1;
    }
    int failed = 0;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        failed |= mkdir(below(folders[i]), 0777);
    }
    for (int i = 0; i <= certificates; i++) {
        char path[32];
        snprintf(path, sizeof(path), "keys/%d", i);
        failed |= mkdir(below(path), 0755);
        strcat(path, "/cert.pem");
        failed |= make_file(path);
    }
    failed |= make_file("conf/detour.yaml") | make_file("other/file") | make_file("log/access.log");
    failed |= mkfifo(below("log/pipe"), 0600);
    failed |= symlink("conf/detour.yaml", below("link.yaml"));
    failed |= mkdir(below("links"), 0755);
    failed |= symlink("../conf/detour.yaml", below("links/detour.yaml"));
    failed |= symlink("../log", below("links/log"));
    return failed;
}

static int remove_files(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_kept),
        cmocka_unit_test(the_mend_is_named),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
