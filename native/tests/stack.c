/*
 * Exec threads have small stacks: dozens of them cost little address space. But a process may have
 * thread-local variables, which lie on the stack too and would leave no room on a small one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>

#include "test.h"

enum { WORKERS = 16, VARIABLES_BYTES = 512 * 1024 };

static _Thread_local volatile char variables[VARIABLES_BYTES];
static size_t largest;
static size_t smallest = SIZE_MAX;

/* Stands in front of the C library's. The owner calls it, and the watch, one after the other. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *argument)
{
	static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	size_t bytes;

	CHECK_EQUAL(pthread_attr_getstacksize(attributes, &bytes), 0);
	if (bytes < load_relaxed(&smallest))
		store_relaxed(&smallest, bytes);
	if (bytes > load_relaxed(&largest))
		store_relaxed(&largest, bytes);
	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
	return next(thread, attributes, function, argument);
}

int main(void)
{
	struct owner owner = open_owner(WORKERS, WORKERS, 5000);
	char bytes[WORKERS];
	int ends[2];

	variables[0] = 1;
	open_pipe(ends);
	for (uint32_t i = 0; i < WORKERS; i++)
		CHECK(submit_read(&owner, ends[0], &bytes[i], 1) >= 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	WAIT_UNTIL(statistics(&owner).workers == WORKERS);
	CHECK_EQUAL(write(ends[1], "0123456789abcdef", WORKERS), WORKERS);
	reap_all(&owner, WORKERS, NULL);
	close_owner(&owner);

	CHECK(smallest >= VARIABLES_BYTES + 32 * 1024);
	/* The default is 8 MiB; ThreadSanitizer has variables of its own. */
	CHECK(largest <= VARIABLES_BYTES + 2048 * 1024);
	return 0;
}
