/* SPDX-License-Identifier: MIT */
/* compound.h - several system calls in one trip to an exec thread. See compound.c. */
#ifndef COMPOUND_H
#define COMPOUND_H

#include <stdint.h>

#include "async_syscall.h"

/* cffi reads from here on. */
/* What stands in `num`, above all system calls. */
enum async_syscall_compound {
	/* (dir_fd, path, buffer, length): the entries of a directory, as getdents64(2) has them */
	COMPOUND_LIST_DIRECTORY = ASYNC_SYSCALL_COMPOUND,
	/*
	 * (dir_fd, path, struct open_how, its size, memory, limit): a file as a whole. The memory takes
	 * a struct statx, the content, and one byte more.
	 */
	COMPOUND_READ_FILE,
};
/* cffi stops reading here. */

/*
 * The result of COMPOUND_READ_FILE where there is more than the limit, or where it isn't a regular
 * file: this and the descriptor, with nothing read.
 */
#define COMPOUND_OPENED (INT64_C(1) << 32)

/* Runs one: its result, or -errno. */
int64_t compound_run(uint32_t num, const uint64_t arg[6]);

#endif /* COMPOUND_H */
