/* Two tables in one process, each with its own owner thread, know nothing of each other. */
#define _GNU_SOURCE
#include <pthread.h>

#include "test.h"

enum { SLOTS = 8, TABLES = 2 };

static void *serve(void *argument)
{
	const uint32_t repeats = rounds(3000);
	uint32_t own = (uint32_t)(intptr_t)argument;
	struct owner owner = open_owner(SLOTS, 2, 1);
	uint32_t seed = own;
	uint32_t sum = 0;
	char bytes[SLOTS];
	int ends[2];

	open_pipe(ends);
	for (uint32_t i = 0; i < repeats; i++) {
		uint32_t burst = 1 + next_random(&seed) % SLOTS;
		char letter = (char)('a' + own);

		for (uint32_t j = 0; j < burst; j++)
			CHECK(submit_write(&owner, ends[1], &letter, 1) >= 0);
		CHECK_EQUAL(async_syscall_ring(owner.table), 0);
		reap_all(&owner, burst, NULL);
		CHECK_EQUAL(read(ends[0], bytes, SLOTS), burst);
		for (uint32_t j = 0; j < burst; j++)
			CHECK_EQUAL(bytes[j], letter);
		sum += burst;
		if (i % 500 == 499) {
			/* One is closed and opened while the other is at work; interruptions stay at home. */
			int32_t slot = submit_read(&owner, ends[0], bytes, 1);

			CHECK_EQUAL(async_syscall_ring(owner.table), 0);
			CHECK_EQUAL(cancel(&owner, slot), -ECANCELED);
			CHECK_EQUAL(statistics(&owner).completed, sum + 1);
			close_owner(&owner);
			owner = open_owner(SLOTS, 2, 1);
			sum = 0;
		}
	}
	close_owner(&owner);
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

int main(void)
{
	pthread_t owners[TABLES];

	for (intptr_t i = 0; i < TABLES; i++)
		CHECK_EQUAL(pthread_create(&owners[i], NULL, serve, (void *)(i + 1)), 0);
	for (uint32_t i = 0; i < TABLES; i++)
		CHECK_EQUAL(pthread_join(owners[i], NULL), 0);
	WAIT_UNTIL(exec_threads() == 0);
	return 0;
}
