/* SPDX-License-Identifier: MIT */
/*
 * orphan - a signal handler takes a thread out of EXEC in the middle of a call, and the thread never
 * comes back. The call goes on with the next thread that enters.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

static void handler(int number)
{
	(void)number;
}

static void *enter_once(void *argument)
{
	struct kmod_thread *thread = argument;

	store_release(&thread->tid, (pid_t)syscall(SYS_gettid));
	thread->returned = exec_once(thread->table, 0);
	return NULL;
}

int main(void)
{
	struct sigaction interrupts = {.sa_handler = handler};
	const struct timespec moment = {.tv_nsec = 1000 * 1000};
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread deserter = {.table = &table};
	struct kmod_thread thread;
	int ends[2];
	char byte;

	CHECK_EQUAL(sigaction(SIGUSR1, &interrupts, NULL), 0);
	open_pipe(ends);
	for (int round = 0; round < 10; round++) {
		deserter.tid = 0;
		CHECK_EQUAL(pthread_create(&deserter.thread, NULL, enter_once, &deserter), 0);
		WAIT_UNTIL(load_acquire(&deserter.tid) != 0);
		call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
		wait_until_blocked(&table, 0, deserter.tid);
		CHECK_EQUAL(syscall(SYS_tgkill, getpid(), deserter.tid, SIGUSR1), 0);
		CHECK_EQUAL(left_kmod(&deserter), -EINTR);
		CHECK_EQUAL(state_of(&table, 0), SYSCALL_EXECUTING);

		enter_kmod(&thread, &table);
		wait_until_asleep(thread.tid);
		CHECK_EQUAL(state_of(&table, 0), SYSCALL_EXECUTING);
		CHECK_EQUAL(write(ends[1], "x", 1), 1);
		CHECK_EQUAL(wait_for(&table, 0), 1);
		/* And the thread is one like any other. */
		call(&table, 1, SYS_nanosleep, (intptr_t)&moment, 0, 0);
		CHECK_EQUAL(wait_for(&table, 1), 0);
		end_threads(&table, 2, 1);
		CHECK_EQUAL(left_kmod(&thread), 0);
		/* Take END away again: the head stands at it. */
		store_sequential(&slot_of(&table, 2)->state, (__u32)SYSCALL_NONE);
	}
	/* One that nobody takes over: it must not keep the process, or the memory. */
	CHECK_EQUAL(pthread_create(&deserter.thread, NULL, enter_once, &deserter), 0);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	WAIT_UNTIL(state_of(&table, 0) == SYSCALL_EXECUTING);
	wait_until_asleep(load_acquire(&deserter.tid));
	CHECK_EQUAL(syscall(SYS_tgkill, getpid(), deserter.tid, SIGUSR1), 0);
	CHECK_EQUAL(left_kmod(&deserter), -EINTR);
	free_kmod_table(&table);
	return 0;
}
