/* SPDX-License-Identifier: MIT */
/*
 * compound.c - several system calls in one trip to an exec thread.
 *
 * To read a small file takes an open, an fstat, a read and a close, each of which needs what the one
 * before it returned. Through the table they would be four trips, and a trip costs more than the
 * calls. So what is always done together, and often, is one request. It is nothing but those calls, made
 * by an exec thread; the kernel module, which runs single calls only, hands it back to its thread.
 *
 * An interruption ends whichever call it meets with EINTR, and that ends the whole, with what it had
 * opened closed again. One that comes between two calls is missed, and repeated by the engine.
 */
#define _GNU_SOURCE
#include "compound.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An entry takes no more: its name, and what stands before and after it. */
#define LARGEST_ENTRY 280

static int64_t close_with(int fd, int64_t result)
{
	close(fd);
	return result;
}

static int64_t list_directory(int dir_fd, const char *path, char *buffer, size_t length)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	size_t filled = 0;

	if (fd < 0)
		return -errno;
	while (length - filled >= LARGEST_ENTRY) {
		long count = syscall(SYS_getdents64, fd, buffer + filled, length - filled);

		/* One that was removed is at its end, as POSIX and readdir(3) have it. */
		if (count < 0 && errno != ENOENT)
			return close_with(fd, -errno);
		if (count <= 0)
			return close_with(fd, (int64_t)filled);
		filled += (size_t)count;
	}
	return close_with(fd, -EFBIG);
}

static int64_t read_file(int dir_fd, const char *path, const struct open_how *how, size_t size,
                         struct statx *status, size_t limit)
{
	char *content = (char *)(status + 1);
	size_t filled = 0;
	int fd;

	/* Not before Linux 5.6, nor in every sandbox. */
	if (how->resolve == 0)
		fd = openat(dir_fd, path, (int)how->flags, (mode_t)how->mode);
	else
		fd = (int)syscall(SYS_openat2, dir_fd, path, how, size);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, status) != 0)
		return close_with(fd, -errno);
	if (!S_ISREG(status->stx_mode) || status->stx_size > limit)
		return COMPOUND_OPENED | fd;
	/* By offset: if it grows meanwhile, nothing has been taken. A read of nothing tells its end. */
	while (filled <= limit) {
		ssize_t count = pread(fd, content + filled, limit + 1 - filled, (off_t)filled);

		if (count < 0)
			return close_with(fd, -errno);
		if (count == 0)
			return close_with(fd, (int64_t)filled);
		filled += (size_t)count;
	}
	return COMPOUND_OPENED | fd;
}

int64_t compound_run(uint32_t num, const uint64_t arg[6])
{
	int dir_fd = (int)arg[0];
	const char *path = (const char *)(uintptr_t)arg[1];

	switch (num) {
	case COMPOUND_LIST_DIRECTORY:
		return list_directory(dir_fd, path, (char *)(uintptr_t)arg[2], arg[3]);
	case COMPOUND_READ_FILE:
		return read_file(dir_fd, path, (const struct open_how *)(uintptr_t)arg[2], arg[3],
		                 (struct statx *)(uintptr_t)arg[4], arg[5]);
	default:
		return -ENOSYS;
	}
}
