/*
 * The system gives no thread: async_syscall_ring() says so, and the request can be withdrawn. As soon
 * as it gives one, all is well; and where there is one already, one more is only missed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>

#include "test.h"

enum { SLOTS = 8 };

static bool refuse;

/* Stands in front of the C library's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *argument)
{
	static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (__atomic_load_n(&refuse, __ATOMIC_SEQ_CST))
		return EAGAIN;
	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
	return next(thread, attributes, function, argument);
}

int main(void)
{
	struct owner owner = open_owner(SLOTS, 4, 100);
	int64_t results[SLOTS];
	char byte;
	int ends[2];
	int32_t slots[2];

	open_pipe(ends);
	__atomic_store_n(&refuse, true, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < 3; i++) {
		slots[0] = submit_quick(&owner);
		slots[1] = submit_quick(&owner);
		CHECK_EQUAL(async_syscall_ring(owner.table), -EAGAIN);
		CHECK_EQUAL(async_syscall_ring(owner.table), -EAGAIN);
		CHECK_EQUAL(statistics(&owner).workers, 0);
		CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)slots[0]), 1);
		CHECK_EQUAL(async_syscall_withdraw(owner.table, (uint32_t)slots[1]), 1);
	}
	CHECK_EQUAL(statistics(&owner).doorbells, 0);

	__atomic_store_n(&refuse, false, __ATOMIC_SEQ_CST);
	CHECK_EQUAL(result_of(&owner, submit_quick(&owner)), getpid());

	/* One thread, stuck; neither a second nor the watch can be had. The quick call waits for it. */
	WAIT_UNTIL(statistics(&owner).workers == 0);
	slots[0] = submit_read(&owner, ends[0], &byte, 1);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	__atomic_store_n(&refuse, true, __ATOMIC_SEQ_CST);
	slots[1] = submit_quick(&owner);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	reap_all(&owner, 2, results);
	CHECK_EQUAL(results[slots[0]], 1);
	CHECK_EQUAL(results[slots[1]], getpid());

	/* The same, but now there are threads again, soon enough to run the quick one first. */
	WAIT_UNTIL(statistics(&owner).workers == 0);
	__atomic_store_n(&refuse, false, __ATOMIC_SEQ_CST);
	slots[0] = submit_read(&owner, ends[0], &byte, 1);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	__atomic_store_n(&refuse, true, __ATOMIC_SEQ_CST);
	slots[1] = submit_quick(&owner);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	sleep_microseconds(100 * 1000);
	__atomic_store_n(&refuse, false, __ATOMIC_SEQ_CST);
	CHECK(submit_quick(&owner) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	reap_all(&owner, 2, NULL);
	CHECK_EQUAL(cancel(&owner, slots[0]), -ECANCELED);

	/* Each of those looks for a thread left no token: so many would keep a sleeper going for nothing. */
	WAIT_UNTIL(library_is_asleep());
	CHECK(statistics(&owner).sleeps < 20);
	close_owner(&owner);
	return 0;
}
