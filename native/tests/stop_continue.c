/* SIGSTOP and SIGCONT of the process, as by Ctrl-Z and fg, end no call and lose none. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>

#include "test.h"

enum { SLOTS = 8, ROUNDS_TO_STOP = 50 };

static _Noreturn void serve(void)
{
	const struct timespec time = {.tv_nsec = 2 * 1000 * 1000};
	struct owner owner = open_owner(SLOTS, 4, 1);
	int64_t results[SLOTS];
	char byte;
	int ends[2];

	open_pipe(ends);
	for (uint32_t i = 0; i < ROUNDS_TO_STOP; i++) {
		int32_t blocked = submit_read(&owner, ends[0], &byte, 1);
		int32_t asleep = submit(&owner, SYS_nanosleep, (intptr_t)&time, 0, 0);
		int32_t quick = submit_quick(&owner);

		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		raise(SIGSTOP);
		CHECK_EQUAL(write(ends[1], "x", 1), 1);
		reap_all(&owner, 3, results);
		CHECK_EQUAL(results[blocked], 1);
		CHECK_EQUAL(results[asleep], 0);
		CHECK_EQUAL(results[quick], getpid());
	}
	close_owner(&owner);
	_exit(0);
}

int main(void)
{
	pid_t pid = fork();
	uint32_t stops = 0;
	int status;

	if (pid == 0)
		serve();
	for (;;) {
		CHECK_EQUAL(waitpid(pid, &status, WUNTRACED), pid);
		if (!WIFSTOPPED(status))
			break;
		stops++;
		CHECK_EQUAL(kill(pid, SIGCONT), 0);
	}
	CHECK_EQUAL(status, 0);
	CHECK_EQUAL(stops, ROUNDS_TO_STOP);
	return 0;
}
