// SPDX-License-Identifier: MIT
/*
 * check_call.c: hypercalls and foreign memory, mostly as Debian's libxenctrl makes them: its structures and
 * its expectations are the reference, the libraries below it are the box's.
 */
#define __XEN_TOOLS__ 1
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xen/domctl.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

#include "tests/xenbox/box.h"

#define MANY_DOMAINS 700u /* more than one answer has room for */

struct fixture {
    struct test_box box;
    xc_interface *xc; /* domain 0's */
    uint32_t guest;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    test_box_start(&f->box, NULL);
    test_box_enter(0);
    f->xc = xc_interface_open(NULL, NULL, 0);
    assert_non_null(f->xc);
    f->guest = test_box_create_domain(&f->box);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    xc_interface_close(f->xc);
    test_box_audit(&f->box);
    test_box_stop(&f->box);
    free(f);
    return 0;
}

static const struct xb_domain *tables(struct fixture *f)
{
    return &f->box.tool.tables->domain[f->guest];
}

static xc_dominfo_t guest_info(struct fixture *f)
{
    xc_dominfo_t info;

    assert_int_equal(xc_domain_getinfo(f->xc, f->guest, 1, &info), 1);
    assert_int_equal(info.domid, f->guest);
    return info;
}

/* Neither the guest nor one with a higher domid is there. */
static void assert_gone(struct fixture *f)
{
    xc_dominfo_t info;

    assert_int_equal(xc_domain_getinfo(f->xc, f->guest, 1, &info), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_version_is_the_one_of_the_headers(void **state)
{
    struct fixture *f = *state;
    xen_extraversion_t extra;
    xen_commandline_t line;

    assert_int_equal(xc_version(f->xc, XENVER_version, NULL), XEN_MAJOR << 16 | XEN_MINOR);
    assert_int_equal(xc_version(f->xc, XENVER_pagesize, NULL), 4096);
    assert_int_equal(xc_version(f->xc, XENVER_extraversion, &extra), 0);
    assert_string_equal(extra, ".xenbox");
    assert_int_equal(xc_version(f->xc, XENVER_commandline, &line), 0);
}

static void test_domain_state_is_seen(void **state)
{
    struct fixture *f = *state;
    xc_dominfo_t info = guest_info(f);

    assert_true(info.running && info.hvm);
    assert_false(info.paused || info.dying || info.shutdown);
    assert_memory_equal(info.handle, tables(f)->uuid, sizeof(info.handle));
    assert_int_equal(xc_domain_pause(f->xc, f->guest), 0);
    assert_true(guest_info(f).paused);
    assert_int_equal(xc_domain_unpause(f->xc, f->guest), 0);
    assert_true(guest_info(f).running);
    assert_int_equal(xc_domain_shutdown(f->xc, f->guest, SHUTDOWN_crash), 0);
    info = guest_info(f);
    assert_true(info.crashed); /* instead of shutdown, as libxenctrl has it */
    assert_int_equal(info.shutdown_reason, SHUTDOWN_crash);
    assert_int_equal(xc_domain_destroy(f->xc, f->guest), 0);
    assert_gone(f);
}

static void test_domain_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    xc_dominfo_t info;

    /* a domid that is free means the next one that is not */
    assert_int_equal(xc_domain_destroy(f->xc, f->guest), 0);
    f->guest = test_box_create_domain(&f->box);
    assert_int_equal(xc_domain_getinfo(f->xc, 1, 1, &info), 1);
    assert_int_equal(info.domid, f->guest);
    f->guest++;
    assert_gone(f);
    f->guest--;
    assert_int_equal(xc_domain_pause(f->xc, f->guest + 1), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(xc_domain_destroy(f->xc, 0), -1);
    assert_int_equal(errno, EINVAL);
}

static void test_list_of_domains_comes_in_parts(void **state)
{
    struct fixture *f = *state;
    xc_domaininfo_t *list = calloc(MANY_DOMAINS + 50, sizeof(*list));

    assert_non_null(list);
    for (unsigned int i = 2; i < MANY_DOMAINS; i++)
        test_box_create_domain(&f->box);
    assert_int_equal(xc_domain_getinfolist(f->xc, 0, MANY_DOMAINS + 50, list), MANY_DOMAINS);
    for (unsigned int i = 0; i < MANY_DOMAINS; i++)
        assert_int_equal(list[i].domain, i);
    assert_int_equal(xc_domain_getinfolist(f->xc, 10, 5, list), 5);
    assert_int_equal(list[4].domain, 14);
    assert_int_equal(xc_domain_getinfolist(f->xc, 1, MANY_DOMAINS + 50, list), MANY_DOMAINS - 1);
    free(list);
}

static void test_guest_orders_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t other = test_box_create_domain(&f->box);
    xc_interface *xc;
    xc_physinfo_t physinfo;

    test_box_enter(f->guest);
    xc = xc_interface_open(NULL, NULL, 0);
    test_box_enter(0);
    assert_non_null(xc);
    assert_int_equal(xc_domain_pause(xc, other), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(xc_domain_destroy(xc, other), -1);
    assert_int_equal(xc_physinfo(xc, &physinfo), -1);
    assert_int_equal(xc_domain_shutdown(xc, other, SHUTDOWN_poweroff), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(xc_version(xc, XENVER_pagesize, NULL), 4096);
    xc_interface_close(xc);
    assert_true(guest_info(f).running);
}

static void test_machine_is_described(void **state)
{
    struct fixture *f = *state;
    xc_physinfo_t info = { 0 };
    struct gnttab_query_size size = { .dom = (domid_t)f->guest };
    int sched = -1;
    xen_pfn_t gpfn = 0;
    xc_cputopo_t cpus[256];
    unsigned int count = 256;

    assert_int_equal(xc_physinfo(f->xc, &info), 0);
    assert_int_equal(info.total_pages, XB_MAX_FRAMES);
    assert_int_equal(info.free_pages, XB_MAX_FRAMES - 1 - 2); /* domain 0 has one page, a new guest two */
    assert_int_equal(xc_cputopoinfo(f->xc, &count, cpus), 0);
    assert_int_equal(count, info.nr_cpus);
    assert_int_equal(xc_sched_id(f->xc, &sched), 0);
    assert_int_equal(xc_gnttab_query_size(f->xc, &size), 0);
    assert_int_equal(size.status, GNTST_okay);
    assert_int_equal(size.max_nr_frames, XB_MAX_REFS / 512);
    assert_int_equal(xc_domain_maximum_gpfn(f->xc, f->guest, &gpfn), 0); /* inside a multicall */
    assert_true(gpfn == tables(f)->store_frame || gpfn == tables(f)->console_frame);
}

static void test_params_name_the_rings(void **state)
{
    struct fixture *f = *state;
    uint64_t value;

    assert_int_equal(xc_hvm_param_get(f->xc, f->guest, HVM_PARAM_STORE_PFN, &value), 0);
    assert_int_equal(value, tables(f)->store_frame);
    assert_int_equal(xc_hvm_param_get(f->xc, f->guest, HVM_PARAM_STORE_EVTCHN, &value), 0);
    assert_int_equal(value, tables(f)->store_port);
    assert_int_equal(xc_hvm_param_get(f->xc, f->guest, HVM_PARAM_IOREQ_PFN, &value), -1);
    assert_int_equal(errno, EINVAL);
}

static void test_ports_are_seen_and_made(void **state)
{
    struct fixture *f = *state;
    xc_evtchn_status_t status = { .dom = (domid_t)f->guest, .port = tables(f)->store_port };
    int port;

    assert_int_equal(xc_evtchn_status(f->xc, &status), 0);
    assert_int_equal(status.status, EVTCHNSTAT_unbound);
    assert_int_equal(status.u.unbound.dom, 0);
    port = xc_evtchn_alloc_unbound(f->xc, f->guest, 0);
    assert_true(port > 0);
    status = (xc_evtchn_status_t){ .dom = (domid_t)f->guest, .port = (evtchn_port_t)port };
    assert_int_equal(xc_evtchn_status(f->xc, &status), 0);
    assert_int_equal(status.status, EVTCHNSTAT_unbound);
    status = (xc_evtchn_status_t){ .dom = (domid_t)f->guest, .port = (evtchn_port_t)port + 1 };
    assert_int_equal(xc_evtchn_status(f->xc, &status), 0);
    assert_int_equal(status.status, EVTCHNSTAT_closed);
    status.port = XB_MAX_PORTS;
    assert_int_equal(xc_evtchn_status(f->xc, &status), -1);
    assert_int_equal(errno, EINVAL);
}

static void test_wrong_arguments_are_errors(void **state)
{
    xencall_handle *xcall = xencall_open(NULL, 0);
    struct xen_domctl *domctl = xencall_alloc_buffer(xcall, sizeof(*domctl));

    assert_non_null(domctl);
    assert_int_equal(xencall2(xcall, __HYPERVISOR_xen_version, XENVER_extraversion, 0), -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(xencall1(xcall, __HYPERVISOR_domctl, 0), -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(xencall1(xcall, __HYPERVISOR_kexec_op, 0), -1);
    assert_int_equal(errno, ENOSYS);
    domctl->cmd = XEN_DOMCTL_getdomaininfo;
    domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION - 1;
    assert_int_equal(xencall1(xcall, __HYPERVISOR_domctl, (uintptr_t)domctl), -1);
    assert_int_equal(errno, EACCES);
    domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    assert_int_equal(xencall1(xcall, __HYPERVISOR_domctl, (uintptr_t)domctl), 0);
    xencall_free_buffer(xcall, domctl);
    xencall_close(xcall);
}

static void test_multicall_gives_each_its_result(void **state)
{
    xencall_handle *xcall = xencall_open(NULL, 0);
    multicall_entry_t calls[] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } },
        { .op = __HYPERVISOR_kexec_op },
        { .op = __HYPERVISOR_multicall },
        { .op = __HYPERVISOR_memory_op, .args = { XENMEM_maximum_ram_page } },
    };

    assert_int_equal(xencall2(xcall, __HYPERVISOR_multicall, (uintptr_t)calls, 4), 0);
    assert_int_equal(calls[0].result, 4096);
    assert_int_equal((long)calls[1].result, -ENOSYS);
    assert_int_equal((long)calls[2].result, -EINVAL);
    assert_int_equal(calls[3].result, XB_MAX_FRAMES - 1);
    xencall_close(xcall);
}

static void test_foreign_memory_is_the_guests(void **state)
{
    struct fixture *f = *state;
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t gfns[] = { tables(f)->store_frame, tables(f)->console_frame, tables(f)->store_frame };
    uint8_t *pages = xenforeignmemory_map(fmem, f->guest, PROT_READ | PROT_WRITE, 3, gfns, NULL);

    assert_non_null(pages);
    pages[5] = 0x5a;
    assert_int_equal(pages[2 * XB_FRAME_SIZE + 5], 0x5a);
    assert_int_equal(pages[XB_FRAME_SIZE + 5], 0);
    assert_int_equal(xenforeignmemory_unmap(fmem, pages, 2), -1);
    assert_int_equal(xenforeignmemory_unmap(fmem, pages, 3), 0);
    xenforeignmemory_close(fmem);
}

static void test_foreign_page_that_cannot_be_had(void **state)
{
    struct fixture *f = *state;
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t gfns[] = { tables(f)->store_frame, f->box.tool.tables->domain[0].store_frame, 1ull << 40 };
    int err[3] = { -1, -1, -1 };
    uint8_t *pages;

    assert_null(xenforeignmemory_map(fmem, f->guest, PROT_READ, 3, gfns, NULL));
    assert_int_equal(errno, EINVAL);
    pages = xenforeignmemory_map(fmem, f->guest, PROT_READ, 3, gfns, err);
    assert_non_null(pages);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], EINVAL);
    assert_int_equal(err[2], EINVAL);
    assert_int_equal(pages[0], 0);
    assert_int_equal(xenforeignmemory_unmap(fmem, pages, 3), 0);
    assert_null(xenforeignmemory_map(fmem, f->guest + 1, PROT_READ, 1, gfns, NULL));
    assert_int_equal(errno, ESRCH);
    assert_int_equal(xenforeignmemory_restrict(fmem, (domid_t)(f->guest + 1)), 0);
    assert_null(xenforeignmemory_map(fmem, f->guest, PROT_READ, 1, gfns, NULL));
    assert_int_equal(errno, EPERM);
    xenforeignmemory_close(fmem);
}

