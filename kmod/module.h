/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * module.h - what the files of the module share.
 *
 *   main.c      the device, its ioctls, and the life of a context
 *   exec.c      the exec loop: claim, run, complete, sleep; cancellation
 *   table.c     all that touches the table, which is the process's memory
 *   policy.c    which calls may run, and whose
 *   resolve.c   the kernel's system-call functions
 *   counters.c  counters and debugfs
 *   trace.h     tracepoints
 *   compat.h    what differs between kernel versions
 *
 * Locks: contexts_lock, then context->lock, then thread->lock. The table is never
 * touched under any of them, since user memory may fault and sleep.
 */
#ifndef ASYNC_SYSCALL_MODULE_H
#define ASYNC_SYSCALL_MODULE_H

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/restart_block.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/wait.h>

#include "async_syscall.h"

/*
 * One table: what INIT made known of it, checked then, and never read from shared
 * memory again.
 */
struct context {
	struct async_syscall_control __user *control;
	u32 __user *pending;
	u32 __user *next;
	struct async_syscall_info __user *info;
	size_t bytes;
	u32 slots;

	struct mm_struct *mm; /* mmgrab: for comparison, so that the pointer isn't used again */
	const struct cred *cred;
	struct eventfd_ctx *eventfd;

	/*
	 * A sleeper waits for the bell to change; nothing in user memory can keep it
	 * asleep.
	 */
	wait_queue_head_t sleepers;
	atomic_t bell;
	atomic_t looking; /* a thread looks for long before it sleeps */
	u32 completed; /* calls, since the owner last came for them */
	u32 taken; /* calls that it took then */
	atomic_t untold; /* the owner waits for word of what is completed */
	struct hrtimer teller; /* ...and gets it now, though the burst goes on */

	spinlock_t lock; /* the threads, and what they left behind */
	struct list_head threads;
	u32 ends; /* times that END interrupted the calls */
	u32 thread_count;
	struct async_syscall_counters counters; /* of threads that have left */
	atomic64_t doorbells;

	struct list_head contexts_entry;
};

/* A request, copied once. */
struct call {
	u32 slot;
	u32 num;
	u64 arg[ASYNC_SYSCALL_MAX_ARGUMENTS];
};

/*
 * A thread inside EXEC. One that a signal takes out in the middle of a call stays on
 * the list, parked: its request is claimed, and goes on with the next thread that comes,
 * which mostly is the same.
 */
struct exec_thread {
	struct context *context;
	struct list_head entry;
	struct task_struct *task; /* while it is inside */
	bool inside;
	bool parked;
	bool spins;	/* the last pause was short */
	bool naps;
	bool restarts;	/* parked: goes on by the restart_block, with the time that is left */
	struct restart_block restart_block;
	u32 epoch;
	u32 ends;	  /* context->ends, before the claim */
	u32 since_exit;   /* requests since the thread last was in user mode */
	u32 burst;        /* requests since the ring was empty */
	struct call call;
	struct async_syscall_counters counters; /* written by this thread only */
	u64 shown_executed; /* of the counters, what the table's owner has been told */
	u64 shown_notifications;

	spinlock_t lock; /* what follows */
	bool running;   /* in the call of call.slot */
	bool cancelled; /* ...which was interrupted: the work below is queued */
	struct callback_head interruption;
};

/* exec.c */
long exec_serve(struct context *context, struct file *file, u32 idle_milliseconds);
long exec_hand_back(struct context *context);
int exec_cancel(struct context *context, u32 slot);
void exec_cancel_all(struct context *context);
int exec_watch(struct context *context, struct async_syscall_watch *watch);
void exec_init(struct context *context);
void exec_free(struct context *context);

/* table.c: all may fault, and return -EFAULT then, or -EINTR after SIGKILL. */
enum claim { CLAIM_NONE, CLAIM_END, CLAIM_REQUEST, CLAIM_BUSY };

int table_claim(struct context *context, struct call *call);
int table_complete(struct context *context, u32 slot, s64 ret, u32 *before, u32 *epoch);
int table_at_end(struct context *context);
int table_look(struct context *context, u64 *head, u64 *tail, bool *awake);
int table_count_waiting(struct context *context);
int table_owner_looks(struct context *context);
int table_is_empty(struct context *context);
int table_stays_empty(struct context *context);
int table_join_awake(struct context *context, u32 *epoch);
int table_leave_awake(struct context *context, u32 epoch);
int table_read_epoch(struct context *context, u32 *epoch);
int table_add_sleepers(struct context *context, s32 change);
int table_take_token(struct context *context);
int table_add_counters(struct context *context, u64 executed, u64 sleeps, u64 notifications);

/* policy.c */
void policy_init(void);
bool policy_may_run(u32 num);
bool policy_is_watched(void);
bool policy_is_owner(const struct context *context);

/* resolve.c */
int resolve_init(void);
s64 do_syscall(const struct call *call);
void run_task_works(void);

/* counters.c */
void counters_init(void);
void counters_exit(void);
void counters_add(struct async_syscall_counters *sum, const struct async_syscall_counters *more);
void counters_read(struct context *context, struct async_syscall_counters *sum);
extern struct list_head contexts;
extern struct mutex contexts_lock;

/* main.c: the module's parameters */
extern unsigned int max_spin;
extern unsigned int max_threads;

#endif /* ASYNC_SYSCALL_MODULE_H */
