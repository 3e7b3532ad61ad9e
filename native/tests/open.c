/* async_syscall_open() refuses what can't be, says why, and takes the limits themselves. */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "test.h"

static int error_of(const char *executor, uint32_t slots, uint32_t max_workers)
{
	int error = 1;

	CHECK(async_syscall_open(executor, slots, max_workers, 100, &error) == NULL);
	return error;
}

int main(void)
{
	struct rlimit limit;
	struct owner owner;

	CHECK_EQUAL(error_of("threads", 0, 1), -EINVAL);
	CHECK_EQUAL(error_of("threads", 12, 1), -EINVAL);
	CHECK_EQUAL(error_of("threads", 2 * ASYNC_SYSCALL_MAX_SLOTS, 1), -EINVAL);
	CHECK_EQUAL(error_of("threads", 8, 0), -EINVAL);
	CHECK_EQUAL(error_of("threads", 8, UINT32_MAX), -EINVAL);
	CHECK_EQUAL(error_of("", 8, 1), -ENOENT);
	CHECK_EQUAL(error_of("thread", 8, 1), -ENOENT);

	/* No descriptor left for the eventfd. */
	CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 0;
	CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQUAL(error_of("threads", 8, 1), -EMFILE);
	limit.rlim_cur = limit.rlim_max;
	CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);

	owner = open_owner(1, 1, 100);
	CHECK_EQUAL(result_of(&owner, submit_quick(&owner)), getpid());
	close_owner(&owner);

	owner = open_owner(ASYNC_SYSCALL_MAX_SLOTS, ASYNC_SYSCALL_MAX_SLOTS / 2, 100);
	CHECK_EQUAL(statistics(&owner).workers, 0); /* none before the first request */
	WAIT_UNTIL(exec_threads() == 0);            /* nor is one left of the table before */
	for (uint32_t i = 0; i < ASYNC_SYSCALL_MAX_SLOTS; i++)
		CHECK(submit_quick(&owner) >= 0);
	CHECK_EQUAL(submit_quick(&owner), -EAGAIN);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	reap_all(&owner, ASYNC_SYSCALL_MAX_SLOTS, NULL);
	close_owner(&owner);
	return 0;
}
