/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - tracepoints: a request is claimed, and completed. They fire where
 * raw_syscalls would.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM async_syscall

#if !defined(ASYNC_SYSCALL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ASYNC_SYSCALL_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(async_syscall_claim,
	TP_PROTO(u32 slot, u32 num),
	TP_ARGS(slot, num),
	TP_STRUCT__entry(
		__field(u32, slot)
		__field(u32, num)
	),
	TP_fast_assign(
		__entry->slot = slot;
		__entry->num = num;
	),
	TP_printk("slot=%u nr=%u", __entry->slot, __entry->num)
);

TRACE_EVENT(async_syscall_complete,
	TP_PROTO(u32 slot, u32 num, s64 ret),
	TP_ARGS(slot, num, ret),
	TP_STRUCT__entry(
		__field(u32, slot)
		__field(u32, num)
		__field(s64, ret)
	),
	TP_fast_assign(
		__entry->slot = slot;
		__entry->num = num;
		__entry->ret = ret;
	),
	TP_printk("slot=%u nr=%u ret=%lld", __entry->slot, __entry->num, __entry->ret)
);

#endif /* ASYNC_SYSCALL_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
