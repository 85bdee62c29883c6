/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tests' own reader of saved states, written from doc/saved-state.md alone. */
#include <config.h>

#include "tests/sim/save_reading.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/hw_crc32c.h"

enum { PAGE = 4096, BLOCK = 65536, CHUNK = 1 << 20, RECORD = 256 };

static uint64_t le(const uint8_t *bytes, unsigned count)
{
    uint64_t value = 0;

    for (unsigned i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

typedef void peek_fn(void *context, uint64_t offset, void *bytes, size_t size);

/* A part named by the header, with its hash checked; NULL if it is wrong. */
static uint8_t *take_part(peek_fn *peek, void *context, const struct sto_saved_part *part)
{
    uint8_t *bytes = malloc((size_t)part->length_bytes + 1);

    if (bytes == NULL)
        abort();
    peek(context, part->offset_bytes, bytes, (size_t)part->length_bytes);
    if (XXH3_64bits(bytes, (size_t)part->length_bytes) != part->hash) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static const char *check_block(const uint8_t *record, unsigned i, const uint8_t *memory)
{
    static const uint8_t zeroes[PAGE];
    unsigned bits = (unsigned)le(record + 212 + 2 * i, 2);

    if (record[4 + i] > 1 || (record[4 + i] == 0) != (bits == 0) ||
        le(record + 20 + 4 * i, 4) != (bits == 0 ? 0u : BLOCK))
        return "a block's codec";
    for (unsigned page = 0; page < 16; page++)
        if ((memcmp(memory + page * PAGE, zeroes, PAGE) != 0) != ((bits >> page & 1) != 0))
            return "a block's bitmap";
    if (le(record + 84 + 8 * i, 8) != (bits == 0 ? 0 : XXH3_64bits(memory, BLOCK)))
        return "a block's hash";
    return NULL;
}

static const char *take_delta(peek_fn *peek, void *context, const struct sto_saved *saved,
                              const uint8_t *index, uint64_t slots_offset, uint8_t *memory,
                              uint32_t *ret_pages)
{
    for (uint64_t slot = 0; slot < saved->delta.length_bytes / 16; slot++) {
        uint64_t page = le(index + 16 * slot, 8);

        if (page == UINT64_MAX)
            continue;
        if (page >= saved->memory_bytes / PAGE)
            return "a page of the delta area";
        peek(context, slots_offset + slot * PAGE, memory + page * PAGE, PAGE);
        if (XXH3_64bits(memory + page * PAGE, PAGE) != le(index + 16 * slot + 8, 8))
            return "a hash of the delta area";
        ++*ret_pages;
    }
    return NULL;
}

static const char *take_memory(peek_fn *peek, void *context, const struct sto_saved *saved,
                               const uint8_t *table, const uint8_t *index,
                               struct save_reading *reading)
{
    /* the delta area: a sixteenth of memory or 16 MiB; its index takes whole pages */
    uint64_t area = saved->memory_bytes / 16 > 16 * CHUNK ? saved->memory_bytes / 16 : 16 * CHUNK;
    uint64_t slots = area / (PAGE + 16), room;
    const char *wrong;

    while ((room = (slots * 16 + PAGE - 1) / PAGE * PAGE) + slots * PAGE > area)
        slots--;
    for (uint64_t page = 0; page < saved->memory_bytes / PAGE; page++) {
        const uint8_t *record = table + page / 256 * RECORD;

        if (le(record + 212 + page / 16 % 16 * 2, 2) >> page % 16 & 1)
            peek(context, saved->memory_offset_bytes + page * PAGE, reading->memory + page * PAGE,
                 PAGE);
    }
    wrong = take_delta(peek, context, saved, index, saved->delta.offset_bytes + room,
                       reading->memory, &reading->delta_pages);
    for (uint64_t chunk = 0; wrong == NULL && chunk < saved->memory_bytes / CHUNK; chunk++) {
        const uint8_t *record = table + chunk * RECORD;

        if (le(record, 4) != chunk || le(record + 252, 4) != hw_crc32c(record, 252))
            return "a record";
        for (unsigned i = 0; wrong == NULL && i < 16; i++)
            wrong = check_block(record, i, reading->memory + chunk * CHUNK + i * BLOCK);
    }
    return wrong;
}

const char *save_reading_take(peek_fn *peek, void *context, struct save_reading *ret_reading)
{
    uint8_t slots[2][512], *table, *index;
    const struct sto_saved *saved = &ret_reading->look.saved;
    const char *wrong = NULL;

    memset(ret_reading, 0, sizeof(*ret_reading));
    peek(context, 0, slots[0], 512);
    peek(context, 512 * 1024, slots[1], 512);
    sto_saved_judge(slots[0], slots[1], &ret_reading->look);
    if (ret_reading->look.verdict != STO_SAVED_WAITS)
        return "nothing waits";
    table = take_part(peek, context, &saved->table);
    index = take_part(peek, context, &saved->delta);
    ret_reading->sections = take_part(peek, context, &saved->sections);
    ret_reading->memory = calloc(1, (size_t)saved->memory_bytes);
    if (table == NULL || saved->table.length_bytes != saved->memory_bytes / CHUNK * RECORD)
        wrong = "the table";
    else if (index == NULL)
        wrong = "the index of the delta area";
    else if (ret_reading->sections == NULL)
        wrong = "the sections";
    else
        wrong = take_memory(peek, context, saved, table, index, ret_reading);
    free(table);
    free(index);
    return wrong;
}

void save_reading_free(struct save_reading *reading)
{
    free(reading->memory);
    free(reading->sections);
    memset(reading, 0, sizeof(*reading));
}
