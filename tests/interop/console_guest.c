// SPDX-License-Identifier: MIT
/*
 * console_guest.c: the console driver of a guest's kernel, on the public interfaces: finds its ring by the domain's
 * parameters and prints them ("FRAME PORT"), says the text in its arguments on the console, and then answers each line
 * that comes with "got LINE", until "quit".
 */
#include <config.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <xenctrl.h>
#include <xencall.h>
#include <xenforeignmemory.h>
#include <xen/event_channel.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>

static struct {
    volatile struct xencons_interface *ring;
    xencall_handle *calls;
    evtchn_port_t port;
} console;

static void wait_a_moment(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void notify(void)
{
    struct evtchn_send *send = xencall_alloc_buffer(console.calls, sizeof(*send));

    send->port = console.port;
    if (xencall2(console.calls, __HYPERVISOR_event_channel_op, EVTCHNOP_send, (uintptr_t)send) < 0)
        perror("EVTCHNOP_send");
    xencall_free_buffer(console.calls, send);
}

static void say(const char *text)
{
    for (; *text; text++) {
        XENCONS_RING_IDX prod = console.ring->out_prod;

        while (prod - console.ring->out_cons >= sizeof(console.ring->out))
            wait_a_moment();
        console.ring->out[MASK_XENCONS_IDX(prod, console.ring->out)] = *text;
        __sync_synchronize();
        console.ring->out_prod = prod + 1;
    }
    notify();
}

static void hear(char *line, size_t size)
{
    size_t length = 0;

    for (;;) {
        XENCONS_RING_IDX cons = console.ring->in_cons;
        char c;

        if (cons == console.ring->in_prod) {
            wait_a_moment();
            continue;
        }
        __sync_synchronize();
        c = console.ring->in[MASK_XENCONS_IDX(cons, console.ring->in)];
        console.ring->in_cons = cons + 1;
        if (c == '\n' || c == '\r')
            break;
        if (length + 1 < size)
            line[length++] = c;
    }
    line[length] = '\0';
    notify();
}

static int console_open(uint32_t domid)
{
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    uint64_t frame = 0, port = 0;
    xen_pfn_t gfn;

    console.calls = xencall_open(NULL, 0);
    if (!xc || !memory || !console.calls || xc_hvm_param_get(xc, domid, HVM_PARAM_CONSOLE_PFN, &frame) < 0 ||
        xc_hvm_param_get(xc, domid, HVM_PARAM_CONSOLE_EVTCHN, &port) < 0)
        return -1;
    printf("%llu %llu\n", (unsigned long long)frame, (unsigned long long)port);
    fflush(stdout);
    gfn = frame;
    console.port = (evtchn_port_t)port;
    console.ring = xenforeignmemory_map(memory, domid, PROT_READ | PROT_WRITE, 1, &gfn, NULL);
    return console.ring ? 0 : -1;
}

int main(int argc, char **argv)
{
    char line[128], answer[160];

    if (argc != 3) {
        fprintf(stderr, "usage: console_guest OWN-DOMID TEXT\n");
        return 2;
    }
    if (console_open((uint32_t)atoi(argv[1])) < 0) {
        perror("cannot open the console");
        return EXIT_FAILURE;
    }
    say(argv[2]);
    say("\r\n");
    do {
        hear(line, sizeof(line));
        snprintf(answer, sizeof(answer), "got %s\r\n", line);
        say(answer);
    } while (strcmp(line, "quit") != 0);
    return EXIT_SUCCESS;
}
