/* SPDX-License-Identifier: MIT */
/* freezer - a frozen cgroup freezes threads inside EXEC, asleep and in a call; thawed, they go on. */
#define _GNU_SOURCE
#include <sys/mount.h>
#include <sys/stat.h>

#include "kmod_table.h"

static char folder[] = "/tmp/cgroup-XXXXXX";

static void set(const char *name, const char *value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/async_syscall/%s", folder, name);
	file = fopen(path, "w");
	if (file == NULL)
		SKIP("can't write %s: %s\n", path, strerror(errno));
	CHECK(fputs(value, file) >= 0);
	CHECK_EQUAL(fclose(file), 0);
}

static bool is_frozen(void)
{
	char path[128];
	char line[64];
	bool frozen = false;
	FILE *file;

	snprintf(path, sizeof path, "%s/async_syscall/cgroup.events", folder);
	file = fopen(path, "r");
	CHECK(file != NULL);
	while (fgets(line, sizeof line, file) != NULL)
		frozen |= strcmp(line, "frozen 1\n") == 0;
	fclose(file);
	return frozen;
}

int main(void)
{
	char path[128];
	int status;
	int ends[4];
	pid_t child;
	char byte;

	close(open_device());
	CHECK(mkdtemp(folder) != NULL);
	if (mount("cgroup2", folder, "cgroup2", 0, NULL) != 0)
		SKIP("can't mount cgroup2: %s\n", strerror(errno));
	snprintf(path, sizeof path, "%s/async_syscall", folder);
	CHECK_EQUAL(mkdir(path, 0755), 0);
	open_pipe(ends);
	open_pipe(ends + 2);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct kmod_table table = make_kmod_table(4);
		struct kmod_thread threads[2];

		enter_kmod(&threads[0], &table);
		enter_kmod(&threads[1], &table);
		call(&table, 0, SYS_read, ends[0], (intptr_t)&byte, 1);
		WAIT_UNTIL(state_of(&table, 0) == SYSCALL_EXECUTING);
		CHECK_EQUAL(write(ends[3], "r", 1), 1);
		CHECK_EQUAL(wait_for(&table, 0), 1);
		end_and_free(&table, 1, threads, 2);
		_exit(0);
	}
	CHECK_EQUAL(read(ends[2], &byte, 1), 1);
	snprintf(path, sizeof path, "%d", child);
	set("cgroup.procs", path);
	for (int round = 0; round < 10; round++) {
		set("cgroup.freeze", "1");
		WAIT_UNTIL(is_frozen());
		set("cgroup.freeze", "0");
		WAIT_UNTIL(!is_frozen());
	}
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, 0);
	snprintf(path, sizeof path, "%s/async_syscall", folder);
	rmdir(path);
	umount(folder);
	rmdir(folder);
	return 0;
}
