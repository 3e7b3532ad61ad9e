/* SPDX-License-Identifier: MIT */
/*
 * signals - a signal takes the thread out of EXEC and back: with SA_RESTART by itself, without it EXEC
 * returns EINTR. The call that it interrupts goes on, for the time that it has left, and gives no EINTR and
 * no restart code.
 */
#define _GNU_SOURCE
#include <linux/futex.h>

#include "kmod_table.h"

static uint32_t handled;

static void handler(int number)
{
	(void)number;
	add_sequential(&handled, 1);
}

static void hit(struct kmod_thread *thread, int number)
{
	uint32_t before = load_sequential(&handled);

	CHECK_EQUAL(syscall(SYS_tgkill, getpid(), thread->tid, number), 0);
	WAIT_UNTIL(load_sequential(&handled) == before + 1);
}

/* The call in slot 0 blocks; a handler runs, with SA_RESTART and without, and it blocks on. */
static void hit_in_call(struct kmod_table *table, struct kmod_thread *thread)
{
	uint32_t interrupted = load_sequential(&thread->interrupted);

	wait_until_blocked(table, 0, thread->tid);
	hit(thread, SIGUSR1);
	wait_until_asleep(thread->tid);
	CHECK_EQUAL(load_sequential(&thread->interrupted), interrupted);
	CHECK_EQUAL(state_of(table, 0), SYSCALL_EXECUTING);
	hit(thread, SIGUSR2);
	WAIT_UNTIL(load_sequential(&thread->interrupted) == interrupted + 1);
	wait_until_asleep(thread->tid);
	CHECK_EQUAL(state_of(table, 0), SYSCALL_EXECUTING);
}

/* Calls with a time limit go on too, with the time that is left. */
static void limited_calls(struct kmod_table *table, struct kmod_thread *thread)
{
	const struct timespec hour = {.tv_sec = 3600};
	const struct timespec moment = {.tv_nsec = 300 * 1000 * 1000};
	struct pollfd nobody = {.events = POLLIN};
	int ends[2];
	__u32 word = 0;

	open_pipe(ends);
	nobody.fd = ends[0];
	for (int round = 0; round < 3; round++) {
		call(table, 0, SYS_nanosleep, (intptr_t)&hour, 0, 0);
		hit_in_call(table, thread);
		CHECK_EQUAL(cancel_until_over(table, 0), -ECANCELED);
		slot_of(table, 0)->arg[3] = (__u64)(uintptr_t)&hour;
		call(table, 0, SYS_futex, (intptr_t)&word, FUTEX_WAIT_PRIVATE, 0);
		hit_in_call(table, thread);
		CHECK_EQUAL(cancel_until_over(table, 0), -ECANCELED);
		call(table, 0, SYS_poll, (intptr_t)&nobody, 1, 1000 * 1000);
		hit_in_call(table, thread);
		CHECK_EQUAL(write(ends[1], "x", 1), 1);
		CHECK_EQUAL(wait_for(table, 0), 1);
		CHECK_EQUAL(read(ends[0], &word, 1), 1);
		word = 0;
		/* Whether the handlers come into it or after it: it isn't cut short. */
		call(table, 0, SYS_nanosleep, (intptr_t)&moment, 0, 0);
		hit(thread, SIGUSR1);
		hit(thread, SIGUSR2);
		CHECK_EQUAL(wait_for(table, 0), 0);
	}
}

int main(void)
{
	struct sigaction restarts = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct sigaction interrupts = {.sa_handler = handler};
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread thread;
	int ends[2];
	char byte;

	CHECK_EQUAL(sigaction(SIGUSR1, &restarts, NULL), 0);
	CHECK_EQUAL(sigaction(SIGUSR2, &interrupts, NULL), 0);
	enter_kmod(&thread, &table);
	open_pipe(ends);

	/* Asleep. */
	wait_until_asleep(thread.tid);
	hit(&thread, SIGUSR1);
	CHECK_EQUAL(load_sequential(&thread.interrupted), 0);
	hit(&thread, SIGUSR2);
	WAIT_UNTIL(load_sequential(&thread.interrupted) == 1);

	/* In a call. */
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, thread.tid);
	for (uint32_t i = 0; i < 20; i++) {
		hit(&thread, SIGUSR1);
		wait_until_asleep(thread.tid);
		CHECK_EQUAL(load_sequential(&thread.interrupted), i + 1);
		hit(&thread, SIGUSR2);
		WAIT_UNTIL(load_sequential(&thread.interrupted) == i + 2);
		wait_until_asleep(thread.tid);
		CHECK_EQUAL(state_of(&table, 0), SYSCALL_EXECUTING);
	}
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(wait_for(&table, 0), 1);
	limited_calls(&table, &thread);
	end_and_free(&table, 1, &thread, 1);
	return 0;
}
