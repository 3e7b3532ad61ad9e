/* SPDX-License-Identifier: MIT */
/*
 * syscall_table.h - what native/syscalls.tbl says of each system call, as C sees it.
 *
 * The build makes one array of the table (native/syscalls_table.py writes the source). Its index is
 * the number of the call on this architecture, so that a look-up is an index and the order is that
 * of the numbers; an entry without a name is a number without a call. The head of syscalls.tbl
 * tells what all of this means.
 */
#ifndef SYSCALL_TABLE_H
#define SYSCALL_TABLE_H

/* cffi reads from here on. */
enum syscall_argument_kind {
	SYSCALL_ARGUMENT_INT = 0,
	SYSCALL_ARGUMENT_PATH = 1,
	SYSCALL_ARGUMENT_STRING = 2,
	SYSCALL_ARGUMENT_IN = 3,
	SYSCALL_ARGUMENT_OUT = 4,
	SYSCALL_ARGUMENT_INOUT = 5,
	SYSCALL_ARGUMENT_ADDRESS = 6,
	SYSCALL_ARGUMENT_ANY = 7,
};

/* How many bytes a buffer must have. */
enum syscall_length_rule {
	SYSCALL_LENGTH_NONE = 0,    /* nothing is known */
	SYSCALL_LENGTH_FIXED = 1,   /* base */
	SYSCALL_LENGTH_COUNT = 2,   /* base + unit * value of argument */
	SYSCALL_LENGTH_BITS = 3,    /* the argument counts bits: base + unit bytes for each 8 * unit */
	SYSCALL_LENGTH_POINTED = 4, /* base + unit * the 32-bit word that the argument points at */
};

enum syscall_trait {
	SYSCALL_REFUSED = 1,        /* never submitted, the note says why */
	SYSCALL_FD = 2,             /* the result is a new descriptor; see fd_argument, fd_values */
	SYSCALL_FDS = 4,            /* two new descriptors stand in the buffer fd_argument */
	SYSCALL_NEVER_BLOCKS = 8,   /* answers from memory */
	SYSCALL_INTERRUPTIBLE = 16, /* may wait without end; a signal ends that with EINTR */
	SYSCALL_KERNEL = 32         /* the kernel module may run it */
};

struct syscall_argument {
	unsigned char kind;       /* enum syscall_argument_kind */
	unsigned char nullable;   /* NULL will do */
	unsigned char length;     /* enum syscall_length_rule */
	signed char length_index; /* the argument that tells the length, or -1 */
	unsigned short length_base;
	unsigned short length_unit;
};

struct syscall_description {
	const char *name; /* or NULL: no call has this number */
	const char *note;
	unsigned char arity;     /* the most arguments that it takes */
	unsigned char required;  /* the fewest; the rest is 0 when left out */
	unsigned char traits;    /* enum syscall_trait */
	signed char fd_argument; /* SYSCALL_FDS: the buffer. SYSCALL_FD: the argument whose low 32 bits
	                            must be among fd_values, or -1: always a descriptor */
	int fd_value_count;
	unsigned int fd_values[16];
	struct syscall_argument argument[6];
};

extern const struct syscall_description syscall_descriptions[];
extern const int syscall_description_count;
/* cffi stops reading here. */

#endif /* SYSCALL_TABLE_H */
