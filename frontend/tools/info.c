// SPDX-License-Identifier: MIT
/*
 * info.c: `xenfront blk info`: what the backend says about the disk.
 */
#include <config.h>

#include <stddef.h>
#include <stdio.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/facts.h"

#define AT(field) offsetof(struct xenfront_blk_info, field)

static const struct fact facts[] = {
    { "backend", "backend", FACT_TEXT, AT(backend_path) },
    { "backend_domid", "backend's domain", FACT_32, AT(backend_domid) },
    { "size_bytes", "size in bytes", FACT_64, AT(size_bytes) },
    { "sectors", "sectors of 512 bytes", FACT_64, AT(sectors) },
    { "sector_size", "logical sector", FACT_32, AT(sector_size) },
    { "physical_sector_size", "physical sector", FACT_32, AT(physical_sector_size) },
    { "readonly", "read-only", FACT_FLAG, AT(is_readonly) },
    { "cdrom", "CD-ROM", FACT_FLAG, AT(is_cdrom) },
    { "removable", "removable", FACT_FLAG, AT(is_removable) },
    { "flush", "flush", FACT_FLAG, AT(has_flush) },
    { "barrier", "barrier offered", FACT_FLAG, AT(has_barrier) },
    { "discard", "discard", FACT_FLAG, AT(has_discard) },
    { "discard_granularity", "discard granularity", FACT_32, AT(discard_granularity) },
    { "discard_alignment", "discard alignment", FACT_32, AT(discard_alignment) },
    { "persistent", "persistent grants", FACT_FLAG, AT(is_persistent) },
    { "max_indirect_segments", "indirect segments", FACT_32, AT(max_indirect_segments) },
    { "max_ring_page_order", "largest ring order", FACT_32, AT(max_ring_page_order) },
    { "max_queues", "queues offered", FACT_32, AT(max_queues) },
    { "ring_slots", "ring slots", FACT_32, AT(ring_slots) },
    { "data_pages", "granted data pages", FACT_32, AT(data_pages) },
};

int command_info(struct session *session)
{
    char name[32];
    json_t *result;

    xenfront_vdev_name(session->info.devid, name, sizeof(name));
    if (!session->settings->is_json) {
        printf("%s\n", xenfront_blk_name(session->blk));
        facts_print(facts, FACTS_OF(facts), &session->info);
        printf("  %-22s %.2f ms\n", "connected in", session->connect_s * 1e3);
        return TOOL_OK;
    }
    result = json_pack("{s:s, s:I}", "device", name, "devid", (json_int_t)session->info.devid);
    facts_json(facts, FACTS_OF(facts), &session->info, result);
    json_object_set_new(result, "connect_ms", json_real(session->connect_s * 1e3));
    print_json(result);
    return TOOL_OK;
}
