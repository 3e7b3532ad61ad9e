// SPDX-License-Identifier: GPL-2.0-only
/*
 * exec.c - the exec loop: a thread of the process, inside EXEC, watches its table and
 * runs its calls.
 *
 * The thread is its own: its memory, descriptors, credentials, limits and namespaces
 * are right because nothing is borrowed. What it must do for itself is what the kernel
 * does for every other system call on the way back to user mode, since it doesn't come
 * by there:
 *
 *   task work    is run after every call, before its result is published: a file that was
 *                closed is released only there, with its locks, its port and its peer's end
 *                of file. Cancelling uses it too.
 *   signals      (also stops, the freezer, a debugger, livepatch) end the loop. The
 *                kernel does with them what it does, and enters EXEC again.
 *   the rest     (accounting, restartable sequences) can wait, but not for ever: after
 *                CALLS_PER_ENTRY calls the thread goes out and comes in again; at once
 *                where it is to be throttled.
 *
 * A call that a signal interrupts returns one of the codes with which the kernel
 * restarts system calls. They are about the entry, which here is EXEC's, so they never
 * become a result. The call is parked: the slot stays EXECUTING, and the call goes on
 * when the thread has come back, as it would have by itself.
 *
 * Cancelling (CANCEL, END) interrupts the call with task work instead of a signal. The
 * work is queued under thread->lock while the call runs, and is run before the next one
 * begins, so a cancellation never meets a call that it wasn't meant for.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>

#include "compat.h"
#include "module.h"
#include "trace.h"

#define CALLS_PER_ENTRY 1024
#define MAX_NAP (NSEC_PER_MSEC / 2)
#define MANY_CALLS 8
#define MAX_UNTOLD (NSEC_PER_MSEC / 4)
#define MAX_PAUSE (8 * NSEC_PER_MSEC)
/* Not a result and not an error: stay in the loop. */
#define GO_ON 0x7fffffff

static bool is_restart_code(s64 ret)
{
	return ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	       ret == -ERESTART_RESTARTBLOCK;
}

/* Leaves so that EXEC is entered again once the kernel has done what it has to. */
static long leave_and_return(void)
{
	return task_sigpending(current) ? -ERESTARTSYS : restart_syscall();
}

/* Nothing to do: it's that the task has work to run that ends its call. */
static void interrupted(struct callback_head *work)
{
}

/* Under thread->lock, while its call is running. */
static int interrupt_call(struct exec_thread *thread)
{
	int error;

	lockdep_assert_held(&thread->lock);
	if (thread->cancelled)
		return 0;
	/* Before the work can run: whoever has run it must see this. */
	WRITE_ONCE(thread->cancelled, true);
	error = task_work_add(thread->task, &thread->interruption, TWA_SIGNAL);
	if (error)
		WRITE_ONCE(thread->cancelled, false);
	return error;
}

static void begin_call(struct exec_thread *thread)
{
	spin_lock(&thread->lock);
	thread->running = true;
	thread->cancelled = false;
	/* END has come since the claim, and passed over a call that wasn't running. */
	if (READ_ONCE(thread->context->ends) != thread->ends)
		interrupt_call(thread);
	spin_unlock(&thread->lock);
}

/* Returns whether the call was cancelled. From here on it can't be any more. */
static bool end_call(struct exec_thread *thread)
{
	bool cancelled;

	spin_lock(&thread->lock);
	thread->running = false;
	cancelled = thread->cancelled;
	spin_unlock(&thread->lock);
	return cancelled;
}

#define ANY_SLOT U32_MAX

/*
 * Interrupts the thread's call if it's the slot's. Under context->lock, which keeps the
 * thread on the list; while it is running, the call stays what it is.
 */
static int cancel_thread(struct exec_thread *thread, u32 slot)
{
	int error = -EAGAIN;

	lockdep_assert_held(&thread->context->lock);
	spin_lock(&thread->lock);
	if (thread->running && (slot == ANY_SLOT || thread->call.slot == slot))
		error = interrupt_call(thread);
	spin_unlock(&thread->lock);
	return error;
}

int exec_cancel(struct context *context, u32 slot)
{
	struct exec_thread *thread;
	int error = -EAGAIN;

	spin_lock(&context->lock);
	list_for_each_entry(thread, &context->threads, entry) {
		error = cancel_thread(thread, slot);
		if (error != -EAGAIN)
			break;
	}
	spin_unlock(&context->lock);
	return error;
}

