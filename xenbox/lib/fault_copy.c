// SPDX-License-Identifier: MIT
/* fault_copy.c: see fault_copy.h. */
#define _GNU_SOURCE 1
#include <config.h>

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#include "xenbox/lib/fault_copy.h"

#ifndef __x86_64__
#error "the copy that may fault is written for x86-64"
#endif

/*
 * int fault_copy_bytes(void *to, const void *from, size_t bytes): 0, or 1 when the handler found that the instruction
 * at fault_copy_at had faulted and went on at fault_copy_failed.
 */
__asm__(".pushsection .text\n"
        ".hidden fault_copy_bytes, fault_copy_at, fault_copy_failed\n"
        ".globl fault_copy_bytes, fault_copy_at, fault_copy_failed\n"
        ".type fault_copy_bytes, @function\n"
        "fault_copy_bytes:\n"
        ".cfi_startproc\n"
        "mov %rdx, %rcx\n"
        "fault_copy_at:\n"
        "rep movsb\n"
        "xor %eax, %eax\n"
        "ret\n"
        "fault_copy_failed:\n"
        "mov $1, %eax\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size fault_copy_bytes, . - fault_copy_bytes\n"
        ".popsection\n");

extern int fault_copy_bytes(void *to, const void *from, size_t bytes);
extern const char fault_copy_at[], fault_copy_failed[];

static struct fault {
    int signal;
    struct sigaction previous;
} faults[] = { { .signal = SIGSEGV }, { .signal = SIGBUS } };

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static bool is_installed;

static struct fault *fault_find(int number)
{
    for (size_t i = 0; i < FAULTS; i++) {
        if (faults[i].signal == number)
            return &faults[i];
    }
    return NULL;
}

/* A fault that is not ours: what would have happened without us. */
static void fault_pass_on(int number, siginfo_t *info, void *context)
{
    const struct sigaction *previous = &fault_find(number)->previous;

    if (previous->sa_flags & SA_SIGINFO) {
        previous->sa_sigaction(number, info, context);
    } else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
        previous->sa_handler(number);
    } else {
        /* The instruction faults again, and ends the process with a core of that place. */
        sigaction(number, previous, NULL);
        if (info->si_code <= 0)
            raise(number);
    }
}

static void fault_handle(int number, siginfo_t *info, void *context)
{
    greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

    if (*rip == (greg_t)(uintptr_t)fault_copy_at)
        *rip = (greg_t)(uintptr_t)fault_copy_failed;
    else
        fault_pass_on(number, info, context);
}

static void faults_install(void)
{
    struct sigaction action = { .sa_sigaction = fault_handle,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

    is_installed = true;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FAULTS; i++) {
        if (sigaction(faults[i].signal, NULL, &faults[i].previous) < 0 ||
            sigaction(faults[i].signal, &action, NULL) < 0)
            is_installed = false;
    }
}

static bool thread_takes_faults(void)
{
    sigset_t blocked;

    if (pthread_sigmask(SIG_BLOCK, NULL, &blocked) != 0)
        return false;
    for (size_t i = 0; i < FAULTS; i++) {
        if (sigismember(&blocked, faults[i].signal))
            return false;
    }
    return true;
}

bool fault_copy_is_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local enum { UNKNOWN, READY, BLOCKED } thread;

    if (thread == UNKNOWN) {
        pthread_once(&once, faults_install);
        thread = is_installed && thread_takes_faults() ? READY : BLOCKED;
    }
    return thread == READY;
}

bool fault_copy(void *to, const void *from, size_t bytes)
{
    return fault_copy_bytes(to, from, bytes) == 0;
}
