/* SPDX-License-Identifier: MIT */
/*
 * remap - the pages of the table are replaced by empty ones under a thread that sleeps, and under one that is in
 * a call. Its result goes to where the slot is now, and the table can be laid out again and ended.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { SLOTS = 4 };

static void map_over(void *address)
{
	CHECK(mmap(address, ASYNC_SYSCALL_TABLE_BYTES(SLOTS), PROT_READ | PROT_WRITE,
	           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == address);
}

static void unmap_and_map(void *address)
{
	CHECK_EQUAL(munmap(address, ASYNC_SYSCALL_TABLE_BYTES(SLOTS)), 0);
	map_over(address);
}

static void drop_pages(void *address)
{
	CHECK_EQUAL(madvise(address, ASYNC_SYSCALL_TABLE_BYTES(SLOTS), MADV_DONTNEED), 0);
}

static void run(void (*replace)(void *), bool in_call)
{
	struct kmod_table table = make_kmod_table(SLOTS);
	void *address = table.own.view.control;
	struct kmod_thread thread;
	int ends[2];
	char byte;

	open_pipe(ends);
	enter_kmod(&thread, &table);
	if (in_call) {
		call(&table, 1, SYS_read, ends[0], (intptr_t)&byte, 1);
		wait_until_blocked(&table, 1, thread.tid);
	} else {
		wait_until_asleep(thread.tid);
	}
	replace(address);
	if (in_call) {
		CHECK_EQUAL(write(ends[1], "x", 1), 1);
		CHECK_EQUAL(wait_for(&table, 1), 1);
	}
	wait_until_asleep(thread.tid);

	CHECK_EQUAL(async_syscall_init(address, SLOTS, table.own.event_fd), 0);
	call(&table, 2, SYS_getpid, 0, 0, 0);
	CHECK_EQUAL(wait_for(&table, 2), getpid());
	end_and_free(&table, 3, &thread, 1);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static void (*const ways[])(void *) = {map_over, unmap_and_map, drop_pages};

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		run(ways[i], false);
		run(ways[i], true);
	}
	return 0;
}
