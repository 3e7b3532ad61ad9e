/*
 * Several calls in one request: a directory is listed and a file is read as a whole; what is too long or
 * has no known length comes back as an open descriptor, with nothing taken; an interruption ends
 * it, with nothing left open.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/stat.h>

#include "compound.h"
#include "test.h"

static int64_t run(struct owner *owner, uint32_t num, const char *path, char *buffer, size_t length)
{
	int32_t slot = async_syscall_submit(owner->table, num, AT_FDCWD, (int64_t)(intptr_t)path,
	                                    (int64_t)(intptr_t)buffer, (int64_t)length, 0, 0);

	CHECK(slot >= 0);
	CHECK_EQUAL(async_syscall_ring(owner->table), 0);
	return result_of(owner, slot);
}

static struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
static struct {
	struct statx status;
	char content[4096 + 1];
} memory;

static int32_t submit_read_file(struct owner *owner, const char *path, size_t limit)
{
	int32_t slot = async_syscall_submit(owner->table, COMPOUND_READ_FILE, AT_FDCWD,
	                                    (int64_t)(intptr_t)path, (int64_t)(intptr_t)&how,
	                                    sizeof how, (int64_t)(intptr_t)&memory, (int64_t)limit);

	CHECK(slot >= 0);
	CHECK_EQUAL(async_syscall_ring(owner->table), 0);
	return slot;
}

static int64_t read_file(struct owner *owner, const char *path, size_t limit)
{
	return result_of(owner, submit_read_file(owner, path, limit));
}

/* What comes back open. */
static int opened(int64_t result)
{
	CHECK(result >= COMPOUND_OPENED);
	return (int)(result - COMPOUND_OPENED);
}

static uint32_t open_descriptors(void)
{
	return count_entries("/proc/self/fd");
}

int main(void)
{
	struct owner owner = open_owner(8, 2, 100);
	char directory[] = "/tmp/asyncsys-compound-XXXXXX";
	char path[64];
	char fifo[64];
	char buffer[4096];
	uint32_t before;
	int32_t slot;
	int writer;
	int fd;

	CHECK(mkdtemp(directory) != NULL);
	snprintf(path, sizeof path, "%s/file", directory);
	snprintf(fifo, sizeof fifo, "%s/fifo", directory);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK_EQUAL(write(fd, "contents", 8), 8);
	close(fd);
	CHECK_EQUAL(read_file(&owner, path, 4096), 8);
	before = open_descriptors();

	CHECK_EQUAL(read_file(&owner, path, 4096), 8);
	CHECK(memcmp(memory.content, "contents", 8) == 0);
	CHECK_EQUAL(memory.status.stx_size, 8);
	CHECK_EQUAL(read_file(&owner, path, 8), 8);             /* just so many */
	close(opened(read_file(&owner, "/proc/self/comm", 0))); /* longer than its status says */
	how.resolve = RESOLVE_BENEATH;
	CHECK_EQUAL(read_file(&owner, path, 8), -EXDEV);
	how.resolve = 0;
	CHECK_EQUAL(read_file(&owner, "/nowhere", 4096), -ENOENT);
	CHECK_EQUAL(run(&owner, COMPOUND_LIST_DIRECTORY, path, buffer, sizeof buffer), -ENOTDIR);
	CHECK_EQUAL(run(&owner, ASYNC_SYSCALL_COMPOUND + 999, path, buffer, sizeof buffer), -ENOSYS);

	/* ".", ".." and "file", in 24 bytes each. */
	CHECK_EQUAL(run(&owner, COMPOUND_LIST_DIRECTORY, directory, buffer, sizeof buffer), 72);
	CHECK_EQUAL(run(&owner, COMPOUND_LIST_DIRECTORY, "/proc/self/task/../../../dev", buffer, 300),
	            -EFBIG);
	CHECK_EQUAL(open_descriptors(), before);

	fd = opened(read_file(&owner, path, 7));
	CHECK_EQUAL(read(fd, buffer, sizeof buffer), 8);
	close(fd);
	fd = opened(read_file(&owner, directory, 4096));
	CHECK(S_ISDIR(memory.status.stx_mode));
	close(fd);

	CHECK_EQUAL(mkfifo(fifo, 0600), 0);
	slot = submit_read_file(&owner, fifo, 4096);
	writer = open(fifo, O_WRONLY | O_CLOEXEC);
	CHECK_EQUAL(write(writer, "through", 7), 7);
	fd = opened(result_of(&owner, slot));
	CHECK_EQUAL(read(fd, buffer, sizeof buffer), 7);
	close(fd);
	close(writer);

	/* Nobody opens the other end. */
	slot = submit_read_file(&owner, fifo, 4096);
	CHECK_EQUAL(cancel(&owner, slot), -ECANCELED);
	CHECK_EQUAL(open_descriptors(), before);

	unlink(fifo);
	unlink(path);
	rmdir(directory);
	close_owner(&owner);
	return 0;
}
