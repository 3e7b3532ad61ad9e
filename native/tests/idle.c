/*
 * A table that does nothing costs nothing: once calls have ended, or all threads that there may be
 * are stuck in theirs, no thread of the library runs any more, the watch included.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 16, MAX_WORKERS = 4, MOST_THREADS = 16 };

/* How often the threads of the library have gone to sleep. */
static long context_switches(void)
{
	int threads[MOST_THREADS];
	uint32_t count = find_threads("asyncsys-", threads, MOST_THREADS);
	long sum = 0;

	CHECK(count <= MOST_THREADS);
	for (uint32_t i = 0; i < count; i++) {
		static const char key[] = "\nvoluntary_ctxt_switches:";
		char status[4096];
		const char *found;

		read_thread_file(threads[i], "status", status, sizeof status);
		found = strstr(status, key);
		if (found != NULL)
			sum += strtol(found + strlen(key), NULL, 10);
	}
	return sum;
}

static bool is_quiet(void)
{
	long before = context_switches();

	sleep_microseconds(50 * 1000);
	return context_switches() == before;
}

int main(void)
{
	struct owner owner = open_owner(SLOTS, MAX_WORKERS, 60 * 1000);
	char bytes[SLOTS];
	int ends[2];

	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < SLOTS; i++)
			CHECK(submit_quick(&owner) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		reap_all(&owner, SLOTS, NULL);
	}
	WAIT_UNTIL(is_quiet());

	/* Requests wait behind calls that all block, and there can't be more threads. */
	open_pipe(ends);
	for (uint32_t i = 0; i < SLOTS; i++)
		CHECK(submit_read(&owner, ends[0], &bytes[i], 1) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(statistics(&owner).workers == MAX_WORKERS);
	WAIT_UNTIL(is_quiet());

	CHECK_EQUAL(write(ends[1], "0123456789abcdef", SLOTS), SLOTS);
	reap_all(&owner, SLOTS, NULL);
	WAIT_UNTIL(is_quiet());

	/* A withdrawn request leaves its entry in the ring. */
	CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)submit_quick(&owner)), 1);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(is_quiet());
	close_owner(&owner);
	return 0;
}