static void test_foreign_map_keeps_a_dead_domain_until_unmapped(void **state)
{
    struct fixture *f = *state;
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t gfn = tables(f)->store_frame;
    uint8_t *page = xenforeignmemory_map(fmem, f->guest, PROT_READ | PROT_WRITE, 1, &gfn, NULL);

    assert_non_null(page);
    assert_int_equal(xc_domain_destroy(f->xc, f->guest), 0);
    assert_true(guest_info(f).dying);
    page[0] = 1; /* still a page, and nobody else's */
    assert_int_equal(xenforeignmemory_unmap(fmem, page, 1), 0);
    assert_gone(f);
    xenforeignmemory_close(fmem);
}

/* B43: as many frames as there are, in one call. */
static void test_b43_grant_table_is_mapped_whole(void **state)
{
    struct fixture *f = *state;
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xenforeignmemory_resource_handle *resource;
    void *address = NULL;
    grant_entry_v1_t *entries;
    size_t size;

    assert_int_equal(xenforeignmemory_resource_size(fmem, (domid_t)f->guest, XENMEM_resource_grant_table,
                                                    XENMEM_resource_grant_table_id_shared, &size),
                     0);
    assert_int_equal(size, XB_MAX_REFS * sizeof(grant_entry_v1_t));
    resource = xenforeignmemory_map_resource(fmem, (domid_t)f->guest, XENMEM_resource_grant_table, 0, 0,
                                             size / XB_FRAME_SIZE, &address, PROT_READ | PROT_WRITE, 0);
    assert_non_null(resource);
    entries = address;
    assert_int_equal(entries[XB_REF_STORE].flags & GTF_type_mask, GTF_permit_access);
    assert_int_equal(entries[XB_REF_STORE].frame, tables(f)->store_frame);
    entries[XB_MAX_REFS - 1].domid = 77;
    assert_int_equal(tables(f)->grant[XB_MAX_REFS - 1].domid, 77);
    entries[XB_MAX_REFS - 1].domid = 0;
    assert_int_equal(xenforeignmemory_unmap_resource(fmem, resource), 0);

    /* The last frame by itself. */
    address = NULL;
    resource = xenforeignmemory_map_resource(fmem, (domid_t)f->guest, XENMEM_resource_grant_table, 0,
                                             size / XB_FRAME_SIZE - 1, 1, &address, PROT_READ, 0);
    assert_non_null(resource);
    assert_int_equal(xenforeignmemory_unmap_resource(fmem, resource), 0);
    xenforeignmemory_close(fmem);
}

