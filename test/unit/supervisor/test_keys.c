/* SPDX-License-Identifier: MIT */
/* Keys of signed tickets and the snapshot that they were sent with come into force together,
 * whenever control dies. */
#include "supervisor/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>

enum { nobodys_pid = INT_MAX };

/* The supervisor, the far ends of control and of one worker, and what came last. */
struct rig {
    struct supervisor s;
    struct child workers[worker_lanes];
    int control;
    int worker;
    struct channel_buffer buffer;
    char seen[16]; /* a letter for each message: what the key in it says, or '-' for none */
};

static int sealed(const char *text, bool seal)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    if (seal) {
        assert_int_equal(
            fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    }
    return fd;
}

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct supervisor *s = &r->s;
    *s = (struct supervisor){.phase = PHASE_SERVING,
                             .exit_status = -1,
                             .generation = 1,
                             .worker_count = 1,
                             .workers = r->workers,
                             .snapshot_fd = sealed("snapshot", true),
                             .snapshot_old_fd = -1,
                             .text_fd = sealed("text", true),
                             .secret_fd = sealed("secret", true),
                             .tls_fd = -1,
                             .geo_fd = -1,
                             .sign_fd = -1,
                             .sign_next_fd = -1,
                             .log_fd = -1};
    s->sockets.count = 1;
    s->sockets.entries[0].use = SOCKET_METRICS; /* not for workers */
    for (size_t i = 0; i < WELCOME_FDS; i++) {
        s->page_fds[i] = sealed("page", true);
    }
    child_init(&s->control, CHILD_CONTROL, 0, 0);
    child_init(&s->logger, CHILD_LOGGER, 0, 0);
    for (uint32_t i = 0; i < worker_lanes; i++) {
        child_init(&r->workers[i], CHILD_WORKER, 0, i);
        r->workers[i].turn = i == 0 ? TURN_ON : TURN_LEFT;
    }
    s->control.pid = r->workers[0].pid = nobodys_pid;
    assert_int_equal(channel_pair(&s->control.channel, &r->control), ERR_NONE);
    assert_int_equal(channel_pair(&r->workers[0].channel, &r->worker), ERR_NONE);
    return r;
}

static void rig_free(struct rig *r)
{
    struct supervisor *s = &r->s;
    int fds[] = {s->snapshot_fd, s->snapshot_old_fd,   s->text_fd,
                 s->secret_fd,   s->sign_fd,           s->sign_next_fd,
                 s->log_fd,      s->control.channel,   r->control,
                 r->worker,      r->workers[0].channel};
    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    for (size_t i = 0; i < WELCOME_FDS; i++) {
        close(s->page_fds[i]);
    }
    free(r);
}

/* Control says this. */
static void say(struct rig *r, struct message *message)
{
    assert_int_equal(channel_send(r->control, message), ERR_NONE);
    for (size_t i = 0; i < message->fd_count; i++) {
        close(message->fds[i]);
    }
    hub_receive(&r->s, &r->s.control);
}

static void say_keys(struct rig *r, const char *keys, bool seal)
{
    struct message message = {.type = MESSAGE_SIGN, .fd_count = keys != NULL};
    if (keys != NULL) {
        message.fds[0] = sealed(keys, seal);
    }
    say(r, &message);
}

static void say_snapshot(struct rig *r, bool configuration)
{
    struct message message = {.type = MESSAGE_SNAPSHOT,
                              .generation = r->s.generation + 1,
                              .fd_count = configuration ? 2 : 1};
    for (size_t i = 0; i < message.fd_count; i++) {
        message.fds[i] = sealed("a snapshot, or a text", true);
    }
    say(r, &message);
}

/* What somebody has heard: "aS" is the key a and then a snapshot, 'W' a welcome. */
static const char *heard(struct rig *r, int far)
{
    struct message message;
    size_t count = 0;
    while (channel_receive(far, &r->buffer, &message) == ERR_NONE) {
        char letter = message.type == MESSAGE_SNAPSHOT  ? 'S'
                      : message.type == MESSAGE_WELCOME ? 'W'
                                                        : '\0';
        if (message.type == MESSAGE_SIGN) {
            letter = '-';
            assert_true(message.fd_count == 0 || pread(message.fds[0], &letter, 1, 0) == 1);
        }
        assert_true(count + 1 < sizeof(r->seen));
        r->seen[count] = letter;
        count += letter != '\0';
        message_close_fds(&message);
    }
    r->seen[count] = '\0';
    return r->seen;
}

static void control_dies(struct rig *r)
{
    close(r->control);
    close(r->s.control.channel);
    assert_int_equal(channel_pair(&r->s.control.channel, &r->control), ERR_NONE);
    hub_welcome(&r->s, &r->s.control);
}

static void keys_wait_for_their_snapshot(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    say_keys(r, "a", true);
    assert_string_equal(heard(r, r->worker), "");
    say_snapshot(r, false); /* a window opened: of the configuration before */
    assert_string_equal(heard(r, r->worker), "S");
    say_snapshot(r, true);
    assert_string_equal(heard(r, r->worker), "aS");
    say_snapshot(r, true);
    assert_string_equal(heard(r, r->worker), "S");
    say_keys(r, "b", true);
    say_keys(r, "c", true);
    say_snapshot(r, true);
    assert_string_equal(heard(r, r->worker), "cS");
    say_keys(r, NULL, true);
    say_snapshot(r, true);
    assert_string_equal(heard(r, r->worker), "-S");
    rig_free(r);
}

static void control_dies_between_the_two(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    control_dies(r);
    assert_string_equal(heard(r, r->control), "W");
    say_keys(r, "a", true);
    say_snapshot(r, true);
    assert_string_equal(heard(r, r->worker), "aS");
    say_keys(r, "b", true);
    control_dies(r);
    assert_string_equal(heard(r, r->control), "aW");
    say_snapshot(r, true);
    assert_string_equal(heard(r, r->worker), "S");
    hub_welcome(&r->s, &r->workers[0]); /* another worker, in its place */
    assert_string_equal(heard(r, r->worker), "WaS");
    rig_free(r);
}

/* Whoever could still change it is not believed, and what was in force stays. */
static void keys_that_can_change_are_refused(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    say_keys(r, "a", true);
    say_snapshot(r, true);
    assert_string_equal(heard(r, r->worker), "aS");
    say_keys(r, "b", false);
    say_snapshot(r, true);
    assert_string_equal(heard(r, r->worker), "S");
    control_dies(r);
    assert_string_equal(heard(r, r->control), "aW");
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_wait_for_their_snapshot),
        cmocka_unit_test(control_dies_between_the_two),
        cmocka_unit_test(keys_that_can_change_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
