/*
 * No completion goes unnoticed by an owner that only sleeps in poll(2) on the eventfd, however the
 * arming of the notification and the completions fall together; and a burst that nobody has looked
 * at yet costs one eventfd write.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 16, FEW = 7 };

static void stress(uint32_t workers, uint32_t rounds)
{
	struct owner owner = open_owner(SLOTS, workers, 5000);
	uint32_t seed = 1013904223;
	uint32_t in_flight = 0;

	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t burst = next_random(&seed) % (SLOTS - in_flight) + 1;

		for (uint32_t j = 0; j < burst; j++)
			CHECK(submit_quick(&owner) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		in_flight += burst;
		spin(next_random(&seed) % 128);
		/* Sometimes not all: then the next burst meets completions of this one. */
		while (in_flight > (i % 3 == 0 ? SLOTS / 2 : 0)) {
			in_flight -= reap(&owner);
			if (next_random(&seed) % 8 == 0)
				sleep_microseconds(next_random(&seed) % 64);
			else
				spin(next_random(&seed) % 256);
		}
	}
	reap_all(&owner, in_flight, NULL);
	close_owner(&owner);
}

int main(void)
{
	struct owner owner = open_owner(SLOTS, 1, 5000);
	struct pollfd told = {.fd = async_syscall_event_fd(owner.table), .events = POLLIN};

	/* A burst of completions, and nobody looks: one write. */
	for (uint32_t i = 0; i < FEW; i++)
		CHECK(submit_quick(&owner) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(statistics(&owner).executed == FEW);
	CHECK_EQUAL(statistics(&owner).notifications, 1);
	CHECK_EQUAL(poll(&told, 1, 0), 1);
	CHECK_EQUAL(reap_now(&owner, 1), FEW);
	/* All is taken and nothing is left that could come: it is armed, and silent. */
	CHECK(!owner.again);
	CHECK_EQUAL(poll(&told, 1, 0), 0);
	CHECK_EQUAL(reap_now(&owner, 0), 0);

	/* One comes, another is still out: the owner has to look again, and isn't told meanwhile. */
	int ends[2];
	char byte;
	open_pipe(ends);
	CHECK(submit_quick(&owner) >= 0);
	CHECK(submit_read(&owner, ends[0], &byte, 1) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	CHECK_EQUAL(poll(&told, 1, HANG_MILLISECONDS), 1);
	CHECK_EQUAL(reap_now(&owner, 1), 1);
	CHECK(owner.again);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	WAIT_UNTIL(statistics(&owner).executed == FEW + 2);
	CHECK_EQUAL(statistics(&owner).notifications, 2);
	CHECK_EQUAL(poll(&told, 1, 0), 0);
	CHECK_EQUAL(reap_now(&owner, 0), 1);
	CHECK(!owner.again);

	/* So many come at once that there will be others: it looks again, though nothing is out. */
	for (uint32_t i = 0; i < SLOTS; i++)
		CHECK(submit_quick(&owner) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(statistics(&owner).executed == FEW + 2 + SLOTS);
	CHECK_EQUAL(reap_now(&owner, 1), SLOTS);
	CHECK(owner.again);
	CHECK_EQUAL(reap_now(&owner, 0), 0);
	CHECK(!owner.again);
	close_owner(&owner);

	stress(1, rounds(100000));
	stress(3, rounds(100000));
	return 0;
}
