// SPDX-License-Identifier: MIT
/*
 * facts.c: see facts.h.
 */
#include <config.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "frontend/tools/facts.h"

static uint64_t fact_number(const struct fact *fact, const void *field)
{
    return fact->kind == FACT_64 ? *(const uint64_t *)field : *(const uint32_t *)field;
}

static const char *mac_print(char *text, size_t size, const uint8_t *mac)
{
    snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    return text;
}

static json_t *fact_json(const struct fact *fact, const void *field)
{
    char text[20];

    switch (fact->kind) {
    case FACT_TEXT:
        return json_string(field);
    case FACT_MAC:
        return json_string(mac_print(text, sizeof(text), field));
    case FACT_FLAG:
        return json_boolean(*(const bool *)field);
    default:
        return json_integer((json_int_t)fact_number(fact, field));
    }
}

static void fact_print(const struct fact *fact, const void *field)
{
    char text[20];

    printf("  %-22s ", fact->label);
    switch (fact->kind) {
    case FACT_TEXT:
        printf("%s\n", (const char *)field);
        break;
    case FACT_MAC:
        printf("%s\n", mac_print(text, sizeof(text), field));
        break;
    case FACT_FLAG:
        printf("%s\n", *(const bool *)field ? "yes" : "no");
        break;
    default:
        printf("%" PRIu64 "\n", fact_number(fact, field));
    }
}

void facts_print(const struct fact *facts, size_t count, const void *of)
{
    for (size_t i = 0; i < count; i++)
        fact_print(&facts[i], (const char *)of + facts[i].offset);
}

void facts_json(const struct fact *facts, size_t count, const void *of, json_t *into)
{
    for (size_t i = 0; i < count; i++)
        json_object_set_new(into, facts[i].key, fact_json(&facts[i], (const char *)of + facts[i].offset));
}
