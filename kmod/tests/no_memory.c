/* SPDX-License-Identifier: MIT */
/*
 * no_memory - each allocation and each copy of INIT and EXEC fails once: the answer is ENOMEM or EFAULT, nothing is left
 * behind, and a call that a signal has interrupted goes on all the same.
 */
#define _GNU_SOURCE
#include "kmod_table.h"

static int fail_nth;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		SKIP("no fault injection in this kernel: %s\n", path);
	CHECK_EQUAL(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The n-th allocation or copy of this thread fails from here on; 0: none. */
static void fail(uint32_t n)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%u", n);

	/* It may be this copy. */
	while (pwrite(fail_nth, text, (size_t)length, 0) != length)
		CHECK_EQUAL(errno, EFAULT);
}

/* Whether none failed, since there were fewer. Then it may be that reading this does. */
static bool none_failed(void)
{
	char text[16] = "";
	bool none = pread(fail_nth, text, sizeof text - 1, 0) < 0 || strtoul(text, NULL, 10) != 0;

	fail(0);
	return none;
}

static void check_result(bool none, int result)
{
	CHECK(result == 0 || (!none && (result == -ENOMEM || result == -EFAULT)));
}

static uint32_t fail_in_init(void)
{
	struct own_table own = make_own_table(4);
	struct async_syscall_init init = init_of(&own);
	bool none = false;
	uint32_t failed = 0;

	for (uint32_t n = 1; !none; n++) {
		int device = open_device();
		int result;

		fail(n);
		result = CALL(device, ASYNC_SYSCALL_INIT, &init);
		none = none_failed();
		check_result(none, result);
		failed += result == -ENOMEM;
		close(device);
	}
	free_own_table(&own);
	return failed;
}

static uint32_t fail_in_exec(void)
{
	struct kmod_table table = make_kmod_table(4);
	bool none = false;
	uint32_t failed = 0;

	post(&table.own, 0, SYSCALL_END);
	for (uint32_t n = 1; !none; n++) {
		int result;

		fail(n);
		result = exec_once(&table, 0);
		none = none_failed();
		check_result(none, result);
		failed += result == -ENOMEM;
	}
	free_kmod_table(&table);
	return failed;
}

static void go_on_without_memory(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread deserter;
	int result = -EFAULT;
	int ends[2];
	char byte;

	open_pipe(ends);
	enter_deserter(&deserter, &table);
	call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
	wait_until_blocked(&table, 0, deserter.tid);
	desert(&deserter);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	post(&table.own, 1, SYSCALL_END);
	/* Until it isn't a copy that fails, but the memory for a thread. */
	for (uint32_t n = 1; result == -EFAULT; n++) {
		fail(n);
		result = exec_once(&table, 0);
		CHECK(!none_failed());
	}
	CHECK_EQUAL(result, 0);
	CHECK_EQUAL(wait_for(&table, 0), 1);
	free_kmod_table(&table);
}

int main(void)
{
	close(open_device());
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		SKIP("no fault injection in this kernel\n");
	write_text("/sys/kernel/debug/failslab/ignore-gfp-wait", "0");
	CHECK(fail_in_init() > 0);
	CHECK(fail_in_exec() > 0);
	go_on_without_memory();
	write_text("/sys/kernel/debug/failslab/ignore-gfp-wait", "1");
	return 0;
}
