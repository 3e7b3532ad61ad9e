// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - /dev/async_syscall: the device, its ioctls, and the life of a context.
 *
 * An open file gets a context by INIT, once, and keeps it until it is released. The
 * file holds the module, threads inside EXEC hold the file: so nothing here goes away
 * under somebody's feet, and the module can't be unloaded while it is in use.
 */
#define CREATE_TRACE_POINTS
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "module.h"
#include "trace.h"

static unsigned int max_slots = ASYNC_SYSCALL_MAX_SLOTS;
module_param(max_slots, uint, 0644);
MODULE_PARM_DESC(max_slots, "slots of a table, at most (65536)");

unsigned int max_threads = 1024;
module_param(max_threads, uint, 0644);
MODULE_PARM_DESC(max_threads, "exec threads of a table, at most (1024)");

static unsigned int max_tables = 128;
module_param(max_tables, uint, 0644);
MODULE_PARM_DESC(max_tables, "tables of a user, at most (128)");

unsigned int max_spin = 50;
module_param(max_spin, uint, 0644);
MODULE_PARM_DESC(max_spin, "how long an idle exec thread looks for requests, in microseconds (50)");

static void context_free(struct context *context)
{
	exec_free(context);
	if (context->eventfd)
		eventfd_ctx_put(context->eventfd);
	if (context->mm)
		mmdrop(context->mm);
	if (context->cred)
		put_cred(context->cred);
	kfree(context);
}

/*
 * The arguments are checked, and become what the module believes of the table from now
 * on.
 */
static struct context *context_make(const struct async_syscall_init *init)
{
	const size_t bytes = ASYNC_SYSCALL_TABLE_BYTES(init->slots);
	char __user *address = u64_to_user_ptr(init->address);
	struct context *context;

	if (!access_ok(address, bytes))
		return ERR_PTR(-EFAULT);
	context = kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT);
	if (!context)
		return ERR_PTR(-ENOMEM);
	context->control = (void __user *)address;
	context->pending = (void __user *)(address + ASYNC_SYSCALL_PENDING_OFFSET);
	context->next = (void __user *)(address + ASYNC_SYSCALL_NEXT_OFFSET(init->slots));
	context->info = (void __user *)(address + ASYNC_SYSCALL_INFO_OFFSET(init->slots));
	context->bytes = bytes;
	context->slots = init->slots;
	exec_init(context);
	context->mm = current->mm;
	mmgrab(context->mm);
	context->cred = get_current_cred();
	context->eventfd = eventfd_ctx_fdget(init->event_fd);
	if (IS_ERR(context->eventfd)) {
		int error = PTR_ERR(context->eventfd);

		context->eventfd = NULL;
		context_free(context);
		return ERR_PTR(error);
	}
	return context;
}

/* Lists the context and gives it to the file. */
static int context_publish(struct context *context, struct file *file)
{
	unsigned int tables = 0;
	struct context *other;
	int error = 0;

	mutex_lock(&contexts_lock);
	list_for_each_entry(other, &contexts, contexts_entry)
		if (uid_eq(other->cred->uid, context->cred->uid))
			tables++;
	if (file->private_data)
		error = -EBUSY;
	else if (tables >= READ_ONCE(max_tables))
		error = -EUSERS;
	if (!error) {
		list_add(&context->contexts_entry, &contexts);
		/* Pairs with context_of(), which takes no lock. */
		smp_store_release(&file->private_data, context);
	}
	mutex_unlock(&contexts_lock);
	return error;
}

static struct context *context_of(struct file *file)
{
	/* Pairs with context_publish(). */
	return smp_load_acquire(&file->private_data);
}

static int ioctl_init(struct file *file, struct async_syscall_init __user *user)
{
	struct async_syscall_init init;
	struct context *context;
	int error;

	if (copy_from_user(&init, user, sizeof(init)))
		return -EFAULT;
	if (init.abi_version != ASYNC_SYSCALL_ABI_VERSION) {
		if (put_user((u32)ASYNC_SYSCALL_ABI_VERSION, &user->abi_version))
			return -EFAULT;
		return -EPROTONOSUPPORT;
	}
	if (init.flags || memchr_inv(init.reserved, 0, sizeof(init.reserved)))
		return -EINVAL;
	if (!is_power_of_2(init.slots) ||
	    init.slots > min_t(u32, READ_ONCE(max_slots), ASYNC_SYSCALL_MAX_SLOTS))
		return -EINVAL;
	if (!IS_ALIGNED(init.address, ASYNC_SYSCALL_CACHE_LINE))
		return -EINVAL;
	if (policy_is_watched())
		return -EPERM;
	context = context_make(&init);
	if (IS_ERR(context))
		return PTR_ERR(context);
	error = context_publish(context, file);
	if (error)
		context_free(context);
	return error;
}

