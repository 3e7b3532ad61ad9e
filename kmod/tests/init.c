/* SPDX-License-Identifier: MIT */
/* init - INIT believes nothing: each argument that is wrong has its error, and then a right one works. */
#define _GNU_SOURCE
#include "kmod_table.h"

static int device;
static struct own_table own;

static int with(void (*spoil)(struct async_syscall_init *init))
{
	struct async_syscall_init init = init_of(&own);

	spoil(&init);
	return CALL(device, ASYNC_SYSCALL_INIT, &init);
}

static void flags(struct async_syscall_init *init)
{
	init->flags = 1;
}

static void reserved(struct async_syscall_init *init)
{
	init->reserved[4] = 1;
}

static void no_slots(struct async_syscall_init *init)
{
	init->slots = 0;
}

static void odd_slots(struct async_syscall_init *init)
{
	init->slots = 3;
}

static void many_slots(struct async_syscall_init *init)
{
	init->slots = 1u << 31;
}

static void unaligned(struct async_syscall_init *init)
{
	init->address += 8;
}

static void kernel_address(struct async_syscall_init *init)
{
	init->address = 0xffff888000000000;
}

static void at_the_end(struct async_syscall_init *init)
{
	init->address = -(__u64)64;
}

static void closed_eventfd(struct async_syscall_init *init)
{
	init->event_fd = 1 << 20;
}

static void no_eventfd(struct async_syscall_init *init)
{
	init->event_fd = device;
}

static void nothing(struct async_syscall_init *init)
{
	(void)init;
}

int main(void)
{
	struct async_syscall_exec exec = {0};
	struct async_syscall_cancel cancel = {0};
	struct async_syscall_init other_abi;

	device = open_device();
	own = make_own_table(8);

	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_EXEC, &exec), -ENXIO);
	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_DOORBELL), -ENXIO);
	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_INIT, NULL), -EFAULT);
	CHECK_EQUAL(CALL(device, _IO(ASYNC_SYSCALL_IOCTL_TYPE, 99)), -ENXIO);
	CHECK_EQUAL(CALL(device, TIOCGWINSZ, &exec), -ENOTTY);

	CHECK_EQUAL(with(flags), -EINVAL);
	CHECK_EQUAL(with(reserved), -EINVAL);
	CHECK_EQUAL(with(no_slots), -EINVAL);
	CHECK_EQUAL(with(odd_slots), -EINVAL);
	CHECK_EQUAL(with(many_slots), -EINVAL);
	CHECK_EQUAL(with(unaligned), -EINVAL);
	CHECK_EQUAL(with(kernel_address), -EFAULT);
	CHECK_EQUAL(with(at_the_end), -EFAULT);
	CHECK_EQUAL(with(closed_eventfd), -EBADF);
	CHECK_EQUAL(with(no_eventfd), -EINVAL);

	other_abi = init_of(&own);
	other_abi.abi_version = 99;
	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_INIT, &other_abi), -EPROTONOSUPPORT);
	CHECK_EQUAL(other_abi.abi_version, ASYNC_SYSCALL_ABI_VERSION);

	CHECK_EQUAL(with(nothing), 0);
	CHECK_EQUAL(with(nothing), -EBUSY);
	CHECK_EQUAL(CALL(device, _IO(ASYNC_SYSCALL_IOCTL_TYPE, 99)), -ENOTTY);
	exec.flags = 1;
	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_EXEC, &exec), -EINVAL);
	exec = (struct async_syscall_exec){.reserved = {0, 0, 1}};
	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_EXEC, &exec), -EINVAL);
	cancel.slot = 8;
	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_CANCEL, &cancel), -EINVAL);
	cancel = (struct async_syscall_cancel){.flags = 1};
	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_CANCEL, &cancel), -EINVAL);
	cancel.flags = 0;
	CHECK_EQUAL(CALL(device, ASYNC_SYSCALL_CANCEL, &cancel), -EAGAIN);
	close(device);
	free_own_table(&own);
	return 0;
}
