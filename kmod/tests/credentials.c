/* SPDX-License-Identifier: MIT */
/* credentials - a thread whose user isn't that of INIT is refused; asleep in EXEC it couldn't change. */
#define _GNU_SOURCE
#include "kmod_table.h"

static void child(void *unused)
{
	struct kmod_table mine = make_kmod_table(4);

	(void)unused;
	if (geteuid() != 0)
		SKIP("only root can become somebody else\n");
	CHECK_EQUAL(syscall(SYS_setresuid, 1, 1, 0), 0);
	CHECK_EQUAL(exec_once(&mine, 0), -EPERM);
	/* And back: the same numbers, but it isn't for the module to say that nothing else has changed. */
	CHECK_EQUAL(syscall(SYS_setresuid, 0, 0, 0), 0);
	CHECK_EQUAL(exec_once(&mine, 0), -EPERM);
}

int main(void)
{
	close(open_device());
	return in_child(child, NULL);
}