/* END: for the calls that are running, and those that are claimed and would still begin. */
void exec_cancel_all(struct context *context)
{
	struct exec_thread *thread;

	spin_lock(&context->lock);
	/* Before the locks of the threads are taken: see begin_call(). */
	WRITE_ONCE(context->ends, context->ends + 1);
	list_for_each_entry(thread, &context->threads, entry)
		cancel_thread(thread, ANY_SLOT);
	spin_unlock(&context->lock);
}

/* After the claim, and so as late as can be: a filter may have come upon us in our sleep. */
static bool policy_allows(struct exec_thread *thread)
{
	return policy_may_run(thread->call.num) && !policy_is_watched() &&
	       policy_is_owner(thread->context);
}

/*
 * Runs the claimed call to its end, or to a restart code, which says that the thread
 * must leave.
 */
static s64 run_call(struct exec_thread *thread)
{
	bool restart = thread->restarts;
	s64 ret;

	if (restart)
		current->restart_block = thread->restart_block;
	for (;;) {
		if (restart)
			ret = current->restart_block.fn(&current->restart_block);
		else
			ret = do_syscall(&thread->call);
		if (!is_restart_code(ret) || READ_ONCE(thread->cancelled))
			break;
		/*
		 * Task work of somebody else's ends a call too. That needs no way out.
		 */
		run_task_works();
		cond_resched();
		/* It may have been ours by now: see cancel_thread(). */
		if (signal_pending(current) || READ_ONCE(thread->cancelled))
			break;
		/* Running it again is one more entry: EXEC hands it back when it comes again. */
		if (!policy_allows(thread))
			break;
		restart = ret == -ERESTART_RESTARTBLOCK;
	}
	/* The task's own doesn't outlive a signal handler, which ends calls that need it. */
	thread->restarts = ret == -ERESTART_RESTARTBLOCK;
	if (thread->restarts)
		thread->restart_block = current->restart_block;
	return ret;
}

static void tell_owner(struct context *context)
{
	if (atomic_read(&context->untold) && atomic_xchg(&context->untold, 0))
		compat_eventfd_signal(context->eventfd);
}

static enum hrtimer_restart time_is_up(struct hrtimer *timer)
{
	/* The timer isn't queued any more, and then `untold` is read: see tell_after_burst(). */
	smp_mb();
	tell_owner(container_of(timer, struct context, teller));
	return HRTIMER_NORESTART;
}

/*
 * The owner sleeps until it's told of the first completion. Where many requests are still
 * waiting it had better find many completed: it's told when the burst is over. But any
 * call may block, so it's told in MAX_UNTOLD at the latest.
 */
static void tell_after_burst(struct exec_thread *thread)
{
	struct context *context = thread->context;

	/* A full barrier: either the timer is seen to be off here, or it sees this. */
	if (!atomic_xchg(&context->untold, 1))
		thread->counters.notifications++;
	if (table_count_waiting(context) < MANY_CALLS)
		tell_owner(context);
	else if (!hrtimer_is_queued(&context->teller)) /* else it's early, which does no harm */
		hrtimer_start(&context->teller, ns_to_ktime(MAX_UNTOLD), HRTIMER_MODE_REL_SOFT);
}

/* To know the owner's ways. Where threads are at odds, it's out by some. */
static void count_completed(struct context *context, u32 before)
{
	u32 completed = READ_ONCE(context->completed);

	if (before == COMPLETED_ARMED || before == COMPLETED_POLLED) {
		WRITE_ONCE(context->taken, completed);
		completed = 0;
	}
	WRITE_ONCE(context->completed, completed + 1);
}

/*
 * Runs the call, or goes on with it, and completes its slot. Returns GO_ON, or what
 * EXEC returns.
 */
