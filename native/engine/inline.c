/* SPDX-License-Identifier: MIT */
/*
 * inline.c - answers that need no exec thread, because they can't block.
 *
 * A call that is answered from memory costs a microsecond; sending it to another thread and back
 * costs several. The kernel knows which is which, and tells who asks:
 *
 *   read, write   preadv2(2), pwritev2(2) with RWF_NOWAIT: what is in the page cache, else EAGAIN.
 *                 EOPNOTSUPP where the file system, or the kind of file, can't say.
 *   open, stat    openat2(2) with RESOLVE_CACHED (Linux 5.12): what is in the dentry cache, else
 *                 EAGAIN. That speaks only of the path. Whether opening the file itself can block
 *                 depends on what it is, so an O_PATH descriptor is made first, which opens
 *                 nothing: only a regular file or a directory, on a file system that asks no
 *                 server and no daemon, is opened here. (Opening a FIFO waits for its other end;
 *                 a FUSE file system may be served by this very process.) O_NONBLOCK sees to
 *                 leases, and is taken off afterwards.
 *   close         of what is only read, and still has a name: nothing is written or freed.
 *
 * Errors that the kernel finds on this way are the same as on the other, and are answers. Those
 * that speak of this way itself (no descriptor left for O_PATH, refused by seccomp) aren't.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

/* As much is copied at once while the loop waits; the rest of a longer read is the table's. */
#define MOST_INLINE (256 * 1024)
/* From here on, other Python threads may run meanwhile. */
#define WITHOUT_GIL (64 * 1024)

/* Set where the kernel hasn't got it, or forbids it: then nobody asks. */
static bool no_nowait;
static bool no_cached;

/*
 * File systems that answer from their own memory and disk. Others (NFS, 9p, FUSE, ...) ask somebody
 * else, even about what is in the dentry cache.
 */
static bool is_local_type(uint64_t type)
{
	switch (type) {
	case 0xEF53:     /* ext2, ext3, ext4 */
	case 0x58465342: /* xfs */
	case 0x9123683E: /* btrfs */
	case 0x01021994: /* tmpfs */
	case 0x858458F6: /* ramfs */
	case 0x794C7630: /* overlayfs */
	case 0xF2F52010: /* f2fs */
	case 0x2FC12FC1: /* zfs */
	case 0xCA451A4E: /* bcachefs */
	case 0xE0F5E1E2: /* erofs */
	case 0x73717368: /* squashfs */
	case 0x3153464A: /* jfs */
		return true;
	default:
		return false;
	}
}

/* What was found of a device is believed for a second: another may be mounted in its place. */
struct device {
	uint32_t major;
	uint32_t minor;
	time_t until;
	bool local;
};
static struct device devices[16];

static bool is_local(int fd, const struct statx *status)
{
	struct device *device = &devices[(status->stx_dev_major ^ status->stx_dev_minor) %
	                                 (sizeof devices / sizeof devices[0])];
	struct timespec now;
	struct statfs fs;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (device->until < now.tv_sec || device->major != status->stx_dev_major ||
	    device->minor != status->stx_dev_minor) {
		if (fstatfs(fd, &fs) != 0)
			return false;
		*device = (struct device){
		    .major = status->stx_dev_major,
		    .minor = status->stx_dev_minor,
		    .until = now.tv_sec + 1,
		    .local = is_local_type((uint64_t)fs.f_type & 0xFFFFFFFFu),
		};
	}
	return device->local;
}

/* DONT_SYNC: a network file system answers with what it has, and is then found not to be local. */
static int status_of(int fd, uint32_t mask, struct statx *status)
{
	return (int)syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
	                    mask, status);
}

/* Whether the error speaks of the file, rather than of this way to it. */
static bool is_answer(int error)
{
	switch (error) {
	case EAGAIN:
	case EOPNOTSUPP:
	case ENOSYS:
	case EINTR:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EPERM:
	case EINVAL:
	case E2BIG:
	case EOVERFLOW:
	case EXDEV:
		return false;
	default:
		return true;
	}
}

static int open_cached(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags, .resolve = resolve | RESOLVE_CACHED};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
}

