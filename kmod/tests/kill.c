/* SPDX-License-Identifier: MIT */
/* kill - SIGKILL ends a process at once whose threads are asleep in EXEC, in a call, and at work. */
#define _GNU_SOURCE
#include "kmod_table.h"

int main(void)
{
	close(open_device());
	for (int round = 0; round < 10; round++) {
		int ends[2];
		int status;
		pid_t pid;
		char byte;

		open_pipe(ends);
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			struct kmod_table table = make_kmod_table(4);
			struct kmod_thread threads[3];

			for (int i = 0; i < 3; i++)
				enter_kmod(&threads[i], &table);
			call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
			WAIT_UNTIL(state_of(&table, 0) == SYSCALL_EXECUTING);
			CHECK_EQUAL(write(ends[1], "", 0), 0);
			for (;;) {
				call(&table, 1, SYS_getpid, 0, 0, 0);
				wait_for(&table, 1);
			}
		}
		sleep_microseconds(20000 + 3000 * round);
		CHECK_EQUAL(kill(pid, SIGKILL), 0);
		CHECK_EQUAL(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQUAL(WTERMSIG(status), SIGKILL);
		close(ends[0]);
		close(ends[1]);
	}
	return 0;
}
