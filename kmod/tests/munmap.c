/* SPDX-License-Identifier: MIT */
/*
 * munmap - the table goes away under the threads: the running call ends, EXEC returns EFAULT, a
 * sleeping thread does so when the bell rings, and nothing is left of the pages.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

static void unmap(struct kmod_table *table)
{
	CHECK_EQUAL(munmap(table->own.view.control, ASYNC_SYSCALL_TABLE_BYTES(4)), 0);
}

/* The memory comes back, as pages of zeros: not a table that anybody has laid out. */
static void map_again(struct kmod_table *table)
{
	void *address = table->own.view.control;

	CHECK(mmap(address, ASYNC_SYSCALL_TABLE_BYTES(4), PROT_READ | PROT_WRITE,
	           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == address);
}

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread thread;
	int ends[2];
	char byte;

	open_pipe(ends);
	enter_kmod(&thread, &table);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, thread.tid);
	unmap(&table);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(left_kmod(&thread), -EFAULT);
	CHECK_EQUAL(byte, 'x');
	CHECK_EQUAL(exec_once(&table, 0), -EFAULT);

	map_again(&table);
	enter_kmod(&thread, &table);
	wait_until_asleep(thread.tid);
	unmap(&table);
	CHECK_EQUAL(CALL(table.device, ASYNC_SYSCALL_DOORBELL), -EFAULT);
	CHECK_EQUAL(left_kmod(&thread), -EFAULT);

	/* Not writable is as bad as not there. */
	map_again(&table);
	CHECK_EQUAL(mprotect(table.own.view.control, ASYNC_SYSCALL_TABLE_BYTES(4), PROT_READ), 0);
	CHECK_EQUAL(exec_once(&table, 0), -EFAULT);
	free_kmod_table(&table);
	return 0;
}
