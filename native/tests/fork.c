/*
 * A forked child never gets its parent's table: each function says so and touches nothing, closing
 * is harmless, and a table of its own works. The parent goes on as if nothing had been. Also where
 * threads are busy at the moment of the fork.
 */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "test.h"

enum { SLOTS = 16 };

/* The sanitizers can't start threads in a child: the one knows none there, the locks of the other may
 * have been held when it was forked. So only the plain variant gives the child a table of its own. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "report_thread_leaks=0";
}

/* Mappings that a child finds empty: the table's memory, and nothing else here. */
static uint32_t count_wiped_mappings(void)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	uint32_t count = 0;
	char line[512];

	CHECK(maps != NULL);
	while (fgets(line, sizeof line, maps) != NULL)
		count += strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " wf") != NULL;
	fclose(maps);
	return count;
}

static _Noreturn void child(struct owner *owner, bool closes)
{
	CHECK_EQUAL(async_syscall_is_forked(owner->table), 1);
	CHECK_EQUAL(submit_quick(owner), -ECHILD);
	CHECK_EQUAL(async_syscall_ring(owner->table), -ECHILD);
	CHECK_EQUAL(reap_now(owner, 1), 0);
	CHECK(!owner->again);
	CHECK_EQUAL(async_syscall_withdraw(owner->table, 0), 0);
	CHECK(async_syscall_interrupt(owner->table, 0) < 0);
	CHECK_EQUAL(statistics(owner).workers, 0);
	if (closes)
		close_owner(owner);
	else
		async_syscall_abandon(owner->table);

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
	struct owner own = open_owner(4, 2, 1000);

	CHECK_EQUAL(async_syscall_is_forked(own.table), 0);
	CHECK_EQUAL(result_of(&own, submit_quick(&own)), getpid());
	close_owner(&own);
#endif
	_exit(0);
}

int main(void)
{
	uint32_t wiped_before = count_wiped_mappings();
	struct owner owner = open_owner(SLOTS, 4, 1);
	char bytes[SLOTS] = "";
	int64_t results[SLOTS];
	int ends[2];

	CHECK_EQUAL(count_wiped_mappings(), wiped_before + 1);
	open_pipe(ends);
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t blocked = i % 3;
		pid_t pid;
		int status;

		/* Idle, or with calls that block, and with quick ones on their way. */
		for (uint32_t j = 0; j < blocked; j++)
			CHECK(submit_read(&owner, ends[0], &bytes[j], 1) >= 0);
		for (uint32_t j = blocked; i % 4 != 0 && j < SLOTS; j++)
			CHECK(submit_quick(&owner) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		pid = fork();
		if (pid == 0)
			child(&owner, i % 2 == 0);
		CHECK(pid > 0);
		CHECK_EQUAL(async_syscall_is_forked(owner.table), 0);
		CHECK_EQUAL(waitpid(pid, &status, 0), pid);
		CHECK_EQUAL(status, 0);
		CHECK_EQUAL(write(ends[1], "xy", blocked), blocked);
		reap_all(&owner, statistics(&owner).in_flight, results);
	}
	close_owner(&owner);
	return 0;
}
