/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header slots of a saved state: codec and judgement. Errs to the careful side: what might be a
 * state that waits keeps the disk shut, what might be damaged is never restored.
 */
#include "config.h"

#include "storage/sto_saved.h"

#include <errno.h>
#include <string.h>

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"

static const char magic[8] = { 'H', 'W', 'S', 'R', 'S', 'A', 'V', 'E' };

enum { CRC_AT = STO_SAVED_BYTES - 4 };

const char *sto_saved_state_name(enum sto_saved_state state)
{
    switch (state) {
    case STO_SAVED_EMPTY:
        return "empty";
    case STO_SAVED_WRITING:
        return "writing";
    case STO_SAVED_COMMITTED:
        return "committed";
    case STO_SAVED_CLAIMED:
        return "claimed";
    case STO_SAVED_CONSUMED:
        return "consumed";
    }
    return "?";
}

const char *sto_saved_verdict_name(enum sto_saved_verdict verdict)
{
    switch (verdict) {
    case STO_SAVED_CLEAN:
        return "clean";
    case STO_SAVED_WAITS:
        return "waits";
    case STO_SAVED_UNSETTLED:
        return "unsettled";
    case STO_SAVED_FOREIGN:
        return "foreign";
    }
    return "?";
}

static void write_part(struct hw_writer *writer, const struct sto_saved_part *part)
{
    hw_write_le64(writer, part->offset_bytes);
    hw_write_le64(writer, part->length_bytes);
    hw_write_le64(writer, part->hash);
}

static void read_part(struct hw_reader *reader, struct sto_saved_part *part)
{
    part->offset_bytes = hw_read_le64(reader);
    part->length_bytes = hw_read_le64(reader);
    part->hash = hw_read_le64(reader);
}

void sto_saved_encode(const struct sto_saved *saved, uint8_t sector[STO_SAVED_BYTES])
{
    struct hw_writer writer = hw_writer_over(sector, STO_SAVED_BYTES);

    memset(sector, 0, STO_SAVED_BYTES);
    hw_write_bytes(&writer, magic, sizeof(magic));
    hw_write_le16(&writer, STO_SAVED_MAJOR);
    hw_write_le16(&writer, STO_SAVED_MINOR);
    hw_write_le32(&writer, (uint32_t)saved->state);
    hw_write_bytes(&writer, saved->vm_uuid, sizeof(saved->vm_uuid));
    hw_write_le64(&writer, saved->generation);
    hw_write_le16(&writer, saved->node);
    hw_write_zeroes(&writer, 2);
    hw_write_le32(&writer, saved->owner_generation);
    hw_write_le64(&writer, saved->memory_bytes);
    hw_write_le32(&writer, saved->cpus);
    hw_write_zeroes(&writer, 4);
    write_part(&writer, &saved->sections);
    write_part(&writer, &saved->table);
    write_part(&writer, &saved->delta);
    hw_write_le64(&writer, saved->memory_offset_bytes);
    hw_write_bytes(&writer, saved->digest, sizeof(saved->digest));
    hw_write_le64(&writer, saved->saved_s);
    hw_write_zeroes(&writer, CRC_AT - writer.at);
    hw_write_le32(&writer, hw_crc32c(sector, CRC_AT));
}

static bool is_zero(const uint8_t sector[STO_SAVED_BYTES])
{
    for (unsigned i = 0; i < STO_SAVED_BYTES; i++)
        if (sector[i] != 0)
            return false;
    return true;
}

static bool known_state(uint32_t number)
{
    return number >= STO_SAVED_EMPTY && number <= STO_SAVED_CONSUMED;
}

