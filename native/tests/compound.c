/*
 * Several calls in one request: a directory is listed and a file is read as a whole; what is too long or
 * has no known length comes back as an open descriptor, with nothing taken; an interruption ends
 * it, with nothing left open.
 */
#define _GNU_SOURCE
#include <fcntl.h>
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
	int64_t result;
	uint32_t before;
	int32_t slot;
	int fd;

	CHECK(mkdtemp(directory) != NULL);
	snprintf(path, sizeof path, "%s/file", directory);
	snprintf(fifo, sizeof fifo, "%s/fifo", directory);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK_EQUAL(write(fd, "contents", 8), 8);
	close(fd);
	CHECK_EQUAL(run(&owner, COMPOUND_READ_FILE, path, buffer, sizeof buffer), 8);
	before = open_descriptors();

	CHECK_EQUAL(run(&owner, COMPOUND_READ_FILE, path, buffer, sizeof buffer), 8);
	CHECK(memcmp(buffer, "contents", 8) == 0);
	CHECK_EQUAL(run(&owner, COMPOUND_READ_FILE, directory, buffer, sizeof buffer), -EISDIR);
	CHECK_EQUAL(run(&owner, COMPOUND_READ_FILE, "/nowhere", buffer, sizeof buffer), -ENOENT);
	CHECK_EQUAL(run(&owner, COMPOUND_LIST_DIRECTORY, path, buffer, sizeof buffer), -ENOTDIR);
	CHECK_EQUAL(run(&owner, ASYNC_SYSCALL_COMPOUND + 999, path, buffer, sizeof buffer), -ENOSYS);

	/* ".", ".." and "file", in 24 bytes each. */
	CHECK_EQUAL(run(&owner, COMPOUND_LIST_DIRECTORY, directory, buffer, sizeof buffer), 72);
	CHECK_EQUAL(run(&owner, COMPOUND_LIST_DIRECTORY, "/proc/self/task/../../../dev", buffer, 300),
	            -EFBIG);
	CHECK_EQUAL(open_descriptors(), before);

	/* No room for a byte more, which would tell that the file ends there. */
	result = run(&owner, COMPOUND_READ_FILE, path, buffer, 8);
	CHECK(result >= COMPOUND_OPENED);
	CHECK_EQUAL(read((int)(result - COMPOUND_OPENED), buffer, sizeof buffer), 8);
	close((int)(result - COMPOUND_OPENED));

	CHECK_EQUAL(mkfifo(fifo, 0600), 0);
	slot = async_syscall_submit(owner.table, COMPOUND_READ_FILE, AT_FDCWD, (int64_t)(intptr_t)fifo,
	                            (int64_t)(intptr_t)buffer, sizeof buffer, 0, 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	CHECK_EQUAL(write(fd, "through", 7), 7);
	result = result_of(&owner, slot);
	CHECK(result >= COMPOUND_OPENED);
	CHECK_EQUAL(read((int)(result - COMPOUND_OPENED), buffer, sizeof buffer), 7);
	close((int)(result - COMPOUND_OPENED));
	close(fd);

	/* Nobody opens the other end. */
	slot = async_syscall_submit(owner.table, COMPOUND_READ_FILE, AT_FDCWD, (int64_t)(intptr_t)fifo,
	                            (int64_t)(intptr_t)buffer, sizeof buffer, 0, 0);
	CHECK_EQUAL(async_syscall_ring(owner.table), 0);
	CHECK_EQUAL(cancel(&owner, slot), -ECANCELED);
	CHECK_EQUAL(open_descriptors(), before);

	unlink(fifo);
	unlink(path);
	rmdir(directory);
	close_owner(&owner);
	return 0;
}
