/* SPDX-License-Identifier: MIT */
/* permission - the device is root's alone unless somebody says otherwise. */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "kmod_table.h"

static void child(void *unused)
{
	(void)unused;
	if (geteuid() != 0)
		SKIP("only root can become somebody else\n");
	CHECK_EQUAL(setresuid(65534, 65534, 65534), 0);
	CHECK_EQUAL(open(ASYNC_SYSCALL_DEVICE, O_RDWR), -1);
	CHECK_EQUAL(errno, EACCES);
}

int main(void)
{
	struct stat status;

	close(open_device());
	CHECK_EQUAL(stat(ASYNC_SYSCALL_DEVICE, &status), 0);
	CHECK_EQUAL(status.st_mode & 07777, 0600);
	CHECK_EQUAL(status.st_uid, 0);
	return in_child(child, NULL);
}
