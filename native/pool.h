/* SPDX-License-Identifier: MIT */
/* pool.h - how many exec threads a table has. See pool.c. */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "executor.h"

struct pool;

struct pool *pool_open(struct async_syscall_control *control,
                       const struct async_syscall_executor *executor, void *handle,
                       uint32_t max_workers, uint32_t idle_milliseconds);

/*
 * Called by the owner when it has published requests. Rings for a thread where none is awake; where
 * one is, makes sure that somebody notices if it is stuck. Returns 1 if the doorbell was rung, 0 if
 * there was no need, or -EAGAIN if there is no thread, and the system gives none: pthread_create(3).
 */
int pool_ring(struct pool *pool);

/*
 * Called by the owner for each request: where no thread is awake, and there is a processor for one, rings
 * at once. Returns whether the doorbell was rung; the rest, errors too, is pool_ring()'s.
 */
bool pool_wake(struct pool *pool);

/* Exec threads that there are at the moment. */
uint32_t pool_workers(const struct pool *pool);

/* How often a thread was added because the others were stuck or too slow. */
uint64_t pool_reinforcements(const struct pool *pool);

/*
 * Joins all threads and frees the pool. END must stand in the ring, and no call may be running, or
 * it waits for that call.
 */
void pool_close(struct pool *pool);

/* Wakes all threads, so that they see END, and waits for none but the watch. */
void pool_abandon(struct pool *pool);

/* In a forked child: the threads aren't there, and nothing may be waited for. */
void pool_forget(struct pool *pool);

#endif /* POOL_H */
