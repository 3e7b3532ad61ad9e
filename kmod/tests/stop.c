/* SPDX-License-Identifier: MIT */
/* stop - SIGSTOP and SIGCONT in mid-call: a read goes on, and a nanosleep neither fails nor begins again. */
#define _GNU_SOURCE
#include "kmod_table.h"

static void child(void *argument)
{
	const struct timespec time = {.tv_nsec = 300 * 1000 * 1000};
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread threads[2];
	const int *ends = argument;
	struct timespec before;
	struct timespec after;
	char byte;

	enter_kmod(&threads[0], &table);
	enter_kmod(&threads[1], &table);
	clock_gettime(CLOCK_MONOTONIC, &before);
	call(&table, 0, SYS_nanosleep, (intptr_t)&time, 0, 0);
	WAIT_UNTIL(state_of(&table, 0) == SYSCALL_EXECUTING);
	call(&table, 1, SYS_read, ends[0], (intptr_t)&byte, 1);
	WAIT_UNTIL(state_of(&table, 1) == SYSCALL_EXECUTING);
	CHECK_EQUAL(write(ends[3], "r", 1), 1); /* ready to be stopped */
	CHECK_EQUAL(wait_for(&table, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >=
	      time.tv_nsec);
	CHECK_EQUAL(wait_for(&table, 1), 1);
	end_and_free(&table, 2, threads, 2);
}

int main(void)
{
	int ends[4];
	int status;
	pid_t pid;
	char byte;

	close(open_device());
	open_pipe(ends);
	open_pipe(ends + 2);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		child(ends);
		_exit(0);
	}
	CHECK_EQUAL(read(ends[2], &byte, 1), 1);
	for (int i = 0; i < 20; i++) {
		CHECK_EQUAL(kill(pid, SIGSTOP), 0);
		CHECK_EQUAL(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		CHECK_EQUAL(kill(pid, SIGCONT), 0);
		sleep_microseconds(2000);
	}
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK_EQUAL(status, 0);
	return 0;
}
