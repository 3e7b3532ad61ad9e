/* SPDX-License-Identifier: MIT */
/*
 * audit - a task whose system calls are audited is refused; one that audit leaves alone isn't. Audit decides when
 * a task is made, so each is asked for in a new process.
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "kmod_table.h"

/* Sends a request to audit, and returns its answer. */
static int ask_audit(uint16_t type, const void *data, size_t size)
{
	int audit = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	union {
		struct nlmsghdr header;
		char bytes[NLMSG_SPACE(4096)];
	} message = {.header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
	                        .nlmsg_type = type,
	                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
	const struct nlmsgerr *answer = NLMSG_DATA(&message.header);

	if (audit < 0)
		SKIP("this kernel has no audit: %s\n", strerror(errno));
	CHECK(size <= 4096);
	memcpy(NLMSG_DATA(&message.header), data, size);
	CHECK_EQUAL(send(audit, &message, message.header.nlmsg_len, 0), message.header.nlmsg_len);
	do
		CHECK(recv(audit, &message, sizeof message, 0) > 0);
	while (message.header.nlmsg_type != NLMSG_ERROR);
	close(audit);
	return answer->error;
}

static void child(void *expected)
{
	struct own_table own = make_own_table(4);
	struct async_syscall_init init = init_of(&own);

	CHECK_EQUAL(CALL(open_device(), ASYNC_SYSCALL_INIT, &init), *(int *)expected);
}

int main(void)
{
	const struct audit_status on = {.mask = AUDIT_STATUS_ENABLED, .enabled = 1};
	const struct audit_status off = {.mask = AUDIT_STATUS_ENABLED, .enabled = 0};
	/* No task is audited from its beginning. It stays: enabled once, audit looks at every new task. */
	const struct audit_rule_data never = {.flags = AUDIT_FILTER_TASK, .action = AUDIT_NEVER};
	int refused = -EPERM;
	int served = 0;
	int status;

	close(open_device());
	CHECK_EQUAL(in_child(child, &served), 0);
	if (ask_audit(AUDIT_SET, &on, sizeof on) != 0)
		SKIP("audit can't be enabled here\n");
	status = in_child(child, &refused);
	CHECK_EQUAL(ask_audit(AUDIT_ADD_RULE, &never, sizeof never), 0);
	CHECK_EQUAL(ask_audit(AUDIT_SET, &off, sizeof off), 0);
	CHECK_EQUAL(status, 0);
	CHECK_EQUAL(in_child(child, &served), 0);
	return 0;
}