static void assert_no_resource(xenforeignmemory_handle *fmem, uint32_t domid, unsigned type, unsigned id,
                               unsigned long frame, unsigned long frames, int error)
{
    void *address = NULL;

    assert_null(
        xenforeignmemory_map_resource(fmem, (domid_t)domid, type, id, frame, frames, &address, PROT_READ, 0));
    assert_int_equal(errno, error);
}

static void test_resources_that_are_not_there(void **state)
{
    struct fixture *f = *state;
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0), *guest;
    const unsigned table = XENMEM_resource_grant_table, frames = XB_MAX_REFS / 512;
    size_t size;

    assert_no_resource(fmem, f->guest, XENMEM_resource_ioreq_server, 0, 0, 1, EOPNOTSUPP);
    assert_no_resource(fmem, f->guest, table, XENMEM_resource_grant_table_id_status, 0, 1, EINVAL);
    assert_no_resource(fmem, f->guest, table, 0, 0, 0, EINVAL);
    assert_no_resource(fmem, f->guest, table, 0, 0, frames + 1, EINVAL);
    assert_no_resource(fmem, f->guest, table, 0, frames, 1, EINVAL);
    assert_no_resource(fmem, f->guest, table, 0, 1, (unsigned long)-1, EINVAL);
    assert_no_resource(fmem, f->guest + 1, table, 0, 0, 1, ESRCH);
    assert_int_equal(xenforeignmemory_resource_size(fmem, (domid_t)f->guest, table, 1, &size), -1);
    assert_int_equal(errno, EINVAL);
    test_box_enter(f->guest);
    guest = xenforeignmemory_open(NULL, 0);
    test_box_enter(0);
    assert_no_resource(guest, 0, table, 0, 0, 1, EPERM);
    xenforeignmemory_close(guest);
    xenforeignmemory_close(fmem);
}

