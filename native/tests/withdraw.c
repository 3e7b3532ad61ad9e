/*
 * A withdrawn call never runs. Its entry stays in the ring and serves the next request of the slot:
 * the ring never holds a slot twice, however often requests are withdrawn, and so never overflows.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 4 };

int main(void)
{
	struct owner owner = open_owner(SLOTS, 2, 5000);
	char content[16] = "";
	int ends[2];
	int32_t slot;

	open_pipe(ends);
	slot = submit_write(&owner, ends[1], "x", 1);
	CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)slot), 1);
	CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)slot), 0); /* it is free */
	CHECK_EQUAL(async_syscall_withdraw(owner.table, SLOTS), 0);
	CHECK_EQUAL(async_syscall_withdraw(owner.table, UINT32_MAX), 0);
	CHECK_EQUAL(statistics(&owner).in_flight, 0);

	/* Far more withdrawn requests than the ring has entries. */
	for (uint32_t i = 0; i < 1000 * SLOTS; i++) {
		int32_t slots[SLOTS];
		uint32_t count = 1 + i % SLOTS;

		for (uint32_t j = 0; j < count; j++)
			slots[j] = submit_write(&owner, ends[1], "x", 1);
		for (uint32_t j = 0; j < count; j++)
			CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)slots[j]), 1);
	}
	/* The last ones run, each once. */
	for (uint32_t i = 0; i < SLOTS; i++)
		CHECK(submit_write(&owner, ends[1], &"abcd"[i], 1) >= 0);
	CHECK_EQUAL(submit_quick(&owner), -EAGAIN);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	reap_all(&owner, SLOTS, NULL);
	CHECK_EQUAL(read(ends[0], content, sizeof content), SLOTS);
	for (uint32_t i = 0; i < SLOTS; i++)
		CHECK(memchr(content, "abcd"[i], SLOTS) != NULL);

	/* One that is complete can't be withdrawn. */
	slot = submit_quick(&owner);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	struct pollfd told = {.fd = async_syscall_event_fd(owner.table), .events = POLLIN};
	CHECK_EQUAL(poll(&told, 1, HANG_MILLISECONDS), 1);
	CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)slot), 0);
	reap_all(&owner, 1, NULL);

	/* One that runs can't either. */
	slot = submit_read(&owner, ends[0], content, 1);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(async_syscall_interrupt(owner.table, (uint32_t)slot) == 0);
	CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)slot), 0);
	CHECK_EQUAL(cancel(&owner, slot), -ECANCELED);

	CHECK_EQUAL(statistics(&owner).withdrawn,
	            statistics(&owner).submitted - statistics(&owner).completed);
	close_owner(&owner);
	return 0;
}
