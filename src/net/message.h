/* SPDX-License-Identifier: MIT */
/* What the processes say to each other. The supervisor is the hub: it keeps every
 * descriptor that must outlive a process, and passes messages on. Each channel is a
 * SOCK_SEQPACKET pair, so that a message arrives whole or not at all; descriptors travel
 * with it (net/channel.h).
 *
 *   control ──HELLO? CONFIG LISTEN SNAPSHOT──▶ supervisor ──WELCOME LISTEN SNAPSHOT DRAIN──▶ worker
 *   control ◀─WELCOME ACK REFUSED RELOAD STOP─ supervisor ◀──────────ACK─────────────────── worker
 *
 * A child finds its channel at descriptor 3. */
#pragma once

#include <stdint.h>

enum { message_bytes_max = 65536, message_fds_max = 64, channel_fd = 3 };

enum message_type {
    /* supervisor to each child, first of all. Descriptors: counters, servers, rings, bell;
     * to control also: the text of the last good configuration, if there is one. */
    MESSAGE_WELCOME = 1,
    /* control to supervisor: how many workers, which addresses. Text: one listener a line
     * (see struct message_listener). supervisor to a worker: the same lines, with one
     * listening descriptor for each; it replaces the set that was. */
    MESSAGE_LISTEN,
    /* control to supervisor: the sealed snapshot, and the text it was made of; supervisor to
     * worker: the snapshot. */
    MESSAGE_SNAPSHOT,
    /* worker to supervisor: the generation is in use. supervisor to control: every worker
     * has it. */
    MESSAGE_ACK,
    /* supervisor to control: a listener could not be opened; text says which and why. */
    MESSAGE_REFUSED,
    /* supervisor to control: read the file again (SIGHUP). */
    MESSAGE_RELOAD,
    /* supervisor to children: finish what is under way and exit 0. */
    MESSAGE_DRAIN,
    /* control to supervisor: the first configuration cannot be served; exit with this
     * status (1: errors in the file, already printed; 2: could not run). */
    MESSAGE_FAILED,
    /* control to supervisor: the log file to write, as a descriptor; supervisor to logger. */
    MESSAGE_LOG,
};

struct message {
    uint32_t type;
    uint32_t number;     /* worker's index, count of workers, or exit status */
    uint64_t generation; /* of a snapshot or of a set of listeners */
    uint32_t text_bytes; /* what follows this header */
    uint32_t fd_count;
};
