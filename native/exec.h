/* SPDX-License-Identifier: MIT */
/* exec.h - the paper's three functions, served by threads of the process. See exec.c. */
#ifndef EXEC_H
#define EXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "async_syscall.h"

/* The arrays of a table, found from its first address. */
struct table_view {
	struct async_syscall_control *control;
	__u32 *pending;
	__u32 *next;
	__u32 *runner;
	struct syscall_info *info;
	__u32 slots;
};

struct table_view table_view(void *address);

/*
 * What stands in runner[slot] while its call runs: the thread, and how far an interruption is. The
 * thread waits for RUNNER_SIGNALLING to pass before it goes on, so that a signal which was meant
 * for one call never ends the next.
 */
#define RUNNER_THREAD 0x3fffffffu
#define RUNNER_SIGNALLING 0x80000000u
#define RUNNER_SIGNALLED 0x40000000u

/* cffi reads from here on. */
/*
 * Lays a table of `slots` slots out in the process's own memory at `address` (zeroed, aligned to a
 * cache line, ASYNC_SYSCALL_TABLE_BYTES(slots) long). Completions are told to event_fd.
 * Returns 0, or -EINVAL.
 */
int async_syscall_init(void *address, uint32_t slots, int event_fd);

/*
 * Entered by a thread: watches the table at `address` and runs its requests. Returns 0 when it sees
 * END, or -ETIME after idle_milliseconds without a request (0: no limit).
 */
int async_syscall_exec(void *address, uint32_t idle_milliseconds);

/* Runs one system call: its result, or -errno. */
int64_t do_syscall(uint32_t num, const uint64_t arg[6]);
/* cffi stops reading here. */

/* Runs the request of a slot that the kernel module has claimed for the calling thread. */
void exec_run_claimed(struct async_syscall_control *control, uint32_t slot);

/* Interrupts a call that a thread of the process runs: executor.h's `interrupt`. executor_threads.c */
int exec_interrupt(struct async_syscall_control *control, uint32_t slot);

/* How many processors the calling thread may use. */
uint32_t processors_allowed(void);

/* Whether no request waits to be claimed. */
bool ring_is_empty(const struct async_syscall_control *control);

/* Lets one sleeping exec thread go, or the next that would sleep. */
void exec_ring_doorbell(struct async_syscall_control *control);

#endif /* EXEC_H */
