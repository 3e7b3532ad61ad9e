/* SPDX-License-Identifier: MIT */
/*
 * end_blocked - END ends threads that are stuck in calls: where one is free to see it, and where none is. Entries of
 * requests that were withdrawn may stand before it.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

static void run(uint32_t stuck, uint32_t free_threads, uint32_t withdrawn)
{
	struct kmod_table table = make_kmod_table(128);
	struct kmod_thread threads[8];
	uint32_t count = stuck + free_threads;
	int ends[2];
	char byte;

	open_pipe(ends);
	for (uint32_t i = 0; i < count; i++)
		enter_kmod(&threads[i], &table);
	for (uint32_t i = 0; i < stuck; i++) {
		call(&table, i, SYS_read, ends[0], (intptr_t)&byte, 1);
		WAIT_UNTIL(state_of(&table, i) == SYSCALL_EXECUTING);
	}
	for (uint32_t i = 0; i < count; i++)
		wait_until_asleep(threads[i].tid);
	for (uint32_t i = 0; i < withdrawn; i++)
		post(&table.own, stuck + i, SYSCALL_NONE);
	end_threads(&table, 127, count);
	for (uint32_t i = 0; i < count; i++)
		CHECK_EQUAL(left_kmod(&threads[i]), 0);
	for (uint32_t i = 0; i < stuck; i++)
		CHECK_EQUAL(wait_for(&table, i), -ECANCELED);
	free_kmod_table(&table);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	run(3, 1, 0);
	run(3, 0, 0);
	run(0, 4, 0);
	run(3, 0, 1);
	run(3, 0, 100);
	return 0;
}
