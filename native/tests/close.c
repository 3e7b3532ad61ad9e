/*
 * Closing: -EBUSY while any slot isn't free, and nothing has changed then; else all threads are gone
 * when it returns, wherever they were.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 8 };

/* A thread that was joined may stand in /proc for a moment longer: WAIT_UNTIL it is gone. */
static uint32_t library_threads(void)
{
	return find_threads("asyncsys-", NULL, 0);
}

int main(void)
{
	struct owner owner = open_owner(SLOTS, 4, 60 * 1000);
	char byte;
	int ends[2];
	int32_t slot;

	open_pipe(ends);
	close_owner(&owner); /* never used */

	/* A request that nobody was told of, one that runs, one that has completed. */
	owner = open_owner(SLOTS, 4, 60 * 1000);
	slot = submit_read(&owner, ends[0], &byte, 1);
	CHECK_EQUAL(async_syscall_close(owner.table), -EBUSY);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(async_syscall_interrupt(owner.table, (uint32_t)slot) == 0);
	CHECK_EQUAL(async_syscall_close(owner.table), -EBUSY);
	struct pollfd told = {.fd = async_syscall_event_fd(owner.table), .events = POLLIN};
	CHECK_EQUAL(poll(&told, 1, HANG_MILLISECONDS), 1);
	CHECK_EQUAL(async_syscall_close(owner.table), -EBUSY);
	CHECK_EQUAL(reap(&owner), 1);
	CHECK_EQUAL(owner.out[1], -ECANCELED);
	CHECK_EQUAL(result_of(&owner, submit_quick(&owner)), getpid()); /* it still serves */
	close_owner(&owner);
	WAIT_UNTIL(library_threads() == 0);

	/* At once after calls, so that threads are anywhere between their call and sleep. */
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t count = 1 + i % SLOTS;

		owner = open_owner(SLOTS, 1 + i % 4, i % 3 == 0 ? 0 : 60 * 1000);
		for (uint32_t j = 0; j < count; j++)
			CHECK(submit_quick(&owner) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		reap_all(&owner, count, NULL);
		close_owner(&owner);
		WAIT_UNTIL(library_threads() == 0);
	}

	/* After a withdrawal END may stand in front of entries that nobody takes any more. */
	for (uint32_t i = 0; i < 100; i++) {
		int32_t slots[SLOTS];
		uint32_t claimed = 0; /* a thread that is awake needs no doorbell */

		owner = open_owner(SLOTS, 2, 60 * 1000);
		CHECK_EQUAL(result_of(&owner, submit_quick(&owner)), getpid());
		for (uint32_t j = 0; j < SLOTS; j++)
			slots[j] = submit_quick(&owner);
		for (uint32_t j = 0; j < SLOTS; j++)
			claimed += !async_syscall_withdraw(owner.table, (uint32_t)slots[(i + j) % SLOTS]);
		reap_all(&owner, claimed, NULL);
		close_owner(&owner);
	}
	WAIT_UNTIL(library_threads() == 0);
	return 0;
}
