/* SPDX-License-Identifier: MIT */
/* handed_back - a call that isn't on the list comes back claimed, and the thread can go on with others. */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	struct kmod_table table = make_kmod_table(8);
	/* The last two are no system calls at all: compound.c's, and x32's. */
	const long never[] = {SYS_clone, SYS_execve, SYS_setuid,
	                      SYS_ioctl, 0xffffffff, ASYNC_SYSCALL_COMPOUND | SYS_getpid};
	const uint32_t count = sizeof never / sizeof never[0];

	for (uint32_t i = 0; i < count; i++) {
		post_call(&table.own, i, never[i], 0, 0, 0);
		CHECK_EQUAL(exec_once(&table, 0), i + 1);
		CHECK_EQUAL(state_of(&table, i), SYSCALL_EXECUTING);
	}
	CHECK_EQUAL(counters_of(&table).refused, count);
	CHECK_EQUAL(counters_of(&table).executed, 0);
	post_call(&table.own, count, SYS_getpid, 0, 0, 0);
	post(&table.own, count + 1, SYSCALL_END);
	CHECK_EQUAL(exec_once(&table, 0), 0);
	CHECK_EQUAL(wait_for(&table, count), getpid());
	free_kmod_table(&table);
	return 0;
}
