// SPDX-License-Identifier: MIT
/*
 * data_method.c: see data_method.h.
 */
#include <config.h>

#include "backend/data_method.h"

bool data_method_offers(enum data_method_setting setting)
{
    return setting == DATA_METHOD_AUTO || setting == DATA_METHOD_PERSISTENT;
}

enum grant_io_method data_method_choose(const struct data_method_facts *facts, const char **reason)
{
    if (facts->setting == DATA_METHOD_MAP) {
        *reason = "data-method = map";
        return GRANT_IO_MAP;
    }
    if (facts->setting == DATA_METHOD_COPY)
        *reason = "data-method = copy";
    else if (!facts->is_accepted)
        *reason = "the frontend does not offer persistent grants; copy works with every frontend";
    else if (!facts->is_offered)
        *reason = "the daemon that the frontend connected to did not offer persistent grants";
    else {
        *reason = "both ends offer persistent grants";
        return GRANT_IO_PERSISTENT;
    }
    return GRANT_IO_COPY;
}
