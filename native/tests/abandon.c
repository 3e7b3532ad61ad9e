/*
 * Abandoning: the thread that is stuck keeps its memory, so that the kernel may still write there;
 * all others leave, the watch too, and so does the stuck one when its call ends after all. The kernel
 * module's END interrupts what can be interrupted: then nothing is stuck, unless no slot is left for END.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 4 };

/* Threads that nobody joins are what this is about. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "report_thread_leaks=0";
}

int main(void)
{
	const char *executor = getenv("ASYNCSYS_EXECUTOR"); // NOLINT(concurrency-mt-unsafe)
	const bool end_interrupts = executor != NULL && strcmp(executor, "kmod") == 0;
	char bytes[SLOTS] = "";
	int32_t slots[SLOTS];
	int ends[2];

	open_pipe(ends);
	for (uint32_t stuck = 1; stuck <= SLOTS; stuck++) {
		/* As many threads as calls, so that all calls run. The last time no slot is left for END. */
		struct owner owner = open_owner(SLOTS, stuck, 100);

		for (uint32_t i = 0; i < stuck; i++)
			slots[i] = submit_read(&owner, ends[0], &bytes[i], 1);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		WAIT_UNTIL(statistics(&owner).workers == stuck);
		/* Nobody interrupts a call that is claimed when END is there already. */
		for (uint32_t i = 0; i < stuck; i++)
			while (async_syscall_withdraw(owner.table, (uint32_t)slots[i])) {
				slots[i] = submit_read(&owner, ends[0], &bytes[i], 1);
				CHECK_EQUAL(async_syscall_ring(owner.table), 0);
				sleep_microseconds(1000);
			}
		sleep_microseconds(10 * 1000); /* nobody can tell a call that blocks from one that will */
		CHECK_EQUAL(async_syscall_close(owner.table), -EBUSY);
		async_syscall_abandon(owner.table);
		WAIT_UNTIL(find_threads("asyncsys-watch", NULL, 0) == 0);
		if (end_interrupts && stuck < SLOTS) {
			WAIT_UNTIL(exec_threads() == 0);
			free(owner.reaped);
			continue;
		}
		WAIT_UNTIL(exec_threads() == stuck);
		CHECK_EQUAL(write(ends[1], "wxyz", stuck), stuck);
		WAIT_UNTIL(exec_threads() == 0);
		for (uint32_t i = 0; i < stuck; i++)
			CHECK(bytes[i] >= 'w' && bytes[i] <= 'z');
		free(owner.reaped);
	}
	return 0;
}
