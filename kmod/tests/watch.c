/* SPDX-License-Identifier: MIT */
/* watch - WATCH returns at a look that finds something to do, or nobody who wants it, and at a signal. */
#define _GNU_SOURCE
#include "kmod_table.h"

enum { HOUR = 3600u * 1000 * 1000 };

static struct kmod_table table;

static int watch(struct async_syscall_watch *arguments)
{
	return CALL(table.device, ASYNC_SYSCALL_WATCH, arguments);
}

static struct async_syscall_watch look_before(__u64 head, __u64 tail)
{
	return (struct async_syscall_watch){.microseconds = 100, .busy = 1, .head = head, .tail = tail};
}

static void handler(int number)
{
	(void)number;
}

static void *watch_for_an_hour(void *result)
{
	struct async_syscall_watch arguments = {.microseconds = HOUR};

	*(int *)result = watch(&arguments);
	return NULL;
}

static void wait_for_signal(void)
{
	struct sigaction interrupts = {.sa_handler = handler};
	pthread_t thread;
	int result = 0;

	CHECK_EQUAL(sigaction(SIGUSR1, &interrupts, NULL), 0);
	CHECK_EQUAL(pthread_create(&thread, NULL, watch_for_an_hour, &result), 0);
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		pthread_kill(thread, SIGUSR1); /* it may come too early */
		sleep_microseconds(1000);
	}
	CHECK_EQUAL(result, -EINTR);
}

static void child(void *unused)
{
	struct async_syscall_watch arguments = look_before(0, 0);

	(void)unused;
	CHECK_EQUAL(watch(&arguments), -EPERM);
}

int main(void)
{
	struct async_syscall_control *control;
	struct async_syscall_watch arguments;
	struct kmod_thread thread;

	table = make_kmod_table(4);
	control = table.own.view.control;
	store_release(&control->watching, (__u32)WATCH_AWAKE);

	arguments = (struct async_syscall_watch){.microseconds = 0};
	CHECK_EQUAL(watch(&arguments), -EINVAL);
	arguments = (struct async_syscall_watch){.microseconds = 1, .flags = 1};
	CHECK_EQUAL(watch(&arguments), -EINVAL);
	arguments = (struct async_syscall_watch){.microseconds = 1, .reserved = 1};
	CHECK_EQUAL(watch(&arguments), -EINVAL);
	CHECK_EQUAL(CALL(table.device, ASYNC_SYSCALL_WATCH, NULL), -EFAULT);
	CHECK_EQUAL(in_child(child, NULL), 0);
	wait_for_signal();

	/* Nothing was submitted since. */
	arguments = look_before(0, 0);
	CHECK_EQUAL(watch(&arguments), 0);

	/* A request is unclaimed, though others were submitted since. What it returns is the look before. */
	post_call(&table.own, 0, SYS_getpid, 0, 0, 0);
	post_call(&table.own, 1, SYS_getpid, 0, 0, 0);
	arguments = look_before(0, 1);
	CHECK_EQUAL(watch(&arguments), 0);
	CHECK_EQUAL(arguments.head, 0);
	CHECK_EQUAL(arguments.tail, 1);

	/* One was claimed, and nobody runs who would claim the next. */
	arguments = look_before((__u64)-1, 1);
	CHECK_EQUAL(watch(&arguments), 0);
	CHECK_EQUAL(arguments.head, -1);

	/* Nobody wants it. */
	enter_kmod(&thread, &table);
	CHECK_EQUAL(wait_for(&table, 1), getpid());
	CHECK_EQUAL(wait_for(&table, 0), getpid());
	store_release(&control->watching, (__u32)WATCH_ASLEEP);
	arguments = look_before(1, 1);
	CHECK_EQUAL(watch(&arguments), 0);
	CHECK_EQUAL(arguments.tail, 1);

	/* All is well: it looks again, and then nothing was submitted any more. */
	store_release(&control->watching, (__u32)WATCH_AWAKE);
	CHECK_EQUAL(watch(&arguments), 0);
	CHECK_EQUAL(arguments.head, 2);
	CHECK_EQUAL(arguments.tail, 2);

	end_threads(&table, 2, 1);
	CHECK_EQUAL(left_kmod(&thread), 0);
	CHECK_EQUAL(munmap(control, ASYNC_SYSCALL_TABLE_BYTES(4)), 0);
	CHECK_EQUAL(watch(&arguments), -EFAULT);
	free_kmod_table(&table);
	return 0;
}
