/*
 * Calls that block don't hold up others: threads are added while all are stuck, up to max_workers.
 * What is beyond that waits, and runs when one comes back. Afterwards the threads leave.
 */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 64, MAX_WORKERS = 8, IDLE = 50 };

int main(void)
{
	struct owner owner = open_owner(SLOTS, MAX_WORKERS, IDLE);
	int64_t results[SLOTS];
	char bytes[SLOTS] = "";
	int ends[SLOTS][2];
	int32_t slots[SLOTS];
	int32_t quick;

	for (uint32_t i = 0; i < SLOTS; i++)
		open_pipe(ends[i]);

	/* One fewer than there can be threads, submitted one by one: a quick call still gets through. */
	for (uint32_t i = 0; i < MAX_WORKERS - 1; i++) {
		slots[i] = submit_read(&owner, ends[i][0], &bytes[i], 1);
		quick = submit_quick(&owner);
		CHECK_EQUAL(result_of(&owner, quick), getpid());
	}
	WAIT_UNTIL(exec_threads() >= MAX_WORKERS - 1);

	/* Now all of them and more, in one burst. The quick call has to wait: there are no more. */
	for (uint32_t i = MAX_WORKERS - 1; i < SLOTS - 2; i++)
		slots[i] = submit_read(&owner, ends[i][0], &bytes[i], 1);
	quick = submit_quick(&owner);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(exec_threads() == MAX_WORKERS);
	WAIT_UNTIL(library_is_asleep());
	/* All are known to be stuck now. One more request, and the watch looks again. */
	slots[SLOTS - 2] = submit_read(&owner, ends[SLOTS - 2][0], &bytes[SLOTS - 2], 1);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(library_is_asleep());
	CHECK_EQUAL(reap_now(&owner, 0), 0);
	CHECK_EQUAL(statistics(&owner).workers, MAX_WORKERS);
	CHECK_EQUAL(exec_threads(), MAX_WORKERS);

	/* Release: the other way round than submitted. */
	for (uint32_t i = SLOTS - 1; i-- > 0;)
		CHECK_EQUAL(write(ends[i][1], "x", 1), 1);
	reap_all(&owner, SLOTS, results);
	for (uint32_t i = 0; i < SLOTS - 1; i++) {
		CHECK_EQUAL(results[slots[i]], 1);
		CHECK_EQUAL(bytes[i], 'x');
	}
	CHECK_EQUAL(results[quick], getpid());
	CHECK(statistics(&owner).reinforcements > 0);

	/* Idle: they leave, and come back for the next request. */
	WAIT_UNTIL(statistics(&owner).workers == 0);
	WAIT_UNTIL(exec_threads() == 0);
	CHECK_EQUAL(result_of(&owner, submit_quick(&owner)), getpid());
	CHECK(statistics(&owner).workers <= 1);
	close_owner(&owner);
	WAIT_UNTIL(exec_threads() == 0);
	return 0;
}
