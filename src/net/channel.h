/* SPDX-License-Identifier: MIT */
/* A channel between two processes: a SOCK_SEQPACKET pair that carries whole messages and
 * descriptors (SCM_RIGHTS). Both ends never block. */
#pragma once

#include "base/error.h"
#include "net/message.h"

/* Where a received message's text stands; one a process is enough. */
struct channel_buffer {
    uint8_t bytes[message_text_max + 64];
};

/* Both ends close-on-exec and non-blocking. ERR_IO: errno says why. */
enum err channel_pair(int *ours_out, int *theirs_out);

/* The descriptors stay the caller's. ERR_AGAIN: the other end does not read; ERR_CLOSED:
 * it is gone; ERR_LIMIT: too much text or too many descriptors; ERR_IO. */
enum err channel_send(int fd, const struct message *message);

/* Fills *out; its text points into buffer until the next call, its descriptors are
 * close-on-exec and the caller's: take those that are wanted with message_take_fd, then
 * message_close_fds. ERR_AGAIN: nothing there; ERR_CLOSED: the other end is gone;
 * ERR_SYNTAX: not a message; ERR_LIMIT: no descriptors left here; ERR_IO. */
enum err channel_receive(int fd, struct channel_buffer *buffer, struct message *out);