static void test_reset_closes_all_ports(void **state)
{
    struct fixture *f = *state;
    xc_evtchn_status_t status = { .dom = (domid_t)f->guest };
    int port = xc_evtchn_alloc_unbound(f->xc, f->guest, 0);

    assert_true(port > 0);
    assert_int_equal(xc_evtchn_reset(f->xc, (int)f->guest), 0);
    status.port = (evtchn_port_t)port;
    assert_int_equal(xc_evtchn_status(f->xc, &status), 0);
    assert_int_equal(status.status, EVTCHNSTAT_closed);
    assert_int_equal(xc_evtchn_reset(f->xc, (int)f->guest + 1), -1);
    assert_int_equal(errno, ESRCH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_version_is_the_one_of_the_headers),
        TEST(test_domain_state_is_seen),
        TEST(test_domain_that_is_not_there),
        TEST(test_list_of_domains_comes_in_parts),
        TEST(test_guest_orders_nothing),
        TEST(test_machine_is_described),
        TEST(test_params_name_the_rings),
        TEST(test_ports_are_seen_and_made),
        TEST(test_wrong_arguments_are_errors),
        TEST(test_multicall_gives_each_its_result),
        TEST(test_foreign_memory_is_the_guests),
        TEST(test_foreign_page_that_cannot_be_had),
        TEST(test_foreign_map_keeps_a_dead_domain_until_unmapped),
        TEST(test_b43_grant_table_is_mapped_whole),
        TEST(test_resources_that_are_not_there),
        TEST(test_reset_closes_all_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
