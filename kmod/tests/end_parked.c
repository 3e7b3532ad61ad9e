/* SPDX-License-Identifier: MIT */
/*
 * end_parked - END comes while a call is parked, since a signal has taken its thread out. Whoever enters next
 * doesn't block in it again: the call ends as if END had interrupted it.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	const struct timespec hour = {.tv_sec = 3600};
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread deserter;
	struct kmod_thread thread;
	int ends[2];
	char byte;

	open_pipe(ends);
	for (int round = 0; round < 2; round++) {
		enter_deserter(&deserter, &table);
		if (round == 0)
			call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
		else
			call(&table, 0, SYS_nanosleep, (intptr_t)&hour, 0, 0);
		wait_until_blocked(&table, 0, deserter.tid);
		desert(&deserter);
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
