/* SPDX-License-Identifier: MIT */
/*
 * close_device - a request closes the descriptor through which its own thread came, in a process with
 * a single thread (where ioctl(2) holds no reference), and puts another file in its place.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	for (int round = 0; round < 100; round++) {
		struct kmod_table table = make_kmod_table(8);
		struct async_syscall_exec exec = {0};
		int device = table.device;

		post_call(&table.own, 0, SYS_getpid, 0, 0, 0);
		if (round % 2)
			post_call(&table.own, 1, SYS_close, device, 0, 0);
		else
			post_call(&table.own, 1, SYS_dup2, table.own.event_fd, device, 0);
		post_call(&table.own, 2, SYS_getppid, 0, 0, 0);
		post(&table.own, 3, SYSCALL_END);
		CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_EXEC, &exec), 0);
		CHECK_EQUAL(wait_for(&table, 0), getpid());
		CHECK_EQUAL(wait_for(&table, 1), round % 2 ? 0 : device);
		CHECK_EQUAL(wait_for(&table, 2), getppid());
		CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_EXEC, &exec), round % 2 ? -EBADF : -ENOTTY);
		free_kmod_table(&table);
	}
	return 0;
}
