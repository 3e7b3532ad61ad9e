/* A full table gives -EAGAIN, and nothing else changes; a slot that is free again is given again. */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 4 };

int main(void)
{
	struct owner owner = open_owner(SLOTS, 1, 5000);
	bool given[SLOTS] = {false};
	int32_t slot;

	for (uint32_t i = 0; i < SLOTS; i++) {
		slot = submit_quick(&owner);
		CHECK(slot >= 0 && slot < SLOTS);
		CHECK(!given[slot]);
		given[slot] = true;
	}
	for (uint32_t i = 0; i < 10; i++)
		CHECK_EQUAL(submit_quick(&owner), -EAGAIN);
	CHECK_EQUAL(statistics(&owner).submitted, SLOTS);
	CHECK_EQUAL(statistics(&owner).in_flight, SLOTS);

	CHECK_EQUAL(async_syscall_withdraw(owner.table, 2), 1);
	CHECK_EQUAL(submit_quick(&owner), 2);
	CHECK_EQUAL(submit_quick(&owner), -EAGAIN);

	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	reap_all(&owner, SLOTS, NULL);
	CHECK_EQUAL(statistics(&owner).in_flight, 0);
	CHECK(submit_quick(&owner) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	reap_all(&owner, 1, NULL);
	close_owner(&owner);
	return 0;
}
