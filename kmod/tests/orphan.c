/* SPDX-License-Identifier: MIT */
/*
 * orphan - a signal handler takes a thread out of EXEC in the middle of a call, and the thread never
 * comes back. The call goes on with the next thread that enters.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	const struct timespec moment = {.tv_nsec = 1000 * 1000};
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread deserter;
	struct kmod_thread thread;
	int ends[2];
	char byte;

	open_pipe(ends);
	for (int round = 0; round < 10; round++) {
		enter_deserter(&deserter, &table);
		call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
		wait_until_blocked(&table, 0, deserter.tid);
		desert(&deserter);
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
	enter_deserter(&deserter, &table);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, deserter.tid);
	desert(&deserter);
	free_kmod_table(&table);
	return 0;
}
