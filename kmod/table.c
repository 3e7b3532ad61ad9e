// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - all that touches the table.
 *
 * The table is the process's own memory and is reached as any buffer of a system call
 * is. Several words are moved in one window (user_access_begin to user_access_end),
 * since opening one costs more than what is done in it. No function is called inside a
 * window. Compare-and-swap in user memory can fail for ever where somebody wants it to,
 * so each window tries a limited number of times, and in between the thread can be
 * scheduled away, or killed.
 *
 * The rules are those of async_syscall.h, and native/exec.c has the same steps in the
 * same order. unsafe_try_cmpxchg_user() is a locked instruction, and so a full barrier,
 * as Dekker needs it.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "module.h"

#define TRIES 32
/* A look at the ring every few dozen cycles: some microseconds, as in native/exec.c. */
#define SPINS 64

/* Between two windows of one operation. */
static int try_again(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/*
 * Returns an enum claim, or -EFAULT. CLAIM_BUSY: others were quicker too often, come
 * again.
 */
int table_claim(struct context *context, struct call *call)
{
	struct async_syscall_control __user *control = context->control;
	const u32 mask = context->slots - 1;
	/* Pointers: the index of an array would be checked, by a function. */
	const u64 __user *from;
	u64 *to = call->arg;
	int found = CLAIM_BUSY;

	if (!user_access_begin(context->control, context->bytes))
		return -EFAULT;
	for (int i = 0; i < TRIES; i++) {
		struct async_syscall_info __user *info;
		u64 head;
		u64 tail;
		u32 slot;
		u32 state;

		unsafe_get_user(head, &control->pending_head, fault);
		unsafe_get_user(tail, &control->pending_tail, fault);
		if (head == tail) {
			found = CLAIM_NONE;
			break;
		}
		unsafe_get_user(slot, &context->pending[head & mask], fault);
		slot &= mask;
		info = &context->info[slot];
		/* END stays at the head of the ring, for every exec thread to see. */
		unsafe_get_user(state, &info->state, fault);
		if (state == SYSCALL_END) {
			found = CLAIM_END;
			break;
		}
		if (!unsafe_try_cmpxchg_user(&control->pending_head, &head, head + 1, fault))
			continue;
		state = SYSCALL_HASCALL;
		if (!unsafe_try_cmpxchg_user(&info->state, &state, (u32)SYSCALL_EXECUTING, fault))
			continue; /* withdrawn, or served through an older entry */
		call->slot = slot;
		unsafe_get_user(call->num, &info->num, fault);
		from = info->arg;
		for (int j = 0; j < ASYNC_SYSCALL_MAX_ARGUMENTS; j++)
			unsafe_get_user(to[j], from + j, fault);
		found = CLAIM_REQUEST;
		break;
	}
	user_access_end();
	return found;
fault:
	user_access_end();
	return -EFAULT;
}

/*
 * EXECUTING to COMPLETED, and onto the stack of completed slots. Sets *before to what
 * stood there, and *epoch to the present one.
 */
int table_complete(struct context *context, u32 slot, s64 ret, u32 *before, u32 *epoch)
{
	struct async_syscall_control __user *control = context->control;
	struct async_syscall_info __user *info = &context->info[slot];
	bool pushed = false;
	u32 first;
	u32 awake;
	int error;

	if (!user_access_begin(context->control, context->bytes))
		return -EFAULT;
	unsafe_put_user(ret, &info->ret, fault);
	smp_wmb(); /* whoever sees COMPLETED sees ret */
	unsafe_put_user((u32)SYSCALL_COMPLETED, &info->state, fault);
	for (;;) {
		unsafe_get_user(first, &control->completed, fault);
		for (int i = 0; i < TRIES && !pushed; i++) {
			unsafe_put_user(first, &context->next[slot], fault);
			pushed = unsafe_try_cmpxchg_user(&control->completed, &first, slot, fault);
		}
		unsafe_get_user(awake, &control->awake, fault);
		user_access_end();
		if (pushed)
			break;
		error = try_again();
		if (error)
			return error;
		if (!user_access_begin(context->control, context->bytes))
			return -EFAULT;
	}
	*before = first;
	*epoch = awake >> AWAKE_EPOCH_SHIFT;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/*
 * Whether END is what comes next in the ring. Entries of requests that were withdrawn may
 * stand before it, as many as there are slots.
 */
int table_at_end(struct context *context)
{
	const u32 mask = context->slots - 1;
	u32 state = SYSCALL_NONE;
	u32 left = context->slots;
	int error = 0;
	u64 at = 0;
	u64 head;
	u64 tail;
	u32 slot;

	while (left && !error) {
		if (!user_access_begin(context->control, context->bytes))
			return -EFAULT;
		unsafe_get_user(head, &context->control->pending_head, fault);
		unsafe_get_user(tail, &context->control->pending_tail, fault);
		at = max(at, head);
		for (int i = 0; i < TRIES && left; i++, at++, left--) {
			if (at == tail) {
				left = 0;
				break;
			}
			unsafe_get_user(slot, &context->pending[at & mask], fault);
			unsafe_get_user(state, &context->info[slot & mask].state, fault);
			if (state == SYSCALL_END || state == SYSCALL_HASCALL) {
				left = 0;
				break;
			}
		}
		user_access_end();
		if (left)
			error = try_again();
	}
	return error ?: state == SYSCALL_END;
fault:
	user_access_end();
	return -EFAULT;
}

static int look_at_ring(struct context *context, int times)
{
	u64 head;
	u64 tail;

	if (!user_access_begin(context->control, context->bytes))
		return -EFAULT;
	for (;;) {
		unsafe_get_user(head, &context->control->pending_head, fault);
		unsafe_get_user(tail, &context->control->pending_tail, fault);
		if (head != tail || --times == 0)
			break;
		cpu_relax();
	}
	user_access_end();
	return head == tail;
fault:
	user_access_end();
	return -EFAULT;
}

/* Where the ring is, and whether the watch is still wanted. */
int table_look(struct context *context, u64 *head, u64 *tail, bool *awake)
{
	u32 watching;

	if (!user_access_begin(context->control, context->bytes))
		return -EFAULT;
	unsafe_get_user(*head, &context->control->pending_head, fault);
	unsafe_get_user(*tail, &context->control->pending_tail, fault);
	unsafe_get_user(watching, &context->control->watching, fault);
	user_access_end();
	*awake = watching == WATCH_AWAKE;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* Requests in the ring; withdrawn ones are among them. */
int table_count_waiting(struct context *context)
{
	u64 head;
	u64 tail;

	if (!user_access_begin(context->control, context->bytes))
		return -EFAULT;
	unsafe_get_user(head, &context->control->pending_head, fault);
	unsafe_get_user(tail, &context->control->pending_tail, fault);
	user_access_end();
	return min_t(u64, tail - head, context->slots);
fault:
	user_access_end();
	return -EFAULT;
}

/* Whether the owner comes for what is completed without being told. */
int table_owner_looks(struct context *context)
{
	u32 completed;

	if (get_user(completed, &context->control->completed))
		return -EFAULT;
	return completed != COMPLETED_ARMED;
}

int table_is_empty(struct context *context)
{
	return look_at_ring(context, 1);
}

/* Spins: whether the ring is still empty after some microseconds. */
int table_stays_empty(struct context *context)
{
	return look_at_ring(context, SPINS);
}

enum update { ADD, LEAVE_EPOCH, TAKE_ONE };

/*
 * Changes a word by compare-and-swap. Returns whether there was something to change,
 * and what stood there.
 */
static int update_word(struct context *context, u32 __user *word, enum update update, u32 value,
		       u32 *before)
{
	bool done = false;
	bool stop = false;
	int error;
	u32 old;

	for (;;) {
		if (!user_access_begin(context->control, context->bytes))
			return -EFAULT;
		unsafe_get_user(old, word, fault);
		for (int i = 0; i < TRIES && !done; i++) {
			u32 next = old - 1;

			if (update == ADD)
				next = old + value;
			else if (update == LEAVE_EPOCH)
				stop = old >> AWAKE_EPOCH_SHIFT != value || !(old & AWAKE_COUNT);
			else
				stop = old == 0;
			if (stop)
				break;
			done = unsafe_try_cmpxchg_user(word, &old, next, fault);
		}
		user_access_end();
		if (done || stop)
			break;
		error = try_again();
		if (error)
			return error;
	}
	*before = old;
	return done;
fault:
	user_access_end();
	return -EFAULT;
}

int table_join_awake(struct context *context, u32 *epoch)
{
	u32 before;
	int result = update_word(context, &context->control->awake, ADD, 1, &before);

	if (result < 0)
		return result;
	*epoch = before >> AWAKE_EPOCH_SHIFT;
	return 0;
}

/* Counts the caller out, unless it was written off: then a later epoch has begun. */
int table_leave_awake(struct context *context, u32 epoch)
{
	u32 before;

	return min(update_word(context, &context->control->awake, LEAVE_EPOCH, epoch, &before), 0);
}

int table_read_epoch(struct context *context, u32 *epoch)
{
	u32 awake;

	if (get_user(awake, &context->control->awake))
		return -EFAULT;
	*epoch = awake >> AWAKE_EPOCH_SHIFT;
	return 0;
}

int table_add_sleepers(struct context *context, s32 change)
{
	u32 before;

	return min(update_word(context, &context->control->sleepers, ADD, (u32)change, &before), 0);
}

/* Returns whether there was one. */
int table_take_token(struct context *context)
{
	u32 before;

	return update_word(context, &context->control->doorbell, TAKE_ONE, 0, &before);
}

static int add_to_counter(struct context *context, u64 __user *word, u64 change)
{
	bool done = false;
	u64 old;

	if (!change)
		return 0;
	if (!user_access_begin(context->control, context->bytes))
		return -EFAULT;
	unsafe_get_user(old, word, fault);
	for (int i = 0; i < TRIES && !done; i++)
		done = unsafe_try_cmpxchg_user(word, &old, old + change, fault);
	user_access_end();
	/* Only somebody who is at odds with himself gets a count that is too low. */
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

int table_add_counters(struct context *context, u64 executed, u64 sleeps, u64 notifications)
{
	struct async_syscall_control __user *control = context->control;

	return add_to_counter(context, &control->executed, executed) ?:
	       add_to_counter(context, &control->sleeps, sleeps) ?:
	       add_to_counter(context, &control->notifications, notifications);
}
