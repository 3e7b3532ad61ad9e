/* SPDX-License-Identifier: MIT */
/* tracepoints - a claim and a completion for each request that runs, however often it is interrupted. */
#define _GNU_SOURCE
#include "kmod_table.h"

#define TRACING "/sys/kernel/tracing/"

static void set(const char *name, const char *value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, TRACING "%s", name);
	file = fopen(path, "w");
	if (file == NULL)
		SKIP("can't write %s: %s\n", path, strerror(errno));
	CHECK(fputs(value, file) >= 0);
	CHECK_EQUAL(fclose(file), 0);
}

static void handler(int number)
{
	(void)number;
}

/* The call goes on, and isn't claimed again. */
static void interrupt_call(struct kmod_table *table, const struct kmod_thread *thread)
{
	struct sigaction restarts = {.sa_handler = handler, .sa_flags = SA_RESTART};
	int ends[2];
	char byte;

	CHECK_EQUAL(sigaction(SIGUSR1, &restarts, NULL), 0);
	open_pipe(ends);
	call(table, 2, SYS_read, ends[0], (intptr_t)&byte, 1);
	for (int i = 0; i < 3; i++) {
		wait_until_blocked(table, 2, thread->tid);
		CHECK_EQUAL(syscall(SYS_tgkill, getpid(), thread->tid, SIGUSR1), 0);
		sleep_microseconds(10 * 1000);
	}
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(wait_for(table, 2), 1);
}

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread thread;
	uint32_t completions = 0;
	uint32_t claims = 0;
	uint32_t reads = 0;
	char line[512];
	FILE *file;

	set("trace", "");
	set("events/async_syscall/enable", "1");
	enter_kmod(&thread, &table);
	for (int i = 0; i < 10; i++) {
		call(&table, 2, SYS_lseek, -1, 0, 0);
		CHECK_EQUAL(wait_for(&table, 2), -EBADF);
	}
	interrupt_call(&table, &thread);
	set("events/async_syscall/enable", "0");
	file = fopen(TRACING "trace", "r");
	CHECK(file != NULL);
	while (fgets(line, sizeof line, file) != NULL) {
		claims += strstr(line, "async_syscall_claim: slot=2 nr=8\n") != NULL;
		reads += strstr(line, "async_syscall_claim: slot=2 nr=0\n") != NULL;
		completions += strstr(line, "async_syscall_complete: slot=2 nr=8 ret=-9\n") != NULL;
	}
	fclose(file);
	CHECK_EQUAL(claims, 10);
	CHECK_EQUAL(completions, 10);
	CHECK_EQUAL(reads, 1);
	end_and_free(&table, 0, &thread, 1);
	return 0;
}
