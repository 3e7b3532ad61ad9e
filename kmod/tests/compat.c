/* SPDX-License-Identifier: MIT */
/* compat - a 32-bit system call (int 0x80, also from a 64-bit process) gets ENOTTY. */
#define _GNU_SOURCE
#include "kmod_table.h"

static long ioctl_32(int fd, unsigned int command, unsigned int argument)
{
	long result;

	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"(54L /* ioctl */), "b"((long)fd), "c"((long)command), "d"((long)argument)
	                 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static void child(void *argument)
{
	const struct kmod_table *table = argument;

	if (ioctl_32(-1, 0, 0) == -ENOSYS)
		SKIP("this kernel has no 32-bit system calls\n");
	CHECK_EQUAL(ioctl_32(-1, 0, 0), -EBADF);
	CHECK_EQUAL(ioctl_32(table->device, ASYNC_SYSCALL_DOORBELL, 0), -ENOTTY);
	CHECK_EQUAL(ioctl_32(table->device, ASYNC_SYSCALL_INIT, 0), -ENOTTY);
}

int main(void)
{
	struct kmod_table table = make_kmod_table(4);
	int result = in_child(child, &table);

	if (result == -SIGSEGV)
		SKIP("this kernel has no int 0x80\n");
	return result;
}
