/* do_syscall() returns the result, or -errno, and passes on all six arguments. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "test.h"

int main(void)
{
	const uint64_t none[6] = {0};
	const uint64_t bad[6] = {UINT64_MAX};
	const uint64_t sizes[6] = {0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 4096};
	char path[] = "/tmp/asyncsys-test-XXXXXX";
	uint64_t map[6];
	int fd = mkstemp(path);
	int64_t address;

	CHECK_EQUAL(do_syscall(SYS_getpid, none), getpid());
	CHECK_EQUAL(do_syscall(SYS_close, bad), -EBADF);
	CHECK_EQUAL(do_syscall(100000, none), -ENOSYS);

	/* mmap takes six, and its result may look like a large number: the page at offset 4096. */
	CHECK(fd >= 0);
	CHECK_EQUAL(unlink(path), 0);
	CHECK_EQUAL(pwrite(fd, "second page", 11, 4096), 11);
	memcpy(map, sizes, sizeof map);
	map[4] = (uint64_t)fd;
	address = do_syscall(SYS_mmap, map);
	CHECK(address > 0);
	CHECK_EQUAL(memcmp((const void *)(intptr_t)address, "second page", 11), 0);
	CHECK_EQUAL(munmap((void *)(intptr_t)address, 8192), 0);
	close(fd);
	return 0;
}