static long serve_call(struct exec_thread *thread)
{
	struct context *context = thread->context;
	const u32 slot = thread->call.slot;
	bool cancelled;
	u32 before;
	u32 epoch;
	s64 ret;
	int error;

	if (!policy_allows(thread)) {
		thread->parked = false;
		thread->counters.refused++;
		return slot + 1;
	}
	if (!thread->parked)
		trace_async_syscall_claim(slot, thread->call.num);
	begin_call(thread);
	ret = run_call(thread);
	/*
	 * Before anybody sees the result: what the call closed is released here (its locks, its
	 * port, the peer's end of file), and that may wait as the call itself may.
	 */
	run_task_works();
	cancelled = end_call(thread);
	if (cancelled && (is_restart_code(ret) || ret == -EINTR)) {
		ret = -ECANCELED;
		thread->counters.cancelled++;
	}
	thread->parked = is_restart_code(ret);
	if (thread->parked)
		return leave_and_return();
	thread->restarts = false;
	thread->counters.executed++;
	thread->burst++;
	thread->since_exit++;
	trace_async_syscall_complete(slot, thread->call.num, ret);
	error = table_complete(context, slot, ret, &before, &epoch);
	if (error)
		return error;
	count_completed(context, before);
	if (before == COMPLETED_ARMED)
		tell_after_burst(thread);
	/* Written off while it was in the call. */
	if (epoch != thread->epoch) {
		error = table_join_awake(context, &thread->epoch);
		if (error)
			return error;
	}
	return GO_ON;
}

static int show_counters(struct exec_thread *thread, u64 sleeps)
{
	struct async_syscall_counters *counters = &thread->counters;
	u64 executed = counters->executed - thread->shown_executed;
	u64 notifications = counters->notifications - thread->shown_notifications;

	thread->shown_executed = counters->executed;
	thread->shown_notifications = counters->notifications;
	return table_add_counters(thread->context, executed, sleeps, notifications);
}

/*
 * Waits for the bell to change from what it was. A signal ends it as well. *left is
 * what is left of the time limit in jiffies, 0 after its end.
 */
static void wait_for_bell(struct context *context, int bell, long *left)
{
	DEFINE_WAIT(wait);

	prepare_to_wait_exclusive(&context->sleepers, &wait, TASK_INTERRUPTIBLE);
	if (atomic_read(&context->bell) == bell && !signal_pending(current))
		*left = schedule_timeout(*left);
	finish_wait(&context->sleepers, &wait);
}

/*
 * From awake to sleep and back: native/exec.c has the same steps. The bell is read
 * before the last look at the table, so whoever rings after that look has changed it.
 * Returns GO_ON, or what EXEC returns.
 */
static long sleep_on_bell(struct exec_thread *thread, u32 idle_milliseconds)
{
	struct context *context = thread->context;
	long left = idle_milliseconds ? msecs_to_jiffies(idle_milliseconds) : MAX_SCHEDULE_TIMEOUT;
	bool timed_out = false;
	int result;

	result = table_leave_awake(context, thread->epoch) ?: table_add_sleepers(context, 1);
	if (result)
		return result;
	result = table_is_empty(context);
	if (result < 0)
		return result;
	if (!result)
		return table_add_sleepers(context, -1) ?:
		       table_join_awake(context, &thread->epoch) ?: GO_ON;
	thread->counters.sleeps++;
	result = show_counters(thread, 1);
	if (result)
		return result;
	for (;;) {
		int bell = atomic_read(&context->bell);

		result = table_take_token(context);
		if (result < 0)
			return result;
		if (result)
			break;
		if (timed_out)
			return -ETIME;
		/* Ring or no ring: who leaves looks at the table when it comes back. */
		if (signal_pending(current))
			return table_add_sleepers(context, -1) ?:
			       table_join_awake(context, &thread->epoch) ?: GO_ON;
		wait_for_bell(context, bell, &left);
		if (left != 0)
			continue;
		/* Who rings after this finds no sleeper and sees to another thread. */
		timed_out = true;
		result = table_add_sleepers(context, -1);
		if (result)
			return result;
	}
	if (!timed_out) {
		result = table_add_sleepers(context, -1);
		if (result)
			return result;
	}
	/* Who rang has counted us in. */
	return table_read_epoch(context, &thread->epoch) ?: GO_ON;
}

/*
 * As KVM does it for a virtual processor that has halted: spin where nobody else wants
 * this one.
 */
static bool may_spin(u64 until)
{
	return single_task_running() && !need_resched() && !signal_pending(current) &&
	       ktime_get_ns() < until;
}

/*
 * Sleeps for a quarter of the pause, but at least for as long as one may spin, and not
 * from one look of the process's own watch to the next. Returns false where that makes
 * no sense, or no more: the owner has little to do before it waits for the next call, or
 * does something else.
 */
