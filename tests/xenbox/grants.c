// SPDX-License-Identifier: MIT
/* grants.c: see grants.h. */
#include <config.h>

#include <stdlib.h>

#include "tests/xenbox/grants.h"

int grants_setup(void **state, const char *option)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    *state = f;
    test_box_start(&f->box, option);
    f->guest = test_box_create_domain(&f->box);
    test_box_enter(f->guest);
    f->shr = xengntshr_open(NULL, 0);
    test_box_enter(0);
    f->tab = xengnttab_open(NULL, 0);
    assert_non_null(f->shr);
    assert_non_null(f->tab);
    audit_count(f->box.tool.tables, &f->before);
    return 0;
}

int grants_teardown(void **state)
{
    struct fixture *f = *state;

    test_box_audit(&f->box);
    xengnttab_close(f->tab);
    xengntshr_close(f->shr);
    test_box_stop(&f->box);
    free(f);
    return 0;
}

void assert_nothing_left(struct fixture *f)
{
    struct audit_counts now;

    audit_count(f->box.tool.tables, &now);
    assert_int_equal(now.maps, f->before.maps);
    assert_int_equal(now.grants, f->before.grants);
    assert_int_equal(now.frames, f->before.frames);
    assert_int_equal(now.ports, f->before.ports);
}

struct xb_active *active_of(struct fixture *f, uint32_t ref)
{
    return &f->box.tool.tables->domain[f->guest].active[ref];
}

uint16_t flags_of(struct fixture *f, uint32_t ref)
{
    return f->box.tool.tables->domain[f->guest].grant[ref].flags;
}
