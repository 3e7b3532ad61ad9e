/* Exec threads have a name, a small stack, and block all signals but the one that interrupts. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "interrupt_signal.h"
#include "test.h"

int main(void)
{
	struct owner owner = open_owner(4, 2, 5000);
	unsigned long long expected = ~0ULL;
	unsigned long long blocked;
	uint64_t mask = 0;
	char name[32] = "";
	char status[4096];
	const char *found;
	int threads[2];

	/* As the thread itself sees them. */
	CHECK_EQUAL(async_syscall_submit(owner.table, SYS_rt_sigprocmask, SIG_BLOCK, 0, (intptr_t)&mask,
	                                 sizeof mask, 0, 0),
	            0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	reap_all(&owner, 1, NULL);
	CHECK_EQUAL(owner.out[1], 0);
	/* The kernel never blocks these two; glibc keeps the two below SIGRTMIN to itself. */
	expected &= ~(1ULL << (SIGKILL - 1)) & ~(1ULL << (SIGSTOP - 1));
	expected &= ~(1ULL << 31) & ~(1ULL << 32);
	CHECK(interrupt_signal() >= SIGRTMIN && interrupt_signal() <= SIGRTMAX);
	expected &= ~(1ULL << (interrupt_signal() - 1));
	CHECK_EQUAL(mask, expected);

	/* And as /proc and `top -H` see them. */
	CHECK_EQUAL(find_threads("asyncsys-exec0\n", threads, 2), 1);
	read_thread_file(threads[0], "status", status, sizeof status);
	found = strstr(status, "\nSigBlk:");
	CHECK(found != NULL);
	blocked = strtoull(found + 8, NULL, 16);
	CHECK_EQUAL(blocked, expected);
	CHECK_EQUAL(submit(&owner, SYS_prctl, PR_GET_NAME, (intptr_t)name, 0), 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	reap_all(&owner, 1, NULL);
	CHECK_EQUAL(strcmp(name, "asyncsys-exec0"), 0);
	close_owner(&owner);

	/* The owner's own mask is as it was. */
	sigset_t own;
	CHECK_EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &own), 0);
	for (int signal_number = 1; signal_number < SIGRTMAX; signal_number++)
		CHECK(sigismember(&own, signal_number) != 1);
	return 0;
}
