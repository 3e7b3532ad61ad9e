/* SPDX-License-Identifier: MIT */
/*
 * refused_in_call - a thread comes to be refused in the middle of a call: in a handler of the signal that
 * interrupted it, or while the call runs. The call isn't lost: EXEC hands it back, and refuses only then.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "kmod_table.h"

static struct kmod_table table;
static int ends[2];
static char byte;

static void become_somebody_else(int number)
{
	(void)number;
	CHECK_EQUAL(syscall(SYS_setresuid, 1, 1, 0), 0);
}

static long add_filter(unsigned int flags)
{
	struct sock_filter allow_all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow_all};

	CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void get_filter(int number)
{
	(void)number;
	if (add_filter(0) != 0)
		SKIP("this kernel has no seccomp filters\n");
}

static void is_handed_back(struct kmod_thread *thread)
{
	CHECK_EQUAL(left_kmod(thread), 1);
	CHECK_EQUAL(state_of(&table, 0), SYSCALL_EXECUTING);
	CHECK_EQUAL(cancel_slot(&table, 0), -EAGAIN);
	CHECK_EQUAL(counters_of(&table).refused, 1);
}

static void in_handler(void (*handler)(int))
{
	struct sigaction restarts = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct kmod_thread thread;
	struct kmod_thread other;

	CHECK_EQUAL(sigaction(SIGUSR1, &restarts, NULL), 0);
	table = make_kmod_table(4);
	open_pipe(ends);
	enter_kmod(&thread, &table);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, thread.tid);
	CHECK_EQUAL(syscall(SYS_tgkill, getpid(), thread.tid, SIGUSR1), 0);
	is_handed_back(&thread);

	/* Another thread isn't refused, and finds nothing left behind. */
	enter_kmod(&other, &table);
	call(&table, 1, SYS_getpid, 0, 0, 0);
	CHECK_EQUAL(wait_for(&table, 1), getpid());
	end_and_free(&table, 2, &other, 1);
}

static void child_credentials(void *unused)
{
	(void)unused;
	in_handler(become_somebody_else);
}

static void child_filter(void *unused)
{
	(void)unused;
	in_handler(get_filter);
}

/* Task work of somebody else's, which ends calls and lets them go on: io_uring's, of a poll. */
static void poll_by_io_uring(int fd)
{
	struct io_uring_params params = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	struct io_uring_sqe *request;
	uint32_t *tail;
	char *indices;

	if (ring < 0)
		SKIP("no io_uring here: %s\n", strerror(errno));
	indices = mmap(NULL, params.sq_off.array + 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
	               IORING_OFF_SQ_RING);
	request =
	    mmap(NULL, sizeof *request, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	CHECK(indices != MAP_FAILED && request != MAP_FAILED);
	*request = (struct io_uring_sqe){
	    .opcode = IORING_OP_POLL_ADD, .fd = fd, .poll32_events = POLLIN, .len = 0};
	tail = (uint32_t *)(indices + params.sq_off.tail);
	store_release(tail, *tail + 1);
	CHECK_EQUAL(syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0), 1);
}

static void *enter_with_poll(void *argument)
{
	struct kmod_thread *thread = argument;

	poll_by_io_uring(thread->interrupted);
	return kmod_thread_main(thread);
}

/* The filter comes upon the call itself. Nothing may run again that a filter hasn't seen. */
static void child_task_work(void *unused)
{
	struct kmod_thread thread = {.table = &table};
	int polled[2];

	(void)unused;
	table = make_kmod_table(4);
	open_pipe(ends);
	open_pipe(polled);
	thread.interrupted = polled[0];
	CHECK_EQUAL(pthread_create(&thread.thread, NULL, enter_with_poll, &thread), 0);
	WAIT_UNTIL(load_acquire(&thread.tid) != 0);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, thread.tid);
	if (add_filter(SECCOMP_FILTER_FLAG_TSYNC) != 0)
		SKIP("this kernel has no seccomp filters\n");
	CHECK_EQUAL(write(polled[1], "x", 1), 1);
	is_handed_back(&thread);
	CHECK_EQUAL(exec_once(&table, 0), -EPERM);
}

int main(void)
{
	static void (*const children[])(void *) = {child_credentials, child_filter, child_task_work};
	int status = 0;

	close(open_device());
	if (geteuid() != 0)
		SKIP("only root can become somebody else\n");
	for (size_t i = 0; i < sizeof children / sizeof children[0] && status == 0; i++)
		status = in_child(children[i], NULL);
	return status;
}
