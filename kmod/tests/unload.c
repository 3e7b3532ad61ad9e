/* SPDX-License-Identifier: MIT */
/* unload - refused while a file of the device is open, even when its descriptor is closed. */
#define _GNU_SOURCE
#include "kmod_table.h"

static int unload(void)
{
	return syscall(SYS_delete_module, "async_syscall", O_NONBLOCK) == 0 ? 0 : -errno;
}

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread thread;
	int ends[2];
	char byte;

	if (geteuid() != 0)
		SKIP("only root can unload modules\n");
	CHECK_EQUAL(unload(), -EAGAIN);
	enter_kmod(&thread, &table);
	open_pipe(ends);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, thread.tid);
	close(table.device);
	CHECK_EQUAL(unload(), -EAGAIN);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(wait_for(&table, 0), 1);
	return 0; /* the thread is still inside, and goes with the process */
}
