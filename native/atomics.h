/* SPDX-License-Identifier: MIT */
/*
 * atomics.h - the words that a process and its executor share.
 *
 * The table is plain memory, as the kernel has no use for C11's _Atomic, so the accesses are named
 * here. Three orders are enough:
 *
 *   sequential   both sides of "write mine, then read yours" (Dekker): pending_tail, awake, states
 *   acquire and release   what was written before the release is seen after the acquire
 *   relaxed      counters, and hints that are checked afterwards
 *
 * There are no stand-alone fences: ThreadSanitizer doesn't understand them.
 */
#ifndef ATOMICS_H
#define ATOMICS_H

#include <stdbool.h>

#define load_relaxed(address) __atomic_load_n((address), __ATOMIC_RELAXED)
#define load_acquire(address) __atomic_load_n((address), __ATOMIC_ACQUIRE)
#define load_sequential(address) __atomic_load_n((address), __ATOMIC_SEQ_CST)
#define store_relaxed(address, value) __atomic_store_n((address), (value), __ATOMIC_RELAXED)
#define store_release(address, value) __atomic_store_n((address), (value), __ATOMIC_RELEASE)
#define store_sequential(address, value) __atomic_store_n((address), (value), __ATOMIC_SEQ_CST)
#define add_relaxed(address, value) __atomic_fetch_add((address), (value), __ATOMIC_RELAXED)
#define add_sequential(address, value) __atomic_fetch_add((address), (value), __ATOMIC_SEQ_CST)
#define subtract_sequential(address, value) __atomic_fetch_sub((address), (value), __ATOMIC_SEQ_CST)
#define exchange_sequential(address, value)                                                        \
	__atomic_exchange_n((address), (value), __ATOMIC_SEQ_CST)

/* Where it fails, *expected holds what stands there instead. */
#define compare_and_swap(address, expected, desired)                                               \
	__atomic_compare_exchange_n((address), (expected), (desired), false, __ATOMIC_SEQ_CST,         \
	                            __ATOMIC_ACQUIRE)

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

#endif /* ATOMICS_H */
