/* SPDX-License-Identifier: MIT */
/*
 * execve - in mid-flight: the threads end, the program runs, and the device's descriptor, which
 * it has inherited, serves it no more.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(int argument_count, char **arguments)
{
	if (argument_count == 1) {
		struct kmod_table table = make_kmod_table(4);
		struct kmod_thread threads[2];
		char number[16];
		int ends[2];
		char byte;

		enter_kmod(&threads[0], &table);
		enter_kmod(&threads[1], &table);
		open_pipe(ends);
		call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
		WAIT_UNTIL(state_of(&table, 0) == SYSCALL_EXECUTING);
		CHECK_EQUAL(fcntl(table.device, F_SETFD, 0), 0);
		snprintf(number, sizeof number, "%d", table.device);
		execl("/proc/self/exe", arguments[0], number, NULL);
		CHECK(false);
	}
	struct kmod_table inherited = {.device = (int)strtol(arguments[1], NULL, 10)};

	CHECK_EQUAL(exec_once(&inherited, 0), -EPERM);
	CHECK_EQUAL(CALL(inherited.device, ASYNC_SYSCALL_DOORBELL), -EPERM);
	return 0;
}
