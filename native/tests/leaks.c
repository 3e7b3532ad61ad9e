/* Opening, using and closing tables leaves no descriptor, no mapping and no thread behind. */
#define _GNU_SOURCE
#include "test.h"

enum { SLOTS = 64 };

static uint32_t count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint32_t count = 0;
	int byte;

	CHECK(maps != NULL);
	while ((byte = fgetc(maps)) != EOF)
		count += byte == '\n';
	fclose(maps);
	return count;
}

static void use(uint32_t tables, int fd)
{
	for (uint32_t i = 0; i < tables; i++) {
		struct owner owner = open_owner(SLOTS, 4, i % 2 == 0 ? 0 : 5000);
		char bytes[3];
		int error;

		/* More than one thread. */
		for (uint32_t j = 0; j < 3; j++)
			CHECK(submit_read(&owner, fd, &bytes[j], 1) >= 0);
		CHECK_EQUAL(result_of(&owner, submit_quick(&owner)), getpid());
		for (int32_t slot = 0; slot < 3; slot++)
			CHECK_EQUAL(cancel(&owner, slot), -ECANCELED);
		close_owner(&owner);
		CHECK(async_syscall_open("none", SLOTS, 4, 0, &error) == NULL);
	}
}

int main(void)
{
	uint32_t descriptors;
	uint32_t mappings;
	uint32_t tasks;
	int ends[2];

	open_pipe(ends);
	use(8, ends[0]); /* glibc keeps some stacks for the next threads */
	descriptors = count_entries("/proc/self/fd");
	mappings = count_mappings();
	tasks = count_entries("/proc/self/task");
	use(100, ends[0]);
	CHECK_EQUAL(count_entries("/proc/self/fd"), descriptors);
	WAIT_UNTIL(count_entries("/proc/self/task") == tasks);
	CHECK(count_mappings() < mappings + 50);
	return 0;
}
