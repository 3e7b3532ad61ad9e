/* SPDX-License-Identifier: MIT */
/*
 * end_of_file - a close that runs in EXEC really closes: the peer sees the end of file while the thread stays
 * inside. The kernel does that on the way to user mode, which the thread doesn't take.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include "kmod_table.h"

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread thread;
	char byte;

	enter_kmod(&thread, &table);
	for (int round = 0; round < 100; round++) {
		int ends[2];

		if (round % 2)
			open_pipe(ends);
		else
			CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		/* Both at once: the thread doesn't sleep in between. */
		post_call(&table.own, 0, SYS_close, ends[1], 0, 0);
		post_call(&table.own, 1, SYS_read, ends[0], (intptr_t)&byte, 1);
		ring(&table);
		CHECK_EQUAL(wait_for(&table, 0), 0);
		CHECK_EQUAL(wait_for(&table, 1), 0);
		close(ends[0]);
	}
	/* And the last thing before a sleep. */
	int ends[2];
	open_pipe(ends);
	call(&table, 0, SYS_close, ends[1], 0, 0);
	CHECK_EQUAL(wait_for(&table, 0), 0);
	CHECK_EQUAL(read(ends[0], &byte, 1), 0);
	end_and_free(&table, 2, &thread, 1);
	return 0;
}
