/* SPDX-License-Identifier: MIT */
/* A worker's way to another process: a bounded ring of records in shared pages, one producer (the
 * worker) and one consumer: the logger, for the access log, or control, for questions. A full
 * ring drops the record, and its producer counts that; nothing waits. Survives both of its ends. */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum ring_kind { RING_LOG, RING_QUESTIONS };

enum { ring_bytes = 1 << 22, ring_record_bytes_max = 1 << 16 };                /* of RING_LOG */
enum { ring_question_bytes = 1 << 16, ring_question_record_bytes_max = 4096 }; /* the other */

struct ring; /* a mapping of one worker's ring */

/* Makes a memfd that holds `workers` rings: one for each lane (shared/counters.h). */
enum err ring_create(enum ring_kind kind, uint32_t workers, int *fd_out);
/* Maps one of them, and goes on where the last producer or consumer stopped. */
enum err ring_open_producer(enum ring_kind kind, int fd, uint32_t worker, struct ring **out);
enum err ring_open_consumer(enum ring_kind kind, int fd, uint32_t worker, struct ring **out);
/* The consumer's end over the producer's own mapping, for a process that has both, as the
 * stress test has: a sanitizer knows memory by its address. To be closed first. */
enum err ring_open_beside(struct ring *producer, struct ring **out);
void ring_close(struct ring **ring);

/* Producer. Whether records are wanted at all: false while there is no access log. */
bool ring_wanted(const struct ring *ring);
/* Producer. Room for a record of len bytes, 8-aligned; NULL: full. ring_commit publishes
 * it. Never blocks, makes no system call. */
uint8_t *ring_reserve(struct ring *ring, size_t len);
void ring_commit(struct ring *ring);
/* Whether the consumer sleeps and wants its doorbell (an eventfd) rung; true once. */
bool ring_wants_bell(struct ring *ring);
/* To be called after each ring_commit, or once after several: rings the bell if need be. */
void ring_ring_bell(struct ring *ring, int bell_fd);

/* Consumer. The oldest record, valid until ring_pop; false: empty. A record that its
 * producer damaged by dying in the middle was never published. */
bool ring_peek(struct ring *ring, struct span *record);
void ring_pop(struct ring *ring);
/* Consumer. Whether workers need make records; they do until it says otherwise. */
void ring_want(struct ring *ring, bool wanted);
/* Says that the consumer is about to sleep; look with ring_peek once more after it. */
void ring_sleep(struct ring *ring);
/* Says that it is awake, so that nobody rings for nothing. */
void ring_wake(struct ring *ring);
