/*
 * Withdrawing races with claiming: each call either runs once, and gives its result, or never runs,
 * and withdraw says which. Each call writes its number into a pipe, so that both are counted.
 *
 * Slots are used again at once, so that a thread which took a ring entry for a withdrawn request
 * meets the next request of the same slot: the case that publish() is careful about.
 */
#define _GNU_SOURCE
#include <sys/eventfd.h>

#include "test.h"

enum { SLOTS = 4 };

static const uint64_t one = 1;

static void race(uint32_t workers, uint32_t rounds, uint32_t most_spins)
{
	struct owner owner = open_owner(SLOTS, workers, 5000);
	uint64_t written = 0;
	uint64_t ran = 0;
	uint64_t withdrawn = 0;
	uint32_t seed = 521288629;
	int counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	for (uint32_t i = 0; i < rounds; i++) {
		bool open[SLOTS] = {false};
		uint32_t burst = 1 + next_random(&seed) % SLOTS;
		uint32_t in_flight = burst;

		for (uint32_t j = 0; j < burst; j++) {
			int32_t slot = submit_write(&owner, counter, &one, sizeof one);

			CHECK(slot >= 0);
			open[slot] = true;
		}
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		spin(next_random(&seed) % most_spins);
		for (uint32_t slot = 0; slot < SLOTS; slot++) {
			if (!open[slot] || next_random(&seed) % 4 == 0)
				continue;
			if (!async_syscall_withdraw(owner.table, slot))
				continue;
			withdrawn++;
			if (next_random(&seed) % 2 == 0) {
				CHECK_EQUAL(submit_write(&owner, counter, &one, sizeof one), slot);
				continue; /* it stands behind the old entry, and is rung for with the others */
			}
			open[slot] = false;
			in_flight--;
		}
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		while (in_flight != 0) {
			uint32_t count = reap(&owner);

			CHECK(count <= in_flight);
			for (uint32_t j = 0; j < count; j++) {
				CHECK(open[owner.out[2 * j]]);
				open[owner.out[2 * j]] = false;
				CHECK_EQUAL(owner.out[2 * j + 1], sizeof one);
			}
			ran += count;
			in_flight -= count;
		}
	}
	CHECK_EQUAL(read(counter, &written, sizeof written), sizeof written);
	CHECK_EQUAL(written, ran);
	CHECK_EQUAL(statistics(&owner).withdrawn, withdrawn);
	CHECK_EQUAL(statistics(&owner).submitted, ran + withdrawn);
	CHECK(withdrawn > 0); /* else nothing raced */
	CHECK(ran > 0);
	close_owner(&owner);
	close(counter);
}

int main(void)
{
	race(1, rounds(500000), 64);
	race(2, rounds(500000), 64);
	race(3, rounds(100000), 512);
	return 0;
}
