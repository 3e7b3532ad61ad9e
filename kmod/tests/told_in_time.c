/* SPDX-License-Identifier: MIT */
/* told_in_time - the owner hears of a completion though the next call of a long burst blocks. */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { SLOTS = 64, BURST = 40, BLOCKED = 1 };

int main(void)
{
	struct kmod_table table = make_kmod_table(SLOTS);
	struct pollfd told = {.fd = table.own.event_fd, .events = POLLIN};
	struct kmod_thread thread;
	char byte;
	int ends[2];

	open_pipe(ends);
	for (uint32_t i = 0; i < BURST; i++)
		if (i == BLOCKED)
			post_call(&table.own, i, SYS_read, ends[0], (intptr_t)&byte, 1);
		else
			post_call(&table.own, i, SYS_getpid, 0, 0, 0);
	enter_kmod(&thread, &table);
	CHECK_EQUAL(poll(&told, 1, HANG_MILLISECONDS), 1);
	CHECK_EQUAL(wait_for(&table, 0), getpid());
	CHECK_EQUAL(state_of(&table, BLOCKED), SYSCALL_EXECUTING);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(wait_for(&table, BLOCKED), 1);
	for (uint32_t i = BLOCKED + 1; i < BURST; i++)
		CHECK_EQUAL(wait_for(&table, i), getpid());
	end_and_free(&table, SLOTS - 1, &thread, 1);
	return 0;
}
