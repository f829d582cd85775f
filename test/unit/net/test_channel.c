/* SPDX-License-Identifier: MIT */
/* Messages and descriptors over a channel. */
#include "net/channel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct channel_buffer buffer;

struct ends {
    int a;
    int b;
};

static int make_ends(void **state)
{
    struct ends *ends = malloc(sizeof(*ends));
    assert_int_equal(channel_pair(&ends->a, &ends->b), ERR_NONE);
    *state = ends;
    return 0;
}

static int close_ends(void **state)
{
    struct ends *ends = *state;
    close(ends->a);
    if (ends->b >= 0) {
        close(ends->b);
    }
    free(ends);
    return 0;
}

static void carries_all_of_a_message(void **state)
{
    struct ends *ends = *state;
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, 0), 0);
    struct message sent = {.type = MESSAGE_LISTEN,
                           .number = 7,
                           .generation = UINT64_C(0x123456789abcdef),
                           .text = SPAN("http://127.0.0.1:1\n"),
                           .fd_count = 2,
                           .fds = {pipe_fds[0], pipe_fds[1]}};
    assert_int_equal(channel_send(ends->a, &sent), ERR_NONE);

    struct message got;
    assert_int_equal(channel_receive(ends->b, &buffer, &got), ERR_NONE);
    assert_int_equal(got.type, MESSAGE_LISTEN);
    assert_int_equal(got.number, 7);
    assert_int_equal(got.generation, UINT64_C(0x123456789abcdef));
    assert_true(span_eq(got.text, sent.text));
    assert_int_equal(got.fd_count, 2);
    assert_true(fcntl(got.fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(got.fds[1], "x", 1), 1);
    char byte;
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);

    int taken = message_take_fd(&got, 0);
    int left = got.fds[1];
    assert_int_equal(message_take_fd(&got, 0), -1);
    assert_int_equal(message_take_fd(&got, 2), -1);
    message_close_fds(&got);
    assert_int_equal(fcntl(left, F_GETFD), -1);
    assert_int_not_equal(fcntl(taken, F_GETFD), -1);
    close(taken);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void carries_the_longest_and_no_more(void **state)
{
    struct ends *ends = *state;
    static uint8_t text[message_text_max + 1];
    struct message message = {.type = MESSAGE_LISTEN, .text = span_of(text, message_text_max)};
    message.fd_count = message_fds_max;
    for (size_t i = 0; i < message_fds_max; i++) {
        message.fds[i] = ends->a;
    }
    assert_int_equal(channel_send(ends->a, &message), ERR_NONE);
    struct message got;
    assert_int_equal(channel_receive(ends->b, &buffer, &got), ERR_NONE);
    assert_int_equal(got.text.len, message_text_max);
    assert_int_equal(got.fd_count, message_fds_max);
    message_close_fds(&got);

    message.text.len++;
    assert_int_equal(channel_send(ends->a, &message), ERR_LIMIT);
    message.text.len = 0;
    message.fd_count++;
    assert_int_equal(channel_send(ends->a, &message), ERR_LIMIT);
}

static void refuses_what_is_no_message(void **state)
{
    struct ends *ends = *state;
    struct message got = {.number = 99};
    static const uint8_t short_packet[23];
    static const uint8_t zero_type[24];
    assert_int_equal(send(ends->a, short_packet, sizeof(short_packet), 0), sizeof(short_packet));
    assert_int_equal(channel_receive(ends->b, &buffer, &got), ERR_SYNTAX);
    assert_int_equal(send(ends->a, zero_type, sizeof(zero_type), 0), sizeof(zero_type));
    assert_int_equal(channel_receive(ends->b, &buffer, &got), ERR_SYNTAX);
    uint8_t lies[25] = {[0] = MESSAGE_ACK, [16] = 2};
    assert_int_equal(send(ends->a, lies, sizeof(lies), 0), sizeof(lies));
    assert_int_equal(channel_receive(ends->b, &buffer, &got), ERR_SYNTAX);
    assert_int_equal(got.number, 99);
}

static void says_empty_full_and_gone(void **state)
{
    struct ends *ends = *state;
    struct message message = {.type = MESSAGE_RELOAD};
    struct message got;
    assert_int_equal(channel_receive(ends->b, &buffer, &got), ERR_AGAIN);
    enum err err = ERR_NONE;
    for (int i = 0; i < 100000 && err == ERR_NONE; i++) {
        err = channel_send(ends->a, &message);
    }
    assert_int_equal(err, ERR_AGAIN);
    close(ends->b);
    ends->b = -1;
    assert_int_equal(channel_send(ends->a, &message), ERR_CLOSED);
    assert_int_not_equal(channel_receive(ends->a, &buffer, &got), ERR_NONE);
    assert_int_equal(channel_receive(ends->a, &buffer, &got), ERR_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(carries_all_of_a_message, make_ends, close_ends),
        cmocka_unit_test_setup_teardown(carries_the_longest_and_no_more, make_ends, close_ends),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_message, make_ends, close_ends),
        cmocka_unit_test_setup_teardown(says_empty_full_and_gone, make_ends, close_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
