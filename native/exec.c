/* SPDX-License-Identifier: MIT */
/*
 * exec.c - the exec thread: watches a table and runs the system calls that stand in it.
 *
 * This is the paper's mechanism with the kernel's part played by a thread of the process. The
 * thread is in one of three places:
 *
 *   claim    take the next entry of the ring, then the slot that it names. Both by
 *            compare-and-swap: any number of threads may be inside, and one that is stuck in a call
 *            holds up nobody else.
 *   run      the call itself, by syscall(2): seccomp, audit, ptrace and the security modules see an
 *            ordinary system call of an ordinary thread.
 *   sleep    nothing to claim: spin for some microseconds, then wait for a token.
 *
 * A completion is published before the next request is claimed. It would be cheaper to tell the
 * owner about several at once, but nobody knows whether the next call returns in a microsecond or
 * never; the stack of completed slots makes a burst cheap instead (one eventfd write while the
 * owner hasn't come to look).
 */
#define _GNU_SOURCE
#include "exec.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "atomics.h"
#include "compound.h"
#include "futex.h"

/*
 * How long to look at an empty ring before sleeping. A loop that is awake comes back with the next
 * request within a few microseconds of a completion, and for that it is always worth to stay: a sleep
 * and a wake-up cost more. A loop that sleeps needs as long to wake up as this thread would, some tens
 * of microseconds. Who stays for that finds a loop that from then on never sleeps either, and a call
 * costs a fifth; but while the loop does something else with its time, it's a processor for nothing. So
 * this is tried where the last sleep was short, and more and more rarely the more often it fails. Never
 * by two threads, and never where there is one processor.
 */
enum {
	BRIEFLY = 64, /* pauses: one is 40 to 140 cycles */
	LONG_NANOSECONDS = 30 * 1000,
	SHORT_SLEEP_NANOSECONDS = 64 * 1000,
	RAREST = 64, /* short sleeps until it is tried again */
};

/* One exec thread's experience with staying for longer. */
struct patience {
	bool possible; /* there is a processor for it */
	bool slept_shortly;
	uint32_t failures; /* in sequence: 1, 2, 4 ... RAREST */
	uint32_t sleeps;   /* short ones since the last try */
};

enum { CLAIMED_NONE = -1, CLAIMED_END = -2 };

struct table_view table_view(void *address)
{
	struct async_syscall_control *control = address;
	__u32 slots = control->slots;
	char *bytes = address;

	return (struct table_view){
	    .control = control,
	    .pending = (__u32 *)(bytes + ASYNC_SYSCALL_PENDING_OFFSET),
	    .next = (__u32 *)(bytes + ASYNC_SYSCALL_NEXT_OFFSET(slots)),
	    .runner = (__u32 *)(bytes + ASYNC_SYSCALL_RUNNER_OFFSET(slots)),
	    .info = (struct syscall_info *)(bytes + ASYNC_SYSCALL_INFO_OFFSET(slots)),
	    .slots = slots,
	};
}

int async_syscall_init(void *address, uint32_t slots, int event_fd)
{
	struct async_syscall_control *control = address;

	if (address == NULL || (uintptr_t)address % ASYNC_SYSCALL_CACHE_LINE != 0)
		return -EINVAL;
	if (slots == 0 || slots > ASYNC_SYSCALL_MAX_SLOTS || (slots & (slots - 1)) != 0)
		return -EINVAL;
	memset(address, 0, ASYNC_SYSCALL_TABLE_BYTES(slots)); /* NONE is 0 */
	control->abi_version = ASYNC_SYSCALL_ABI_VERSION;
	control->slots = slots;
	control->event_fd = event_fd;
	store_release(&control->completed, (__u32)COMPLETED_ARMED);
	return 0;
}

int64_t do_syscall(uint32_t num, const uint64_t arg[6])
{
	long ret = syscall((long)num, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);

	return ret == -1 ? -(int64_t)errno : ret;
}

uint32_t processors_allowed(void)
{
	cpu_set_t allowed;

	/* EINVAL: there are more than the set has room for. */
	return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (uint32_t)CPU_COUNT(&allowed)
	                                                           : CPU_SETSIZE;
}

