// SPDX-License-Identifier: GPL-2.0-only
/*
 * counters.c - what happened to the tables: for COUNTERS, and for
 * /sys/kernel/debug/async_syscall/tables.
 *
 * A thread counts in memory of its own, which others only read, so counting costs
 * nothing. The sums may lag behind by what threads do at that moment.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "module.h"

LIST_HEAD(contexts);
DEFINE_MUTEX(contexts_lock); /* the list, and a file's way to its context */

static struct dentry *directory;

void counters_add(struct async_syscall_counters *sum, const struct async_syscall_counters *more)
{
	sum->executed += READ_ONCE(more->executed);
	sum->passes += READ_ONCE(more->passes);
	sum->sleeps += READ_ONCE(more->sleeps);
	sum->doorbells += READ_ONCE(more->doorbells);
	sum->notifications += READ_ONCE(more->notifications);
	sum->refused += READ_ONCE(more->refused);
	sum->cancelled += READ_ONCE(more->cancelled);
}

void counters_read(struct context *context, struct async_syscall_counters *sum)
{
	struct exec_thread *thread;

	spin_lock(&context->lock);
	*sum = context->counters;
	list_for_each_entry(thread, &context->threads, entry)
		counters_add(sum, &thread->counters);
	spin_unlock(&context->lock);
	sum->doorbells = atomic64_read(&context->doorbells);
}

static int tables_show(struct seq_file *file, void *unused)
{
	struct async_syscall_counters sum;
	struct context *context;

	seq_puts(file, "uid slots threads executed passes sleeps doorbells notifications");
	seq_puts(file, " refused cancelled\n");
	mutex_lock(&contexts_lock);
	list_for_each_entry(context, &contexts, contexts_entry) {
		counters_read(context, &sum);
		seq_printf(file, "%u %u %u %llu %llu %llu %llu %llu %llu %llu\n",
			   from_kuid_munged(&init_user_ns, context->cred->uid), context->slots,
			   READ_ONCE(context->thread_count), sum.executed, sum.passes, sum.sleeps,
			   sum.doorbells, sum.notifications, sum.refused, sum.cancelled);
	}
	mutex_unlock(&contexts_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(tables);

/* Nobody needs debugfs: that it isn't there is no error. */
void __init counters_init(void)
{
	directory = debugfs_create_dir("async_syscall", NULL);
	debugfs_create_file("tables", 0400, directory, NULL, &tables_fops);
}

void counters_exit(void)
{
	debugfs_remove(directory);
}
