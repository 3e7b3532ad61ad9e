/*
 * One exec thread runs requests in the order in which they were submitted, and reap gives them in
 * the order in which they completed, each with its own result, while the ring goes round and round.
 */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "test.h"

enum { SLOTS = 8 };

int main(void)
{
	struct owner owner = open_owner(SLOTS, 1, 5000);
	const uint32_t repeats = rounds(40000);
	uint32_t seed = 88172645;
	uint32_t submitted = 0;

	for (uint32_t round = 0; round < repeats; round++) {
		uint32_t burst = 1 + next_random(&seed) % SLOTS;
		int32_t slots[SLOTS];
		uint32_t seen = 0;

		/* umask() returns what the call before it set: the order in which they ran. */
		for (uint32_t i = 0; i < burst; i++)
			slots[i] = submit(&owner, SYS_umask, (submitted + i) % 512, 0, 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		while (seen < burst) {
			uint32_t count = reap(&owner);

			for (uint32_t i = 0; i < count; i++, seen++) {
				CHECK_EQUAL(owner.out[2 * i], slots[seen]);
				if (submitted + seen != 0)
					CHECK_EQUAL(owner.out[2 * i + 1], (submitted + seen - 1) % 512);
			}
		}
		CHECK_EQUAL(seen, burst);
		submitted += burst;
	}
	CHECK_EQUAL(statistics(&owner).submitted, submitted);
	CHECK_EQUAL(statistics(&owner).completed, submitted);
	CHECK_EQUAL(statistics(&owner).in_flight, 0);
	close_owner(&owner);
	return 0;
}