void exec_ring_doorbell(struct async_syscall_control *control)
{
	add_sequential(&control->doorbell, 1);
	futex_wake(&control->doorbell, 1);
}

/* Counts the caller in, and returns the epoch that it is counted in. */
static __u32 join_awake(struct async_syscall_control *control)
{
	return add_sequential(&control->awake, 1) >> AWAKE_EPOCH_SHIFT;
}

/* Counts the caller out, unless it was written off: then a later epoch has begun. */
static void leave_awake(struct async_syscall_control *control, __u32 epoch)
{
	__u32 awake = load_sequential(&control->awake);

	while (awake >> AWAKE_EPOCH_SHIFT == epoch && (awake & AWAKE_COUNT) != 0)
		if (compare_and_swap(&control->awake, &awake, awake - 1))
			return;
}

bool ring_is_empty(const struct async_syscall_control *control)
{
	/* The head first: it never passes the tail, so an older head only makes the ring look fuller. */
	__u64 head = load_sequential(&control->pending_head);

	return head == load_sequential(&control->pending_tail);
}

static int claim(const struct table_view *table)
{
	struct async_syscall_control *control = table->control;

	for (;;) {
		__u64 head = load_sequential(&control->pending_head);
		__u32 state = SYSCALL_HASCALL;
		__u32 slot;

		if (head == load_sequential(&control->pending_tail))
			return CLAIMED_NONE;
		slot = load_relaxed(&table->pending[head & (table->slots - 1)]) & (table->slots - 1);
		/* END stays at the head of the ring, for every exec thread to see. */
		if (load_acquire(&table->info[slot].state) == SYSCALL_END)
			return CLAIMED_END;
		if (!compare_and_swap(&control->pending_head, &head, head + 1))
			continue;
		if (compare_and_swap(&table->info[slot].state, &state, (__u32)SYSCALL_EXECUTING))
			return (int)slot;
		/* Withdrawn, or served through an older entry: pass over. */
	}
}

/* Returns false where the call was interrupted, with the signal delivered. */
static bool leave_runner(__u32 *runner, __u32 thread)
{
	__u32 expected = thread;

	if (compare_and_swap(runner, &expected, 0u))
		return true;
	/* By compare-and-swap: a second interruption may begin when the first is over. */
	do
		while (expected & RUNNER_SIGNALLING) {
			pause_briefly();
			expected = load_acquire(runner);
		}
	while (!compare_and_swap(runner, &expected, 0u));
	/*
	 * The signal is queued, but a thread that runs in user mode may not have taken it yet, and it
	 * would end the next call instead. The way out of any system call takes it.
	 */
	syscall(SYS_getppid);
	return false;
}

/* Returns whether the owner must be told. */
static bool push_completed(const struct table_view *table, __u32 slot)
{
	struct async_syscall_control *control = table->control;
	__u32 first = load_relaxed(&control->completed);

	do
		store_relaxed(&table->next[slot], first);
	while (!compare_and_swap(&control->completed, &first, slot));
	return first == COMPLETED_ARMED;
}

