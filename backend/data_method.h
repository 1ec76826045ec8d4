// SPDX-License-Identifier: MIT
/*
 * data_method.h: which way the data of a device goes (grant_io.h), and why: the setting, what both ends offer, and
 * what this host was found to do right. Pure.
 */
#ifndef XENSPLIT_BACKEND_DATA_METHOD_H
#define XENSPLIT_BACKEND_DATA_METHOD_H

#include <stdbool.h>

#include "backend/config.h"
#include "backend/grant_io.h"

struct data_method_facts {
    enum data_method_setting setting;
    bool is_offered; /* feature-persistent, by the backend, when the frontend looked */
    bool is_accepted; /* feature-persistent, by the frontend */
};

/* Is feature-persistent to be offered? */
bool data_method_offers(enum data_method_setting setting);
/* *reason: a literal. */
enum grant_io_method data_method_choose(const struct data_method_facts *facts, const char **reason);

#endif
