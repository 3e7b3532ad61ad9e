/* SPDX-License-Identifier: MIT */
/*
 * execve_under_load - a program replaces one whose table is full of calls, some of which block: it begins
 * with one thread and without the device, and a table of its own works.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { SLOTS = 64, ROUNDS_OF_EXECVE = 20 };

static void run_calls(struct owner *owner)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		CHECK(submit_quick(owner) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner->table), 0);
	reap_all(owner, SLOTS, NULL);
}

int main(int argument_count, char **arguments)
{
	uint32_t round = argument_count == 1 ? 0 : (uint32_t)strtoul(arguments[1], NULL, 10);
	static char bytes[SLOTS];
	struct owner owner;
	char next[16];
	int ends[2];

	close(open_device());
	CHECK_EQUAL(count_entries("/proc/self/task"), 3);   /* ".", "..", and the only thread */
	CHECK_EQUAL(count_entries("/proc/self/fd"), 3 + 3); /* 0 to 2, and the one that lists them */
	setenv("ASYNCSYS_EXECUTOR", "kmod", 1);
	owner = open_owner(SLOTS, 8, 60 * 1000);
	run_calls(&owner);
	if (round == ROUNDS_OF_EXECVE) {
		close_owner(&owner);
		return 0;
	}
	open_pipe(ends);
	for (uint32_t i = 0; i < SLOTS; i++)
		if (i % 16 == 0)
			submit_read(&owner, ends[0], &bytes[i], 1);
		else
			submit_quick(&owner);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	spin(round * 1000);
	snprintf(next, sizeof next, "%u", round + 1);
	execl("/proc/self/exe", arguments[0], next, NULL);
	CHECK(false);
}
