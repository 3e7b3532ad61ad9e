/* SPDX-License-Identifier: MIT */
/*
 * end_parked - END comes while a call is parked, since a signal has taken its thread out. Whoever enters next
 * doesn't block in it again: the call ends as if END had interrupted it.
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
	const struct timespec hour = {.tv_sec = 3600};
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread deserter = {.table = &table};
	struct kmod_thread thread;
	int ends[2];
	char byte;

	CHECK_EQUAL(sigaction(SIGUSR1, &interrupts, NULL), 0);
	open_pipe(ends);
	for (int round = 0; round < 2; round++) {
		deserter.tid = 0;
		CHECK_EQUAL(pthread_create(&deserter.thread, NULL, enter_once, &deserter), 0);
		WAIT_UNTIL(load_acquire(&deserter.tid) != 0);
		if (round == 0)
			call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
		else
			call(&table, 0, SYS_nanosleep, (intptr_t)&hour, 0, 0);
		wait_until_blocked(&table, 0, deserter.tid);
		CHECK_EQUAL(syscall(SYS_tgkill, getpid(), deserter.tid, SIGUSR1), 0);
		CHECK_EQUAL(left_kmod(&deserter), -EINTR);
		end_threads(&table, 1, 1);
		enter_kmod(&thread, &table);
		CHECK_EQUAL(left_kmod(&thread), 0);
		CHECK_EQUAL(wait_for(&table, 0), -ECANCELED);
		/* Take END away again: the head stands at it. */
		store_sequential(&slot_of(&table, 1)->state, (__u32)SYSCALL_NONE);
	}
	free_kmod_table(&table);
	return 0;
}
