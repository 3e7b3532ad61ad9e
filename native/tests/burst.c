/* One doorbell for all that was submitted since the last, and none while nothing waits. */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 64 };

int main(void)
{
	struct owner owner = open_owner(SLOTS, 4, 60 * 1000);
	char bytes[3];
	int ends[2];

	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	CHECK_EQUAL(statistics(&owner).doorbells, 0);
	for (uint32_t round = 1; round <= 10; round++) {
		for (uint32_t i = 0; i < SLOTS; i++)
			CHECK(submit_quick(&owner) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		CHECK_EQUAL(statistics(&owner).doorbells, round);
		reap_all(&owner, SLOTS, NULL);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		CHECK_EQUAL(statistics(&owner).doorbells, round);
		/* Until all are asleep, so that the next burst needs a doorbell. */
		WAIT_UNTIL(library_is_asleep());
	}
	close_owner(&owner);

	/* Nor while a thread is awake: most rings come sooner than it can get to sleep. */
	owner = open_owner(SLOTS, 1, 60 * 1000);
	for (uint32_t round = 0; round < 10; round++) {
		for (uint32_t i = 0; i < SLOTS; i++) {
			CHECK(submit_quick(&owner) >= 0);
			CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		}
		reap_all(&owner, SLOTS, NULL);
	}
	CHECK(statistics(&owner).doorbells < 10 * SLOTS);
	close_owner(&owner);

	/* A thread that is stuck isn't awake, once that was noticed: the next request rings at once. */
	owner = open_owner(SLOTS, 4, 60 * 1000);
	open_pipe(ends);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK(submit_read(&owner, ends[0], &bytes[i], 1) >= 0);
		CHECK(submit_quick(&owner) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		CHECK_EQUAL(statistics(&owner).doorbells, i + 1);
		reap_all(&owner, 1, NULL);
		WAIT_UNTIL(library_is_asleep());
	}
	CHECK_EQUAL(write(ends[1], "xyz", 3), 3);
	reap_all(&owner, 3, NULL);
	close_owner(&owner);
	return 0;
}
