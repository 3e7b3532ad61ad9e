/* SPDX-License-Identifier: MIT */
/*
 * released - what a call has closed is released before anybody sees its result, as after a system call: locks are
 * free then, and a release that waits is a call that waits, and can be interrupted.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "kmod_table.h"

enum { SLOTS = 4, ROUNDS = 100, LINGER_SECONDS = 600 };

static void close_or_replace(struct kmod_table *table, uint32_t slot, bool replace, int fd, int by)
{
	if (replace)
		call(table, slot, SYS_dup2, by, fd, 0);
	else
		call(table, slot, SYS_close, fd, 0, 0);
}

static void locks_are_free(struct kmod_table *table, bool replace, int by)
{
	char path[] = "/tmp/asyncsys-test-lock-XXXXXX";
	int other = mkstemp(path);

	CHECK(other >= 0);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		CHECK_EQUAL(flock(fd, LOCK_EX), 0);
		close_or_replace(table, 0, replace, fd, by);
		while (state_of(table, 0) != SYSCALL_COMPLETED)
			;
		CHECK_EQUAL(flock(other, LOCK_EX | LOCK_NB), 0);
		CHECK_EQUAL(flock(other, LOCK_UN), 0);
		CHECK_EQUAL(wait_for(table, 0), replace ? fd : 0);
		if (replace)
			close(fd);
	}
	CHECK_EQUAL(close(other), 0);
	CHECK_EQUAL(unlink(path), 0);
}

/* A socket that holds more than its peer takes, and waits for that when it is closed. */
static int lingering_socket(int *peer)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_SECONDS};
	static const char data[65536];
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQUAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	CHECK_EQUAL(listen(listener, 1), 0);
	CHECK_EQUAL(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	CHECK_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	*peer = accept(listener, NULL, NULL);
	CHECK(*peer >= 0);
	close(listener);
	while (send(fd, data, sizeof data, MSG_DONTWAIT) > 0)
		;
	CHECK_EQUAL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
	return fd;
}

static void a_release_is_interrupted(struct kmod_table *table, pid_t thread, bool replace, int by)
{
	int peer;
	int fd = lingering_socket(&peer);

	close_or_replace(table, 1, replace, fd, by);
	wait_until_blocked(table, 1, thread);
	CHECK_EQUAL(state_of(table, 1), SYSCALL_EXECUTING);
	CHECK_EQUAL(cancel_until_over(table, 1), replace ? fd : 0);
	if (replace)
		close(fd);
	close(peer);
}

int main(void)
{
	struct kmod_table table = make_kmod_table(SLOTS);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct kmod_thread thread;

	enter_kmod(&thread, &table);
	for (int replace = 0; replace < 2; replace++) {
		locks_are_free(&table, replace, null);
		a_release_is_interrupted(&table, thread.tid, replace, null);
	}
	end_and_free(&table, SLOTS - 1, &thread, 1);
	return 0;
}
