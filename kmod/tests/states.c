/* SPDX-License-Identifier: MIT */
/* states - HASCALL runs, whatever else stands in the ring is passed over, and END ends EXEC. */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	struct kmod_table table = make_kmod_table(8);
	struct kmod_thread thread;

	post(&table.own, 0, SYSCALL_NONE);
	post(&table.own, 1, SYSCALL_EXECUTING);
	post(&table.own, 2, SYSCALL_COMPLETED);
	post(&table.own, 3, 77);
	post_call(&table.own, 4, SYS_getpid, 0, 0, 0);
	post(&table.own, 5, SYSCALL_END);
	enter_kmod(&thread, &table);
	CHECK_EQUAL(left_kmod(&thread), 0);

	CHECK_EQUAL(state_of(&table, 0), SYSCALL_NONE);
	CHECK_EQUAL(state_of(&table, 1), SYSCALL_EXECUTING);
	CHECK_EQUAL(state_of(&table, 2), SYSCALL_COMPLETED);
	CHECK_EQUAL(state_of(&table, 3), 77);
	CHECK_EQUAL(take_result(&table.own, 4), getpid());
	CHECK_EQUAL(state_of(&table, 5), SYSCALL_END);
	/* END stays: who enters later leaves too. */
	CHECK_EQUAL(exec_once(&table, 0), 0);
	free_kmod_table(&table);
	return 0;
}
