/* SPDX-License-Identifier: MIT */
/* tracepoints - a claim and a completion for each request that runs. */
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

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	struct kmod_thread thread;
	uint32_t completions = 0;
	uint32_t claims = 0;
	char line[512];
	FILE *file;

	set("trace", "");
	set("events/async_syscall/enable", "1");
	enter_kmod(&thread, &table);
	for (int i = 0; i < 10; i++) {
		call(&table, 2, SYS_lseek, -1, 0, 0);
		CHECK_EQUAL(wait_for(&table, 2), -EBADF);
	}
	set("events/async_syscall/enable", "0");
	file = fopen(TRACING "trace", "r");
	CHECK(file != NULL);
	while (fgets(line, sizeof line, file) != NULL) {
		claims += strstr(line, "async_syscall_claim: slot=2 nr=8\n") != NULL;
		completions += strstr(line, "async_syscall_complete: slot=2 nr=8 ret=-9\n") != NULL;
	}
	fclose(file);
	CHECK_EQUAL(claims, 10);
	CHECK_EQUAL(completions, 10);
	end_and_free(&table, 0, &thread, 1);
	return 0;
}