int sto_saved_decode(const uint8_t sector[STO_SAVED_BYTES], struct sto_saved *ret_saved)
{
    struct hw_reader reader = hw_reader_over(sector, STO_SAVED_BYTES);
    struct sto_saved saved = { 0 };
    char found[sizeof(magic)];
    uint16_t major;
    uint32_t state;

    if (is_zero(sector))
        return -ENOENT;
    hw_read_bytes(&reader, found, sizeof(found));
    hw_read_seek(&reader, CRC_AT);
    if (memcmp(found, magic, sizeof(magic)) != 0 ||
        hw_read_le32(&reader) != hw_crc32c(sector, CRC_AT))
        return -EBADMSG;
    hw_read_seek(&reader, sizeof(magic));
    major = hw_read_le16(&reader);
    saved.minor = hw_read_le16(&reader);
    if (major != STO_SAVED_MAJOR)
        return -EPROTONOSUPPORT;
    state = hw_read_le32(&reader);
    hw_read_bytes(&reader, saved.vm_uuid, sizeof(saved.vm_uuid));
    saved.generation = hw_read_le64(&reader);
    saved.node = hw_read_le16(&reader);
    hw_read_skip(&reader, 2);
    saved.owner_generation = hw_read_le32(&reader);
    saved.memory_bytes = hw_read_le64(&reader);
    saved.cpus = hw_read_le32(&reader);
    hw_read_skip(&reader, 4);
    read_part(&reader, &saved.sections);
    read_part(&reader, &saved.table);
    read_part(&reader, &saved.delta);
    saved.memory_offset_bytes = hw_read_le64(&reader);
    hw_read_bytes(&reader, saved.digest, sizeof(saved.digest));
    saved.saved_s = hw_read_le64(&reader);
    if (!known_state(state) || saved.generation == 0)
        return -EBADMSG;
    saved.state = (enum sto_saved_state)state;
    *ret_saved = saved;
    return 0;
}

/* A state that could be restored if this header were the newest. */
static bool may_wait(enum sto_saved_state state)
{
    return state == STO_SAVED_COMMITTED || state == STO_SAVED_CLAIMED;
}

static bool is_settled(enum sto_saved_state state)
{
    return state == STO_SAVED_CONSUMED || state == STO_SAVED_EMPTY;
}

void sto_saved_judge(const uint8_t slot_a[STO_SAVED_BYTES], const uint8_t slot_b[STO_SAVED_BYTES],
                     struct sto_saved_look *ret_look)
{
    const uint8_t *const sectors[STO_SAVED_SLOTS] = { slot_a, slot_b };
    struct sto_saved found[STO_SAVED_SLOTS];
    struct sto_saved_look look = { 0 };
    bool foreign = false, settled = true, damaged = false, revivable = false;
    int rc[STO_SAVED_SLOTS];

    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++) {
        rc[i] = sto_saved_decode(sectors[i], &found[i]);
#ifdef STO_MUTATE_DAMAGED_EMPTY /* only ever in test binaries */
        rc[i] = rc[i] == -EBADMSG ? -ENOENT : rc[i];
#endif
        look.damaged[i] = rc[i] == -EBADMSG;
        damaged = damaged || look.damaged[i];
        foreign = foreign || rc[i] == -EPROTONOSUPPORT;
        settled = settled && (rc[i] == -ENOENT || (rc[i] == 0 && is_settled(found[i].state)));
        revivable = revivable || (rc[i] == 0 && may_wait(found[i].state));
        if (rc[i] == 0 && (!look.known || found[i].generation > look.saved.generation)) {
            look.known = true;
            look.saved = found[i];
            look.slot = i;
        }
    }
    /* two headers of one generation: somebody wrote who had not seen the other */
    if (rc[0] == 0 && rc[1] == 0 && found[0].generation == found[1].generation)
        damaged = look.damaged[0] = look.damaged[1] = true;
    if (foreign)
        look.verdict = STO_SAVED_FOREIGN;
    else if (!damaged && look.known && may_wait(look.saved.state))
        look.verdict = STO_SAVED_WAITS;
    else
        look.verdict = settled && !damaged ? STO_SAVED_CLEAN : STO_SAVED_UNSETTLED;
    look.saving = look.verdict == STO_SAVED_UNSETTLED && !damaged && !revivable;
    *ret_look = look;
}

struct sto_saved sto_saved_next(const struct sto_saved_look *look, enum sto_saved_state state,
                                unsigned *ret_slot)
{
    struct sto_saved next = { 0 };

    if (look->known)
        next = look->saved;
    next.minor = STO_SAVED_MINOR;
    next.state = state;
    next.generation++;
    *ret_slot = look->known ? (look->slot + 1) % STO_SAVED_SLOTS : 0;
    return next;
}
