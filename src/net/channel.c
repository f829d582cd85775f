/* SPDX-License-Identifier: MIT */
/* sendmsg and recvmsg with SCM_RIGHTS. */
#include "net/channel.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* As it stands at the beginning of each packet. Both ends are the same program on the
 * same machine, so there is no question of byte order. */
struct wire_header {
    uint32_t type;
    uint32_t number;
    uint64_t generation;
    uint32_t text_bytes;
    uint32_t fd_count;
};

static_assert(sizeof(struct wire_header) == 24, "no padding");
static_assert(sizeof(struct wire_header) + message_text_max <= sizeof(struct channel_buffer),
              "the longest message fits");

union control_bytes {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * message_fds_max)];
};

int message_take_fd(struct message *message, size_t index)
{
    if (index >= message->fd_count) {
        return -1;
    }
    int fd = message->fds[index];
    message->fds[index] = -1;
    return fd;
}

void message_close_fds(struct message *message)
{
    for (size_t i = 0; i < message->fd_count; i++) {
        if (message->fds[i] >= 0) {
            close(message->fds[i]);
            message->fds[i] = -1;
        }
    }
}

enum err channel_pair(int *ours_out, int *theirs_out)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return ERR_IO;
    }
    *ours_out = ends[0];
    *theirs_out = ends[1];
    return ERR_NONE;
}

static void put_fds(struct msghdr *packet, union control_bytes *control,
                    const struct message *message)
{
    size_t bytes = sizeof(int) * message->fd_count;
    packet->msg_control = control->bytes;
    packet->msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *item = CMSG_FIRSTHDR(packet);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(item), message->fds, bytes);
}

static enum err socket_error(void)
{
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
        return ERR_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}

enum err channel_send(int fd, const struct message *message)
{
    if (message->text.len > message_text_max || message->fd_count > message_fds_max) {
        return ERR_LIMIT;
    }
    struct wire_header header = {
        .type = message->type,
        .number = message->number,
        .generation = message->generation,
        .text_bytes = (uint32_t)message->text.len,
        .fd_count = (uint32_t)message->fd_count,
    };
    struct iovec parts[2] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = (void *)(uintptr_t)message->text.ptr, .iov_len = message->text.len},
    };
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 2};
    union control_bytes control = {0};
    if (message->fd_count > 0) {
        put_fds(&packet, &control, message);
    }
    ssize_t sent;
    do {
        sent = sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? socket_error() : ERR_NONE;
}

static void take_fds(struct msghdr *packet, struct message *out)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(packet); item != NULL;
         item = CMSG_NXTHDR(packet, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        assert(out->fd_count + count <= message_fds_max);
        memcpy(out->fds + out->fd_count, CMSG_DATA(item), count * sizeof(int));
        out->fd_count += count;
    }
}

static enum err decode(const struct channel_buffer *buffer, size_t len, int flags,
                       struct message *out)
{
    struct wire_header header;
    if ((flags & MSG_CTRUNC) != 0) {
        return ERR_LIMIT;
    }
    if ((flags & MSG_TRUNC) != 0 || len < sizeof(header)) {
        return ERR_SYNTAX;
    }
    memcpy(&header, buffer->bytes, sizeof(header));
    if (header.text_bytes != len - sizeof(header) || header.fd_count != out->fd_count ||
        header.type < MESSAGE_WELCOME || header.type >= MESSAGE_TYPES) {
        return ERR_SYNTAX;
    }
    out->type = header.type;
    out->number = header.number;
    out->generation = header.generation;
    out->text = span_of(buffer->bytes + sizeof(header), header.text_bytes);
    return ERR_NONE;
}

enum err channel_receive(int fd, struct channel_buffer *buffer, struct message *out)
{
    union control_bytes control;
    struct iovec part = {.iov_base = buffer->bytes, .iov_len = sizeof(buffer->bytes)};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t got;
    do {
        got = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return socket_error();
    }
    if (got == 0) {
        return ERR_CLOSED; /* we send no empty packets */
    }
    struct message message = {0};
    take_fds(&packet, &message);
    enum err err = decode(buffer, (size_t)got, packet.msg_flags, &message);
    if (err != ERR_NONE) {
        message_close_fds(&message);
        return err;
    }
    *out = message;
    return ERR_NONE;
}
