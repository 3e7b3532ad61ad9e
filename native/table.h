/* SPDX-License-Identifier: MIT */
/*
 * table.h - the owner's side of a table: what the engine calls, through cffi. See table.c.
 *
 * One thread owns a table, and calls all of these, except where it says otherwise.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdint.h>

#include "async_syscall.h"
#include "executor.h"

/* cffi reads from here on. */
struct async_syscall_table;

/* What happened on the way here. */
struct async_syscall_statistics {
	uint32_t slots;
	uint32_t max_workers;
	uint32_t in_flight; /* slots that aren't free */
	uint32_t workers;   /* exec threads at the moment */
	uint64_t submitted;
	uint64_t completed;
	uint64_t withdrawn; /* cancelled before anybody claimed them */
	uint64_t doorbells;
	uint64_t reinforcements; /* times that threads were added because the others were stuck */
	uint64_t executed;       /* as the exec threads count, on their way to sleep */
	uint64_t sleeps;
	uint64_t notifications; /* eventfd writes */
};

/* A row of the state machine, as in ASYNC_SYSCALL_TRANSITIONS. The last has from == NULL. */
struct async_syscall_transition {
	const char *from;
	const char *to;
	const char *who;
	const char *how;
};
extern const struct async_syscall_transition async_syscall_transitions[];

/*
 * Makes a table and what serves it. `executor` is a name. Returns NULL and sets *error to -errno:
 * -ENOENT no such executor, -EINVAL sizes, else what the system said.
 */
struct async_syscall_table *async_syscall_open(const char *executor, uint32_t slots,
                                               uint32_t max_workers, uint32_t idle_milliseconds,
                                               int *error);

/* The eventfd that becomes readable when slots are COMPLETED. */
int async_syscall_event_fd(const struct async_syscall_table *table);

/*
 * NONE -> HASCALL. Returns the slot, -EAGAIN where none is free, -ECHILD in a forked child, or -EBADF
 * where table is NULL: closed. Nobody is told until async_syscall_ring().
 */
int32_t async_syscall_submit(struct async_syscall_table *table, uint32_t num, int64_t arg0,
                             int64_t arg1, int64_t arg2, int64_t arg3, int64_t arg4, int64_t arg5);

/*
 * One doorbell for all that was submitted. Returns 0, -EAGAIN if the system gives no thread, -ECHILD in a
 * forked child, or -EBADF where table is NULL.
 */
int async_syscall_ring(struct async_syscall_table *table);

/* After a submit, optional: begins with it at once, if nobody is awake and a processor is free for that. */
void async_syscall_wake(struct async_syscall_table *table);

/*
 * COMPLETED -> NONE, for all that are. Writes out[0], and then pairs of slot and result in the order
 * in which they completed; `out` has room for 1 + 2 * slots. Returns how many pairs.
 *
 * out[0] is 1 where the caller must come back without being told, 0 where the eventfd is armed.
 * `notified` says that the eventfd was readable, and has to be read.
 */
uint32_t async_syscall_reap(struct async_syscall_table *table, int notified, int64_t *out);

/* HASCALL -> NONE. Returns 1 if the call will never run, 0 if somebody has claimed it. */
int async_syscall_withdraw(struct async_syscall_table *table, uint32_t slot);

/*
 * Interrupts the call in a slot. A call that isn't being run at this moment isn't interrupted, so
 * repeat it until the slot has completed. Returns 0 or -errno.
 */
int async_syscall_interrupt(struct async_syscall_table *table, uint32_t slot);

void async_syscall_statistics(const struct async_syscall_table *table,
                              struct async_syscall_statistics *out);

/*
 * END: waits for the exec threads, and frees everything. Returns 0, or -EBUSY where a slot isn't
 * free: withdraw, interrupt and reap first.
 */
int async_syscall_close(struct async_syscall_table *table);

/*
 * As close, for calls that can't be interrupted (a dead NFS server): END, but the table, its
 * memory and its threads stay behind, as the kernel may still write to them.
 */
void async_syscall_abandon(struct async_syscall_table *table);

/* Whether the table is the parent's: this process was forked off, and no thread serves it here. */
int async_syscall_is_forked(const struct async_syscall_table *table);
/* cffi stops reading here. */

#endif /* TABLE_H */
