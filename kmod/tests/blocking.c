/* SPDX-License-Identifier: MIT */
/* blocking - threads that are stuck in a call hold up nobody while one is left. */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { STUCK = 6 };

int main(void)
{
	struct kmod_table table = make_kmod_table(16);
	struct kmod_thread threads[STUCK + 1];
	char bytes[STUCK] = {0};
	int pipes[STUCK][2];

	for (uint32_t i = 0; i <= STUCK; i++)
		enter_kmod(&threads[i], &table);
	for (uint32_t i = 0; i < STUCK; i++) {
		open_pipe(pipes[i]);
		call(&table, i, SYS_read, pipes[i][0], (intptr_t)&bytes[i], 1);
		WAIT_UNTIL(state_of(&table, i) == SYSCALL_EXECUTING);
	}
	for (int round = 0; round < 100; round++) {
		call(&table, STUCK, SYS_getpid, 0, 0, 0);
		CHECK_EQUAL(wait_for(&table, STUCK), getpid());
	}
	for (uint32_t i = 0; i < STUCK; i++) {
		CHECK_EQUAL(state_of(&table, i), SYSCALL_EXECUTING);
		CHECK_EQUAL(write(pipes[i][1], "x", 1), 1);
		CHECK_EQUAL(wait_for(&table, i), 1);
		CHECK_EQUAL(bytes[i], 'x');
	}
	end_and_free(&table, STUCK + 1, threads, STUCK + 1);
	return 0;
}