static bool nap(struct exec_thread *thread, u64 pause, u64 least)
{
	struct context *context = thread->context;
	const u64 nanoseconds = clamp(pause / 4, least, (u64)MAX_NAP);
	ktime_t interval = ns_to_ktime(nanoseconds);

	if (!least || least > MAX_NAP || pause > MAX_PAUSE || signal_pending(current))
		return false;
	if (READ_ONCE(context->taken) < MANY_CALLS || table_owner_looks(context) <= 0)
		return false;
	WRITE_ONCE(thread->naps, true);
	set_current_state(TASK_INTERRUPTIBLE);
	schedule_hrtimeout_range(&interval, nanoseconds / 4, HRTIMER_MODE_REL);
	WRITE_ONCE(thread->naps, false);
	return true;
}

/*
 * Nothing to do. A pause is taken to be as long as the one before: after a short one the
 * thread looks for up to max_spin, which saves the owner a doorbell, and itself the way
 * to sleep and back. After a long one it looks for some microseconds. An owner that takes
 * many calls at a time, and comes for them by itself, is busy with those: it doesn't wait
 * for the next ones yet, so the thread naps, and saves it the doorbell that way. Then the
 * thread sleeps. Returns GO_ON, or what EXEC returns.
 */
static long wait_for_request(struct exec_thread *thread, u32 idle_milliseconds)
{
	struct context *context = thread->context;
	const u64 limit = READ_ONCE(max_spin) * NSEC_PER_USEC;
	const u64 start = ktime_get_ns();
	int empty = table_stays_empty(context);
	long result = GO_ON;

	/* One is enough. */
	if (empty > 0 && !atomic_xchg(&context->looking, 1)) {
		while (empty > 0 && thread->spins && may_spin(start + limit))
			empty = table_stays_empty(context);
		while (empty > 0 && nap(thread, ktime_get_ns() - start, limit))
			empty = table_is_empty(context);
		atomic_set(&context->looking, 0);
	}
	if (empty)
		result = empty < 0 ? empty : sleep_on_bell(thread, idle_milliseconds);
	thread->spins = ktime_get_ns() - start < limit;
	return result;
}

static void end_burst(struct exec_thread *thread)
{
	tell_owner(thread->context);
	if (thread->burst)
		thread->counters.passes++;
	thread->burst = 0;
}

/* One round of the loop. Returns GO_ON, or what EXEC returns. */
static long serve_once(struct exec_thread *thread, u32 idle_milliseconds)
{
	struct context *context = thread->context;

	if (thread->since_exit >= CALLS_PER_ENTRY || compat_is_throttled()) {
		thread->since_exit = 0;
		return leave_and_return();
	}
	thread->ends = READ_ONCE(context->ends);
	switch (table_claim(context, &thread->call)) {
	case CLAIM_REQUEST:
		return serve_call(thread);
	case CLAIM_BUSY:
		return GO_ON;
	case CLAIM_END:
		end_burst(thread);
		exec_cancel_all(context);
		return 0;
	case CLAIM_NONE:
		end_burst(thread);
		return wait_for_request(thread, idle_milliseconds);
	default:
		return -EFAULT;
	}
}

static long serve(struct exec_thread *thread, u32 idle_milliseconds)
{
	long result;

	result = table_join_awake(thread->context, &thread->epoch);
	if (result)
		return result;
	result = thread->parked ? serve_call(thread) : GO_ON;
	while (result == GO_ON) {
		cond_resched_tasks_rcu_qs();
		if (task_work_pending(current))
			run_task_works();
		if (signal_pending(current))
			result = leave_and_return();
		else
			result = serve_once(thread, idle_milliseconds);
	}
	/* After these the thread wasn't counted in, or there is nothing to count in. */
	if (result != -ETIME && result != -EFAULT)
		table_leave_awake(thread->context, thread->epoch);
	show_counters(thread, 0);
	return result;
}

/* A parked call is anybody's: its own thread may never come back. */
static struct exec_thread *find_parked(struct context *context)
{
	struct exec_thread *thread;

	list_for_each_entry(thread, &context->threads, entry)
		if (!thread->inside)
			return thread;
	return NULL;
}

static struct exec_thread *enter(struct context *context)
{
	struct exec_thread *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	struct exec_thread *thread;

