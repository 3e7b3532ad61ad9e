/* SPDX-License-Identifier: MIT */
/*
 * signals - a signal takes the thread out of EXEC and back: with SA_RESTART by itself, without it EXEC
 * returns EINTR. The call that it interrupts goes on, and gives no EINTR and no restart code.
 */
#define _GNU_SOURCE
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
	end_and_free(&table, 1, &thread, 1);
	return 0;
}
