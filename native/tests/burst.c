/* One doorbell for all that was submitted since the last, and none while nothing waits. */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 64 };

int main(void)
{
	struct owner owner = open_owner(SLOTS, 4, 60 * 1000);

	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	CHECK_EQUAL(statistics(&owner).doorbells, 0);
	for (uint32_t round = 1; round <= 20; round++) {
		for (uint32_t i = 0; i < SLOTS; i++)
			CHECK(submit_quick(&owner) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		CHECK_EQUAL(statistics(&owner).doorbells, round);
		reap_all(&owner, SLOTS, NULL);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		CHECK_EQUAL(statistics(&owner).doorbells, round);
		/* Until all are asleep, so that the next burst needs a doorbell. */
		WAIT_UNTIL(statistics(&owner).executed == (uint64_t)round * SLOTS);
		WAIT_UNTIL(statistics(&owner).sleeps > statistics(&owner).doorbells);
		sleep_microseconds(20 * 1000);
	}
	close_owner(&owner);
	return 0;
}
