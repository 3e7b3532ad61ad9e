/*
 * A table that does nothing costs nothing: once calls have ended, or all threads that there may be
 * are stuck in theirs, no thread of the library runs any more, the watch included.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 16, MAX_WORKERS = 4 };

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
	WAIT_UNTIL(library_is_asleep());

	/* Requests wait behind calls that all block, and there can't be more threads. */
	open_pipe(ends);
	for (uint32_t i = 0; i < SLOTS; i++)
		CHECK(submit_read(&owner, ends[0], &bytes[i], 1) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(statistics(&owner).workers == MAX_WORKERS);
	WAIT_UNTIL(library_is_asleep());

	CHECK_EQUAL(write(ends[1], "0123456789abcdef", SLOTS), SLOTS);
	reap_all(&owner, SLOTS, NULL);
	WAIT_UNTIL(library_is_asleep());

	/* A withdrawn request leaves its entry in the ring. */
	CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)submit_quick(&owner)), 1);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(library_is_asleep());
	close_owner(&owner);
	return 0;
}