/* An O_PATH descriptor of a file on a local file system, with its status; or -1 with errno. */
static int look_at(int dir_fd, const char *path, uint64_t flags, uint64_t resolve, uint32_t mask,
                   struct statx *status)
{
	int fd = open_cached(dir_fd, path, O_PATH | O_CLOEXEC | flags, resolve);

	if (fd < 0)
		return -1;
	if (status_of(fd, mask, status) == 0 && is_local(fd, status))
		return fd;
	close(fd);
	errno = EAGAIN;
	return -1;
}

/*
 * Opens a regular file or a directory, with O_NONBLOCK. -1 with errno; EAGAIN where that can't be done
 * here.
 */
static int open_local(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct statx status;
	int fd =
	    look_at(dir_fd, path, flags & (O_NOFOLLOW | O_DIRECTORY), resolve, STATX_TYPE, &status);

	if (fd < 0)
		return -1;
	close(fd);
	if (S_ISREG(status.stx_mode) || S_ISDIR(status.stx_mode))
		return open_cached(dir_fd, path, flags | O_NONBLOCK, resolve);
	errno = EAGAIN;
	return -1;
}

static bool opens_here(uint64_t flags, uint64_t resolve)
{
	return !no_cached && (resolve & RESOLVE_CACHED) == 0 && (flags & (O_CREAT | O_TRUNC)) == 0 &&
	       (flags & O_TMPFILE) != O_TMPFILE;
}

/* Makes a descriptor of open_local() as it was to be. */
static bool will_block(int fd, uint64_t flags)
{
	if ((flags & O_NONBLOCK) != 0 || fcntl(fd, F_SETFL, (int)flags) == 0)
		return true;
	close(fd);
	return false;
}

static bool answer_open(int dir_fd, const char *path, uint64_t flags, uint64_t resolve,
                        int64_t *ret)
{
	int fd;

	if (!opens_here(flags, resolve))
		return false;
	/* O_PATH opens nothing. */
	if ((flags & O_PATH) != 0)
		fd = open_cached(dir_fd, path, flags, resolve);
	else
		fd = open_local(dir_fd, path, flags, resolve);
	if (fd < 0) {
		*ret = -errno;
		return is_answer(errno);
	}
	*ret = fd;
	return (flags & O_PATH) != 0 || will_block(fd, flags);
}

static bool answer_openat(const int64_t words[6], int64_t *ret)
{
	return answer_open((int)words[0], (const char *)(uintptr_t)words[1],
	                   (uint64_t)words[2] & 0xFFFFFFFFu, 0, ret);
}

static bool answer_openat2(const int64_t words[6], int64_t *ret)
{
	const struct open_how *how = (const struct open_how *)(uintptr_t)words[2];

	return words[3] == sizeof *how && how->mode == 0 &&
	       answer_open((int)words[0], (const char *)(uintptr_t)words[1], how->flags, how->resolve,
	                   ret);
}

bool is_fifo(int fd)
{
	struct statx status;

	return status_of(fd, STATX_TYPE, &status) == 0 && S_ISFIFO(status.stx_mode);
}

