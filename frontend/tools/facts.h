// SPDX-License-Identifier: MIT
/*
 * facts.h: fields of a struct by name, as lines for people and as JSON.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_FACTS_H
#define XENSPLIT_FRONTEND_TOOLS_FACTS_H

#include <stddef.h>
#include <jansson.h>

enum fact_kind { FACT_FLAG, FACT_32, FACT_64, FACT_TEXT, FACT_MAC };

struct fact {
    const char *key; /* in JSON */
    const char *label;
    enum fact_kind kind;
    size_t offset; /* of the field */
};

#define FACTS_OF(table) (sizeof(table) / sizeof((table)[0]))

void facts_print(const struct fact *facts, size_t count, const void *of);
void facts_json(const struct fact *facts, size_t count, const void *of, json_t *into);

#endif
