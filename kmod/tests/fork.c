/* SPDX-License-Identifier: MIT */
/* fork - a child can do nothing with its parent's table; it can make one of its own. */
#define _GNU_SOURCE
#include "kmod_table.h"

static void child(void *argument)
{
	struct kmod_table *table = argument;
	struct async_syscall_counters counters;
	struct async_syscall_init init = init_of(&table->own);
	struct kmod_table mine;
	struct kmod_thread thread;

	CHECK_EQUAL(exec_once(table, 0), -EPERM);
	CHECK_EQUAL(CALL(table->device, ASYNC_SYSCALL_DOORBELL), -EPERM);
	CHECK_EQUAL(cancel_slot(table, 0), -EPERM);
	CHECK_EQUAL(CALL(table->device, ASYNC_SYSCALL_COUNTERS, &counters), -EPERM);
	CHECK_EQUAL(CALL(table->device, ASYNC_SYSCALL_INIT, &init), -EBUSY);

	mine = make_kmod_table(2);
	enter_kmod(&thread, &mine);
	call(&mine, 0, SYS_getpid, 0, 0, 0);
	CHECK_EQUAL(take_result(&mine.own, 0), getpid());
	end_and_free(&mine, 1, &thread, 1);
}

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread thread;
	int ends[2];
	char byte;

	enter_kmod(&thread, &table);
	open_pipe(ends);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, thread.tid);
	CHECK_EQUAL(in_child(child, &table), 0);
	CHECK_EQUAL(state_of(&table, 0), SYSCALL_EXECUTING);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(wait_for(&table, 0), 1);
	end_and_free(&table, 1, &thread, 1);
	return 0;
}