static long ioctl_exec(struct context *context, struct file *file,
		       const struct async_syscall_exec __user *user)
{
	struct async_syscall_exec exec;

	if (copy_from_user(&exec, user, sizeof(exec)))
		return -EFAULT;
	if (exec.flags || memchr_inv(exec.reserved, 0, sizeof(exec.reserved)))
		return -EINVAL;
	if (!policy_is_owner(context) || policy_is_watched())
		return exec_hand_back(context) ?: -EPERM;
	return exec_serve(context, file, exec.idle_milliseconds);
}

static int ioctl_doorbell(struct context *context)
{
	int end;

	atomic64_inc(&context->doorbells);
	atomic_inc(&context->bell);
	wake_up(&context->sleepers);
	/* END must be seen even where all threads are blocked. */
	end = table_at_end(context);
	if (end > 0)
		exec_cancel_all(context);
	return min(end, 0);
}

static int ioctl_cancel(struct context *context, const struct async_syscall_cancel __user *user)
{
	struct async_syscall_cancel cancel;

	if (copy_from_user(&cancel, user, sizeof(cancel)))
		return -EFAULT;
	if (cancel.flags || cancel.slot >= context->slots)
		return -EINVAL;
	return exec_cancel(context, cancel.slot);
}

static int ioctl_watch(struct context *context, struct async_syscall_watch __user *user)
{
	struct async_syscall_watch watch;
	int error;

	if (copy_from_user(&watch, user, sizeof(watch)))
		return -EFAULT;
	if (watch.flags || watch.reserved || !watch.microseconds)
		return -EINVAL;
	error = exec_watch(context, &watch);
	if (error)
		return error;
	return copy_to_user(user, &watch, sizeof(watch)) ? -EFAULT : 0;
}

static int ioctl_counters(struct context *context, struct async_syscall_counters __user *user)
{
	struct async_syscall_counters counters;

	counters_read(context, &counters);
	return copy_to_user(user, &counters, sizeof(counters)) ? -EFAULT : 0;
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	struct context *context = context_of(file);

	if (command == ASYNC_SYSCALL_INIT)
		return ioctl_init(file, user);
	if (_IOC_TYPE(command) != ASYNC_SYSCALL_IOCTL_TYPE)
		return -ENOTTY;
	if (!context)
		return -ENXIO;
	/*
	 * A forked child has the file, but other memory; what it says isn't meant for
	 * this table.
	 */
	if (current->mm != context->mm)
		return -EPERM;
	switch (command) {
	case ASYNC_SYSCALL_EXEC:
		return ioctl_exec(context, file, user);
	case ASYNC_SYSCALL_DOORBELL:
		return ioctl_doorbell(context);
	case ASYNC_SYSCALL_CANCEL:
		return ioctl_cancel(context, user);
	case ASYNC_SYSCALL_WATCH:
		return ioctl_watch(context, user);
	case ASYNC_SYSCALL_COUNTERS:
		return ioctl_counters(context, user);
	default:
		return -ENOTTY;
	}
}

static int device_release(struct inode *inode, struct file *file)
{
	struct context *context = file->private_data;

	if (context) {
		mutex_lock(&contexts_lock);
		list_del(&context->contexts_entry);
		mutex_unlock(&contexts_lock);
		context_free(context);
	}
	return 0;
}

/* misc_open() leaves the device in private_data, which is where a context will be. */
static int device_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	return 0;
}

/* No .compat_ioctl: 32-bit callers get ENOTTY. */
static const struct file_operations device_operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "async_syscall",
	.fops = &device_operations,
	.mode = 0600,
};

static int __init async_syscall_module_init(void)
{
	int error;

	error = resolve_init();
	if (error)
		return error;
	policy_init();
	counters_init();
	error = misc_register(&device);
	if (error)
		counters_exit();
	return error;
}

static void __exit async_syscall_module_exit(void)
{
	misc_deregister(&device);
	counters_exit();
}

module_init(async_syscall_module_init);
module_exit(async_syscall_module_exit);
MODULE_AUTHOR("The asyncsys-loop authors");
MODULE_DESCRIPTION("Runs system calls that a process writes into a table");
MODULE_LICENSE("GPL");
MODULE_VERSION("1");
