/* SPDX-License-Identifier: MIT */
/* results - six arguments, results of 64 bits, errors, and numbers that there is no call for. */
#define _GNU_SOURCE
#include "kmod_table.h"

static int64_t run(struct kmod_table *table, long number, int64_t arg0, int64_t arg1, int64_t arg2)
{
	call(table, 0, number, arg0, arg1, arg2);
	return take_result(&table->own, 0);
}

int main(void)
{
	struct kmod_table table = make_kmod_table(2);
	int file = memfd_create("results", MFD_CLOEXEC);
	struct kmod_thread thread;
	int64_t address;

	enter_kmod(&thread, &table);
	CHECK_EQUAL(run(&table, SYS_ftruncate, file, 1L << 42, 0), 0);
	CHECK_EQUAL(run(&table, SYS_lseek, file, (1L << 41) + 5, SEEK_SET), (1L << 41) + 5);
	CHECK_EQUAL(run(&table, SYS_lseek, -1, 0, SEEK_SET), -EBADF);
	CHECK_EQUAL(run(&table, SYS_read, file, 8, 1), -EFAULT);

	slot_of(&table, 0)->arg[3] = MAP_PRIVATE;
	slot_of(&table, 0)->arg[4] = (__u64)file;
	slot_of(&table, 0)->arg[5] = 1L << 40;
	address = run(&table, SYS_mmap, 0, 4096, PROT_READ);
	CHECK(address > 1L << 32);
	CHECK_EQUAL(*(volatile char *)address, 0);

	CHECK_EQUAL(run(&table, 1000, 0, 0, 0), -ENOSYS);
	CHECK_EQUAL(run(&table, ASYNC_SYSCALL_COMPOUND - 1, 0, 0, 0), -ENOSYS);
	end_and_free(&table, 1, &thread, 1);
	return 0;
}
