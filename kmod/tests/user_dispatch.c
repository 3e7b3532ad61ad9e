/* SPDX-License-Identifier: MIT */
/* user_dispatch - a thread whose system calls go to user space (wine's trick) is refused, others aren't. */
#define _GNU_SOURCE
#include <sys/prctl.h>

#include "kmod_table.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif

static char selector; /* 0: let all system calls through */

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread thread;

	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) != 0)
		SKIP("this kernel has no system-call user dispatch\n");
	CHECK_EQUAL(exec_once(&table, 0), -EPERM);
	CHECK_EQUAL(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0), 0);
	enter_kmod(&thread, &table);
	end_and_free(&table, 0, &thread, 1);
	return 0;
}
