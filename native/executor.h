/* SPDX-License-Identifier: MIT */
/*
 * executor.h - who runs the calls: the interface that every executor fills, one file each.
 *
 * An executor serves a table from exec threads that the pool (pool.c) gives it. It decides how a
 * thread watches the table, how a sleeping one is woken, and how a call is interrupted; it doesn't
 * decide how many threads there are, or which request is next.
 */
#ifndef EXECUTOR_H
#define EXECUTOR_H

#include <stdint.h>

#include "async_syscall.h"

struct async_syscall_executor {
	const char *name;

	/*
	 * Makes ready to serve the table at `control`, which init has laid out. Sets *handle, which the
	 * other functions get. Returns 0 or -errno.
	 */
	int (*start)(struct async_syscall_control *control, void **handle);

	/* Entered by an exec thread. Returns 0 after END, -ETIME after the idle time, or -errno. */
	int (*exec)(void *handle, uint32_t idle_milliseconds);

	/* Lets one sleeping exec thread go. */
	void (*ring)(void *handle);

	/*
	 * Interrupts the call of a slot that is EXECUTING. It may come too early or too late: the
	 * caller repeats it until the slot is COMPLETED. Returns 0, -EAGAIN where no thread runs
	 * the slot at the moment, or -errno.
	 */
	int (*interrupt)(void *handle, uint32_t slot);

	/*
	 * NULL, or what spares the process to look at the ring by itself: async_syscall_watch in
	 * async_syscall.h. Returns 0 or -errno.
	 */
	int (*watch)(void *handle, uint32_t microseconds, uint32_t busy, __u64 *head, __u64 *tail);

	/* After the last exec thread has left; in a forked child, which has none, at once. */
	void (*stop)(void *handle);
};

/* Threads of the process and syscall(2): works everywhere. executor_threads.c */
extern const struct async_syscall_executor async_syscall_executor_threads;

/* The kernel module: kmod/. executor_kmod.c */
extern const struct async_syscall_executor async_syscall_executor_kmod;

#endif /* EXECUTOR_H */
