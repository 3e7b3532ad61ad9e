/*
 * An interruption never hits another call, though it is repeated almost without a pause, comes while the
 * call ends, and the same thread goes on to the next call at once: calls that nobody interrupts
 * never see EINTR.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 8, BYSTANDERS = 3 };

static void stress(uint32_t workers, uint32_t rounds)
{
	const struct timespec short_time = {.tv_nsec = 5000};
	struct owner owner = open_owner(SLOTS, workers, 5000);
	uint32_t interrupted = 0;
	uint32_t seed = 362436069;
	int ends[2];
	char byte;

	open_pipe(ends);
	for (uint32_t i = 0; i < rounds; i++) {
		/* The victim blocks, or ends by itself at about the time of the interruption. */
		bool blocks = i % 2 == 0;
		int32_t victim = blocks ? submit_read(&owner, ends[0], &byte, 1)
		                        : submit(&owner, SYS_nanosleep, (intptr_t)&short_time, 0, 0);
		uint32_t in_flight = 1 + BYSTANDERS;
		uint32_t pause = 64;
		bool open = true;

		/* They sleep, so a stray signal would end them. */
		for (uint32_t j = 0; j < BYSTANDERS; j++)
			CHECK(submit(&owner, SYS_nanosleep, (intptr_t)&short_time, 0, 0) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		spin(next_random(&seed) % 512);
		while (in_flight != 0) {
			uint32_t count = reap_now(&owner, 0);

			in_flight -= count;
			for (uint32_t j = 0; j < count; j++) {
				int64_t result = owner.out[2 * j + 1];

				if (owner.out[2 * j] != victim) {
					CHECK_EQUAL(result, 0);
					continue;
				}
				CHECK(result == -ECANCELED || (!blocks && result == 0));
				interrupted += result == -ECANCELED;
				open = false;
			}
			if (open) {
				/* The next one begins while the thread answers to the one before. */
				for (uint32_t j = 0; j < 3; j++) {
					int result = async_syscall_interrupt(owner.table, (uint32_t)victim);

					CHECK(result == 0 || result == -EAGAIN);
					spin(next_random(&seed) % 128);
				}
				/* Real-time signals queue up: a thread without a processor has to take them all. */
				spin(next_random(&seed) % pause);
				if (pause < 8192)
					pause *= 2;
				else
					sched_yield();
			}
		}
	}
	CHECK(interrupted >= rounds / 2); /* those that block, at least */
	close_owner(&owner);
}

int main(void)
{
	stress(1, rounds(5000));
	stress(2, rounds(5000));
	return 0;
}