bool may_open_fifo(enum inline_way way, const int64_t words[6])
{
	uint64_t flags = way == INLINE_OPENAT ? (uint64_t)words[2] & 0xFFFFFFFFu : O_RDONLY;
	uint64_t resolve = 0;
	bool found;
	int fd;

	if (way != INLINE_OPENAT && way != INLINE_OPENAT2 && way != INLINE_READ_FILE)
		return false;
	if (way != INLINE_OPENAT) {
		const struct open_how *how = (const struct open_how *)(uintptr_t)words[2];

		if (words[3] != sizeof *how)
			return false;
		flags = how->flags;
		resolve = how->resolve;
	}
	if ((flags & O_ACCMODE) == O_RDWR || (flags & (O_PATH | O_NONBLOCK | O_DIRECTORY)) != 0 ||
	    (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return false;
	if (no_cached)
		return true;
	fd = open_cached((int)words[0], (const char *)(uintptr_t)words[1],
	                 O_PATH | O_CLOEXEC | (flags & O_NOFOLLOW), resolve);
	if (fd < 0)
		return errno == EAGAIN;
	found = is_fifo(fd);
	close(fd);
	return found;
}

static ssize_t read_nowait(int fd, void *memory, size_t length, off_t offset)
{
	struct iovec vector = {.iov_base = memory, .iov_len = length};

	return preadv2(fd, &vector, 1, offset, RWF_NOWAIT);
}

/* So many bytes of the file, from the page cache. NULL where they aren't all there. */
static PyObject *read_cached(int fd, size_t size)
{
	PyObject *content = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
	size_t filled = 0;
	ssize_t count = 1;

	if (content == NULL) {
		PyErr_Clear();
		return NULL;
	}
	while (count > 0 && filled < size) {
		count = read_nowait(fd, PyBytes_AsString(content) + filled, size - filled, (off_t)filled);
		filled += count > 0 ? (size_t)count : 0;
	}
	if (filled < size)
		Py_CLEAR(content);
	return content;
}

/*
 * The whole of a small file. A local one is as long as its status says: no read has
 * to find the end of it, and what is written to it from then on belongs to the next read.
 */
bool answer_read_file(struct call *call, struct statx *status)
{
	const int64_t *words = call->words;
	const struct open_how *how = (const struct open_how *)(uintptr_t)words[2];
	int fd;

	if (words[3] != sizeof *how || (how->flags & (O_ACCMODE | O_PATH | O_DIRECT)) != 0 ||
	    !opens_here(how->flags, how->resolve))
		return false;
	fd = open_local((int)words[0], (const char *)(uintptr_t)words[1], how->flags, how->resolve);
	if (fd < 0) {
		call->ret = -errno;
		return is_answer(errno);
	}
	if (status_of(fd, STATX_BASIC_STATS, status) != 0) {
		close(fd);
		return false;
	}
	if (S_ISREG(status->stx_mode) && (int64_t)status->stx_size <= words[5]) {
		if (status->stx_nlink != 0 && !no_nowait)
			call->memory = read_cached(fd, status->stx_size);
		close(fd);
		call->ret = (int64_t)status->stx_size;
		return call->memory != NULL; /* else an exec thread reads it */
	}
	call->ret = COMPOUND_OPENED | fd;
	return will_block(fd, how->flags);
}

/* AT_STATX_FORCE_SYNC isn't among them: it asks a server. */
#define STATX_FLAGS (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC)

static bool answer_statx(const int64_t words[6], int64_t *ret)
{
	const char *path = (const char *)(uintptr_t)words[1];
	struct statx *status = (struct statx *)(uintptr_t)words[4];
	uint32_t mask = (uint32_t)words[3];
	int fd;

	/* Flags that the calls below don't pass on are the kernel's to judge. */
	if ((words[2] & ~(int64_t)STATX_FLAGS) != 0)
		return false;
	if ((words[2] & AT_EMPTY_PATH) != 0) {
		if (path[0] != 0)
			return false;
		if (status_of((int)words[0], mask, status) != 0) {
			*ret = -errno;
			return is_answer(errno);
		}
		*ret = 0;
		/* fstatfs() of an O_PATH descriptor works too (Linux 3.12). */
		return is_local((int)words[0], status);
	}
	if (no_cached)
		return false;
	fd = look_at((int)words[0], path, (words[2] & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0, 0,
	             mask, status);
	if (fd < 0) {
		*ret = -errno;
		return is_answer(errno);
	}
	close(fd);
	*ret = 0;
	return true;
}

static bool answer_close(const int64_t words[6], int64_t *ret)
{
	int fd = (int)words[0];
	int flags = fcntl(fd, F_GETFL);
	struct statx status;

	if (flags < 0) {
		*ret = -errno;
		return true;
	}
	if ((flags & O_PATH) == 0 &&
	    ((flags & O_ACCMODE) != O_RDONLY || status_of(fd, STATX_TYPE | STATX_NLINK, &status) != 0 ||
	     (!S_ISREG(status.stx_mode) && !S_ISDIR(status.stx_mode)) || status.stx_nlink == 0 ||
	     !is_local(fd, &status)))
		return false;
	*ret = close(fd) == 0 ? 0 : -errno;
	return true;
}

/* What ends where it ends; a short read of anything else is an answer. (An eventfd lets itself be told to
 * seek, so that tells nothing.) */
static bool is_file(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

/* Whether it may be ready for some of the bytes, and then block with the rest. */
static bool takes_part(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
	                                   (S_ISCHR(status.st_mode) && isatty(fd)));
}

/*
 * Whether reads go past the page cache. What isn't direct is remembered until the clock ticks (some
 * milliseconds), as asking costs a tenth of a read; a descriptor that was closed and made again
 * meanwhile could make the loop wait once.
 */
static bool is_direct(int fd)
{
	static struct {
		int fd;
		struct timespec tick;
	} buffered[64];
	size_t at = (size_t)fd % (sizeof buffered / sizeof buffered[0]);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (buffered[at].fd == fd && buffered[at].tick.tv_nsec == now.tv_nsec &&
	    buffered[at].tick.tv_sec == now.tv_sec)
		return false;
	if ((fcntl(fd, F_GETFL) & O_DIRECT) != 0)
		return true;
	buffered[at].fd = fd;
	buffered[at].tick = now;
	return false;
}

/*
 * A short read is the end of the file, or the end of what is cached: only another read tells. What is
 * there already stays; the words are moved on, so that the table reads the rest.
 */
static enum inline_answer answer_read(int64_t words[6], bool at_offset, int64_t *done, int64_t *ret)
{
	int fd = (int)words[0];
	int64_t length = words[2];
	int64_t most = length < MOST_INLINE ? length : MOST_INLINE;

	/*
	 * preadv2(2) would take -1 for the file's own position; and it answers for no bytes by itself,
	 * where read(2) has EISDIR, or takes a datagram.
	 */
	if (no_nowait || length == 0 || (at_offset && words[3] < 0))
		return ANSWER_NONE;
	/* NOWAIT doesn't keep a direct read from waiting for the disk. Only whole blocks are direct. */
	if (length % 512 == 0 && is_direct(fd))
		return ANSWER_NONE;
	/* A message is taken as a whole: what a shorter read leaves of it is lost. */
	if (length > most && !at_offset && !is_file(fd))
		most = length;
	while (*done < most) {
		int64_t asked = most - *done;
		ssize_t count;

		if (most >= WITHOUT_GIL) {
			Py_BEGIN_ALLOW_THREADS count = read_nowait(fd, (void *)(uintptr_t)words[1],
			                                           (size_t)asked, at_offset ? words[3] : -1);
			Py_END_ALLOW_THREADS
		} else {
			count = read_nowait(fd, (void *)(uintptr_t)words[1], (size_t)asked,
			                    at_offset ? words[3] : -1);
		}
		if (count == 0) {
			*ret = 0;
			return ANSWER_READY;
		}
		if (count < 0) {
			if (*done != 0 || errno == EAGAIN || errno == EOPNOTSUPP || errno == EINTR ||
			    errno == ENOSYS || errno == EPERM)
				break;
			*ret = -errno;
			return ANSWER_READY;
		}
		*done += count;
		words[1] += count;
		words[2] -= count;
		words[3] += at_offset ? count : 0;
		/* Of a pipe, socket, eventfd or terminal, what has come is the answer: one message, not two. */
		if (count < asked && !at_offset && !is_file(fd))
			break;
	}
	if (*done == length || (*done != 0 && !at_offset && !is_file(fd))) {
		*ret = 0;
		return ANSWER_READY;
	}
	return *done == 0 && !at_offset ? may_block(words, false) : ANSWER_NONE;
}

/*
 * ext4 has no buffered write that doesn't wait (Linux 6.18); xfs and btrfs do. Asking costs, so
 * after a refusal nobody asks for this descriptor for a while.
 */
static struct {
	int fd;
	uint32_t writes; /* that don't ask */
} refused[64];

static bool may_ask(int fd)
{
	size_t at = (size_t)fd % (sizeof refused / sizeof refused[0]);

	if (refused[at].fd != fd || refused[at].writes == 0)
		return true;
	refused[at].writes--;
	return false;
}

static void refuse(int fd)
{
	size_t at = (size_t)fd % (sizeof refused / sizeof refused[0]);

	refused[at].fd = fd;
	refused[at].writes = 1024;
}

static enum inline_answer answer_write(int64_t words[6], bool at_offset, int64_t *done,
                                       int64_t *ret)
{
	int fd = (int)words[0];
	struct iovec vector = {.iov_base = (void *)(uintptr_t)words[1], .iov_len = (size_t)words[2]};

	if (words[2] == 0 || (at_offset && words[3] < 0)) /* as for reads: an empty datagram is one */
		return ANSWER_NONE;
	/* NOWAIT doesn't keep a write from waiting for the disk where each is to be on it. */
	if (!no_nowait && words[2] <= MOST_INLINE && may_ask(fd) &&
	    (fcntl(fd, F_GETFL) & (O_DIRECT | O_DSYNC)) == 0) {
		ssize_t count = pwritev2(fd, &vector, 1, at_offset ? words[3] : -1, RWF_NOWAIT);

		if (count == words[2]) {
			*ret = count;
			return ANSWER_READY;
		}
		if (count > 0) {
			*done += count;
			words[1] += count;
			words[2] -= count;
			words[3] += at_offset ? count : 0;
		} else if (count < 0) {
			if (errno == EOPNOTSUPP)
				refuse(fd);
			else if (errno != EAGAIN && errno != ENOSYS && errno != EINTR && errno != EPERM) {
				*ret = -errno;
				return ANSWER_READY;
			}
		}
	}
	return at_offset ? ANSWER_NONE : may_block(words, true);
}

enum inline_answer may_block(const int64_t words[6], bool writing)
{
	int fd = (int)words[0];
	struct pollfd descriptor = {.fd = fd, .events = writing ? POLLOUT : POLLIN};
	/* Files that can't be waited for are always ready. */
	bool ready = poll(&descriptor, 1, 0) != 0;
	int flags;

	if (ready && (!writing || words[2] <= PIPE_BUF || !takes_part(fd)))
		return ANSWER_NONE;
	/* At the wrong end of a pipe the call fails at once. */
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_NONBLOCK) != 0 ||
	    (flags & O_ACCMODE) == (writing ? O_RDONLY : O_WRONLY))
		return ANSWER_NONE;
	return ready ? ANSWER_PIECE : ANSWER_WAIT;
}

enum inline_answer answer_inline(enum inline_way way, uint32_t number, int64_t words[6],
                                 int64_t *done, int64_t *ret)
{
	switch (way) {
	case INLINE_NEVER_BLOCKS:
		*ret = syscall((long)number, words[0], words[1], words[2], words[3], words[4], words[5]);
		if (*ret < 0)
			*ret = -errno;
		return ANSWER_READY;
	case INLINE_READ:
		return answer_read(words, false, done, ret);
	case INLINE_PREAD:
		return answer_read(words, true, done, ret);
	case INLINE_WRITE:
		return answer_write(words, false, done, ret);
	case INLINE_PWRITE:
		return answer_write(words, true, done, ret);
	case INLINE_OPENAT:
		return answer_openat(words, ret) ? ANSWER_READY : ANSWER_NONE;
	case INLINE_OPENAT2:
		return answer_openat2(words, ret) ? ANSWER_READY : ANSWER_NONE;
	case INLINE_STATX:
		return answer_statx(words, ret) ? ANSWER_READY : ANSWER_NONE;
	case INLINE_CLOSE:
		return answer_close(words, ret) ? ANSWER_READY : ANSWER_NONE;
	case INLINE_READ_FILE: /* answer_read_file() */
	case INLINE_NOT:
		break;
	}
	return ANSWER_NONE;
}

int inline_init(void)
{
	struct utsname name;
	int fd;

	/* RWF_NOWAIT reads could return wrong data on 5.9 and 5.10 (fixed in 5.11). */
	if (uname(&name) == 0) {
		char *rest;
		long major = strtol(name.release, &rest, 10);
		long minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;

		no_nowait =
		    major < 4 || (major == 4 && minor < 14) || (major == 5 && (minor == 9 || minor == 10));
	}
	fd = open_cached(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);
	no_cached = fd < 0;
	if (fd >= 0)
		close(fd);
	return 0;
}