static void notify(struct async_syscall_control *control)
{
	static const uint64_t one = 1;

	add_relaxed(&control->notifications, 1); /* before the owner can count its wake-up */
	/* It can only fail where the count is at its limit, and then the owner has been told. */
	while (write(control->event_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void run(const struct table_view *table, __u32 slot, __u32 thread)
{
	struct syscall_info *info = &table->info[slot];
	uint64_t arg[ASYNC_SYSCALL_MAX_ARGUMENTS];
	__u32 num = info->num;
	int64_t ret;

	for (int i = 0; i < ASYNC_SYSCALL_MAX_ARGUMENTS; i++)
		arg[i] = info->arg[i];
	store_sequential(&table->runner[slot], thread);
	ret = num < ASYNC_SYSCALL_COMPOUND ? do_syscall(num, arg) : compound_run(num, arg);
	if (!leave_runner(&table->runner[slot], thread) && ret == -EINTR)
		ret = -ECANCELED;
	info->ret = ret;
	store_release(&info->state, (__u32)SYSCALL_COMPLETED);
	if (push_completed(table, slot))
		notify(table->control);
}

void exec_run_claimed(struct async_syscall_control *control, uint32_t slot)
{
	const struct table_view table = table_view(control);

	run(&table, slot, (__u32)syscall(SYS_gettid));
	add_relaxed(&control->executed, 1);
}

static bool take_token(struct async_syscall_control *control)
{
	__u32 tokens = load_sequential(&control->doorbell);

	while (tokens != 0)
		if (compare_and_swap(&control->doorbell, &tokens, tokens - 1))
			return true;
	return false;
}

/* Returns false after the time-out; NULL is none. */
static bool wait_for_token(struct async_syscall_control *control, const struct timespec *timeout)
{
	while (!take_token(control)) {
		if (futex_wait(&control->doorbell, 0, timeout) != -ETIMEDOUT)
			continue;
		/* Who rings after this finds no sleeper and sees to another thread. */
		subtract_sequential(&control->sleepers, 1);
		if (!take_token(control))
			return false;
		return true;
	}
	subtract_sequential(&control->sleepers, 1);
	return true;
}

static int64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static bool appears_briefly(const struct async_syscall_control *control)
{
	for (int i = 0; i < BRIEFLY; i++) {
		if (!ring_is_empty(control))
			return true;
		pause_briefly();
	}
	return false;
}

/* Whether a request comes while this thread stays awake. */
static bool appears(struct async_syscall_control *control, struct patience *patience)
{
	int64_t end;

	if (appears_briefly(control))
		return true;
	if (!patience->possible || !patience->slept_shortly ||
	    ++patience->sleeps < patience->failures ||
	    (load_relaxed(&control->awake) & AWAKE_COUNT) > 1)
		return false;
	patience->sleeps = 0;
	end = nanoseconds() + LONG_NANOSECONDS;
	do {
		if (appears_briefly(control)) {
			patience->failures = 1;
			return true;
		}
	} while (nanoseconds() < end);
	patience->failures = patience->failures < RAREST ? patience->failures * 2 : RAREST;
	return false;
}

int async_syscall_exec(void *address, uint32_t idle_milliseconds)
{
	const struct table_view table = table_view(address);
	struct async_syscall_control *control = table.control;
	const __u32 thread = (__u32)syscall(SYS_gettid);
	const struct timespec idle = {
	    .tv_sec = idle_milliseconds / 1000,
	    .tv_nsec = (long)(idle_milliseconds % 1000) * 1000000,
	};
	struct patience patience = {.possible = processors_allowed() > 1, .failures = 1};
	__u32 epoch = join_awake(control);

	for (;;) {
		int slot = claim(&table);

		if (slot >= 0) {
			__u64 executed = 0;

			do {
				run(&table, (__u32)slot, thread);
				executed++;
				if (load_relaxed(&control->awake) >> AWAKE_EPOCH_SHIFT != epoch)
					epoch = join_awake(control); /* the call took long: written off */
				slot = claim(&table);
			} while (slot >= 0);
			add_relaxed(&control->executed, executed);
		}
		if (slot == CLAIMED_END) {
			leave_awake(control, epoch);
			return 0;
		}
		if (appears(control, &patience))
			continue;

		leave_awake(control, epoch);
		add_sequential(&control->sleepers, 1);
		if (ring_is_empty(control)) {
			int64_t before = nanoseconds();

			add_relaxed(&control->sleeps, 1);
			if (!wait_for_token(control, idle_milliseconds == 0 ? NULL : &idle))
				return -ETIME;
			patience.slept_shortly = nanoseconds() - before < SHORT_SLEEP_NANOSECONDS;
			/* Who rang has counted us in. */
			epoch = load_sequential(&control->awake) >> AWAKE_EPOCH_SHIFT;
		} else {
			subtract_sequential(&control->sleepers, 1);
			epoch = join_awake(control);
		}
	}
}
