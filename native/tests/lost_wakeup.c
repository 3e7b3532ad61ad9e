/*
 * No request waits for ever, though threads sleep, wake, leave after their idle time and are
 * started again while requests come: one request at a time, after pauses of all lengths.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 4 };

static void stress(uint32_t workers, uint32_t idle_milliseconds, uint32_t rounds)
{
	struct owner owner = open_owner(SLOTS, workers, idle_milliseconds);
	uint32_t seed = 2463534242;

	for (uint32_t i = 0; i < rounds; i++) {
		CHECK_EQUAL(result_of(&owner, submit_quick(&owner)), getpid());
		/* Around the moments when a thread goes to sleep, and when it leaves. */
		if (idle_milliseconds == 1 && next_random(&seed) % 16 == 0)
			sleep_microseconds(900 + next_random(&seed) % 128);
		else
			spin(next_random(&seed) % 512);
		CHECK(statistics(&owner).workers <= workers);
	}
	close_owner(&owner);
}

int main(void)
{
	static const uint32_t workers[] = {1, 2, 8};

	for (uint32_t i = 0; i < 3; i++) {
		stress(workers[i], 5000, rounds(30000));
		stress(workers[i], 1, rounds(30000));
		stress(workers[i], 0, rounds(30000));
	}
	return 0;
}
