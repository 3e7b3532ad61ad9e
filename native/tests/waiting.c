/*
 * Calls that return, but only after waiting in the kernel (a disk, a server), are given more
 * threads, though requests keep being claimed.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 64, CALLS = 600 };

int main(void)
{
	const struct timespec two_milliseconds = {.tv_nsec = 2 * 1000 * 1000};
	struct owner owner = open_owner(SLOTS, 32, 5000);
	uint32_t submitted = 0;
	uint32_t completed = 0;

	while (completed < CALLS) {
		while (submitted < CALLS &&
		       submit(&owner, SYS_nanosleep, (intptr_t)&two_milliseconds, 0, 0) >= 0)
			submitted++;
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		completed += reap(&owner);
	}
	CHECK(statistics(&owner).reinforcements > 0);
	CHECK(statistics(&owner).workers > 4);
	close_owner(&owner);
	return 0;
}