	if (fresh) {
		spin_lock_init(&fresh->lock);
		init_task_work(&fresh->interruption, interrupted);
		fresh->context = context;
	}
	spin_lock(&context->lock);
	thread = find_parked(context);
	if (!thread && !fresh) {
		/* Not before the look for a parked call: nobody else may come for it. */
		thread = ERR_PTR(-ENOMEM);
	} else if (!thread && context->thread_count >= READ_ONCE(max_threads)) {
		thread = ERR_PTR(-EAGAIN);
	} else if (!thread) {
		thread = fresh;
		fresh = NULL;
		list_add(&thread->entry, &context->threads);
		context->thread_count++;
	}
	if (!IS_ERR(thread)) {
		thread->task = current;
		thread->inside = true;
	}
	spin_unlock(&context->lock);
	kfree(fresh);
	return thread;
}

/* Under context->lock. */
static void remove_thread(struct exec_thread *thread)
{
	struct context *context = thread->context;

	list_del(&thread->entry);
	context->thread_count--;
	counters_add(&context->counters, &thread->counters);
}

static void leave(struct exec_thread *thread)
{
	struct context *context = thread->context;
	const bool parked = thread->parked;

	end_burst(thread);
	spin_lock(&context->lock);
	thread->inside = false;
	if (parked)
		thread->since_exit = 0;
	else
		remove_thread(thread);
	spin_unlock(&context->lock);
	/* A parked one may be another thread's by now, or gone. */
	if (parked)
		return;
	/* The interruption may still be queued. Nobody can queue it again. */
	run_task_works();
	kfree(thread);
}

long exec_serve(struct context *context, struct file *file, u32 idle_milliseconds)
{
	struct exec_thread *thread = enter(context);
	long result;

	if (IS_ERR(thread))
		return PTR_ERR(thread);
	/*
	 * A call may close the descriptor through which we came. The entry to ioctl(2)
	 * holds no reference of its own in a process with a single thread.
	 */
	get_file(file);
	result = serve(thread, idle_milliseconds);
	leave(thread);
	fput(file);
	return result;
}

/*
 * The calling thread has the table's memory, but may not serve it any more. Where a call
 * is parked, the thread gets it to run by itself: returns slot + 1, or 0 where there is
 * none.
 */
long exec_hand_back(struct context *context)
{
	struct exec_thread *thread;
	long result = 0;

	spin_lock(&context->lock);
	thread = find_parked(context);
	if (thread) {
		result = thread->call.slot + 1;
		thread->counters.refused++;
		remove_thread(thread);
	}
	spin_unlock(&context->lock);
	kfree(thread);
	return result;
}

/* One that naps will find what there is as soon as one that runs would. */
static u32 count_running(struct context *context)
{
	struct exec_thread *thread;
	u32 running = 0;

	spin_lock(&context->lock);
	list_for_each_entry(thread, &context->threads, entry)
		if (thread->inside && (READ_ONCE(thread->naps) || task_is_running(thread->task)))
			running++;
	spin_unlock(&context->lock);
	return running;
}

/*
 * Looks at the ring from time to time, and returns 0 when requests are not seen to as
 * they should, or none come. The look before that is left in *watch.
 */
int exec_watch(struct context *context, struct async_syscall_watch *watch)
{
	for (;;) {
		ktime_t interval = ns_to_ktime((u64)watch->microseconds * NSEC_PER_USEC);
		bool awake;
		bool claimed;
		u64 head;
		u64 tail;
		int error;

		set_current_state(TASK_INTERRUPTIBLE);
		schedule_hrtimeout_range(&interval, NSEC_PER_USEC, HRTIMER_MODE_REL);
		if (signal_pending(current))
			return -EINTR;
		/* Limits of processor time act through it, from Linux 6.18. */
		run_task_works();
		error = table_look(context, &head, &tail, &awake);
		if (error)
			return error;
		claimed = head >= watch->tail ||
			  (head != watch->head && count_running(context) >= watch->busy);
		if (!awake || !claimed || tail == watch->tail)
			return 0;
		watch->head = head;
		watch->tail = tail;
	}
}

void exec_init(struct context *context)
{
	init_waitqueue_head(&context->sleepers);
	spin_lock_init(&context->lock);
	INIT_LIST_HEAD(&context->threads);
	compat_hrtimer_setup(&context->teller, time_is_up);
}

/* At the end of the context: nobody comes back for a parked call. */
void exec_free(struct context *context)
{
	struct exec_thread *thread;
	struct exec_thread *next;

	hrtimer_cancel(&context->teller);
	list_for_each_entry_safe(thread, next, &context->threads, entry)
		kfree(thread);
}
