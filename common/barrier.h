// SPDX-License-Identifier: MIT
/*
 * barrier.h: the memory barriers that <xen/io/ring.h> expects, in one place.
 *
 * Include it before any ring header. gcc's thread sanitizer does not understand fences that stand alone (and
 * warns with -Wtsan), so under it a barrier is a read-modify-write of a private word, which it does understand.
 */
#ifndef XENSPLIT_COMMON_BARRIER_H
#define XENSPLIT_COMMON_BARRIER_H

#include <stdatomic.h>

#if defined(__SANITIZE_THREAD__)
#define XENSPLIT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define XENSPLIT_TSAN 1
#endif
#endif

#ifdef XENSPLIT_TSAN
extern _Atomic unsigned int barrier_word;
#define barrier_fence(order) ((void)atomic_fetch_add_explicit(&barrier_word, 1, memory_order_seq_cst))
#else
#define barrier_fence(order) atomic_thread_fence(order)
#endif

#define xen_mb() barrier_fence(memory_order_seq_cst)
#define xen_rmb() barrier_fence(memory_order_acquire)
#define xen_wmb() barrier_fence(memory_order_release)

/* In a loop that waits for another CPU's store. */
#if defined(__x86_64__) || defined(__i386__)
#define cpu_relax() __builtin_ia32_pause()
#else
#define cpu_relax() atomic_signal_fence(memory_order_seq_cst)
#endif

#endif
