// SPDX-License-Identifier: MIT
/*
 * info.c: `xenfront blk info`: what the backend says about the disk.
 */
#include <config.h>

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "frontend/tools/commands.h"

enum fact_kind { FACT_FLAG, FACT_32, FACT_64, FACT_TEXT };

#define AT(field) offsetof(struct xenfront_blk_info, field)

static const struct fact {
    const char *key; /* in JSON */
    const char *label;
    enum fact_kind kind;
    size_t offset;
} facts[] = {
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
    { "discard", "discard offered", FACT_FLAG, AT(has_discard) },
    { "persistent", "persistent grants", FACT_FLAG, AT(is_persistent) },
    { "max_indirect_segments", "indirect segments", FACT_32, AT(max_indirect_segments) },
    { "max_ring_page_order", "largest ring order", FACT_32, AT(max_ring_page_order) },
    { "max_queues", "queues offered", FACT_32, AT(max_queues) },
    { "ring_slots", "ring slots", FACT_32, AT(ring_slots) },
    { "data_pages", "granted data pages", FACT_32, AT(data_pages) },
};

#define FACTS (sizeof(facts) / sizeof(facts[0]))

static uint64_t fact_number(const struct fact *fact, const struct xenfront_blk_info *info)
{
    const char *field = (const char *)info + fact->offset;

    return fact->kind == FACT_64 ? *(const uint64_t *)field : *(const uint32_t *)field;
}

static json_t *fact_json(const struct fact *fact, const struct xenfront_blk_info *info)
{
    const char *field = (const char *)info + fact->offset;

    if (fact->kind == FACT_TEXT)
        return json_string(field);
    if (fact->kind == FACT_FLAG)
        return json_boolean(*(const bool *)field);
    return json_integer((json_int_t)fact_number(fact, info));
}

static void fact_print(const struct fact *fact, const struct xenfront_blk_info *info)
{
    const char *field = (const char *)info + fact->offset;

    printf("  %-22s ", fact->label);
    if (fact->kind == FACT_TEXT)
        printf("%s\n", field);
    else if (fact->kind == FACT_FLAG)
        printf("%s\n", *(const bool *)field ? "yes" : "no");
    else
        printf("%" PRIu64 "\n", fact_number(fact, info));
}

int command_info(struct session *session)
{
    char name[32];
    json_t *result;

    xenfront_vdev_name(session->info.devid, name, sizeof(name));
    if (!session->settings->is_json) {
        printf("%s\n", xenfront_blk_name(session->blk));
        for (size_t i = 0; i < FACTS; i++)
            fact_print(&facts[i], &session->info);
        printf("  %-22s %.2f ms\n", "connected in", session->connect_s * 1e3);
        return TOOL_OK;
    }
    result = json_pack("{s:s, s:I}", "device", name, "devid", (json_int_t)session->info.devid);
    for (size_t i = 0; i < FACTS; i++)
        json_object_set_new(result, facts[i].key, fact_json(&facts[i], &session->info));
    json_object_set_new(result, "connect_ms", json_real(session->connect_s * 1e3));
    session_print_json(result);
    return TOOL_OK;
}
