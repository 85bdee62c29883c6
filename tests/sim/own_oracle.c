/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracles of the ownership world, judged at the instant a write lands on the model's store:
 *   stale    no write of an earlier grant lands once the gate of a later one was opened (data
 *            blocks by their stamp, the ownership record by its generation);
 *   turn     nor one that was asked for before another process had its turn, whatever its grant;
 *   order    no write lands on a block after a newer one of it was acknowledged;
 *   read     what an open owner reads is not older than what was acknowledged;
 *   right    no request was handed to the LUN after the storage lease or the member lease ran out,
 *            nor while the gate was forbidden to open;
 *   forgotten no abandoned write lands after its end was told, unless its owner lost the LUN;
 *   words    no owner tells a reason that is not so.
 */
#include "config.h"

#include "own_world.h"

#include "common/hw_cursor.h"

struct stamp {
    uint32_t tenure;
    uint64_t number;
};

void world_stamp(uint8_t *block, uint32_t tenure, uint64_t number)
{
    struct hw_writer writer = hw_writer_over(block, STO_MODEL_BLOCK_BYTES);

    hw_write_le32(&writer, tenure);
    hw_write_le64(&writer, number);
}

static struct stamp stamp_read(const uint8_t *block)
{
    struct hw_reader reader = hw_reader_over(block, STO_MODEL_BLOCK_BYTES);
    struct stamp stamp;

    stamp.tenure = hw_read_le32(&reader);
    stamp.number = hw_read_le64(&reader);
    return stamp;
}

/* The first generation of the block that this one is of. */
static uint32_t grant_of(uint32_t generation)
{
    return generation - (generation - 1) % STO_GENERATION_BLOCK;
}

static void record_landed(struct world *world, const uint8_t *data)
{
    struct sto_record record;

    if (sto_record_decode(data, &record) == 0 && record.generation != 0 &&
        grant_of(record.generation) < world->opened)
        world_break(world, "stale: record of generation %u landed, grant %u is open",
                    record.generation, world->opened);
}

void world_landed(void *context, int nexus, uint64_t lba, const uint8_t *data, size_t bytes)
{
    struct world *world = context;
    struct stamp stamp;
    uint64_t block, key;
    int holder;

    (void)nexus;
    (void)bytes;
    if (lba < WORLD_META_BLOCKS) {
        if (lba == 0 || lba == STO_RECORD_PAGE_BYTES / STO_MODEL_BLOCK_BYTES)
            record_landed(world, data);
        return;
    }
    block = lba - WORLD_META_BLOCKS;
    stamp = stamp_read(data);
    world->stats.landed++;
    if (world->given_up && !sto_model_holder(world->model, &key, &holder)) {
        /* a released LUN protects nobody's data: doc/ownership.md, Releasing */
        world->acked[block].tenure = stamp.tenure;
        world->acked[block].number = stamp.number;
        return;
    }
    if (stamp.tenure < world->opened)
        world_break(world, "stale: write %llu of grant %u landed on block %llu, grant %u is open",
                    (unsigned long long)stamp.number, stamp.tenure, (unsigned long long)block,
                    world->opened);
    else if (stamp.number <= world->turn)
        world_break(world,
                    "turn: write %llu landed on block %llu, the owner that it waited for was "
                    "followed by another",
                    (unsigned long long)stamp.number, (unsigned long long)block);
    for (unsigned i = 0; i < WORLD_FORGOTTEN; i++)
        if (world->forgotten[block][i] == stamp.number && stamp.number != 0)
            world_break(world, "forgotten: write %llu landed on block %llu after its end was told",
                        (unsigned long long)stamp.number, (unsigned long long)block);
    if (stamp.tenure == world->acked[block].tenure && stamp.number < world->acked[block].number)
        world_break(world, "order: write %llu landed on block %llu after %llu was acknowledged",
                    (unsigned long long)stamp.number, (unsigned long long)block,
                    (unsigned long long)world->acked[block].number);
}

static bool older(const struct stamp *stamp, uint32_t tenure, uint64_t number)
{
    return stamp->tenure < tenure || (stamp->tenure == tenure && stamp->number < number);
}

void world_note_right(struct world_node *node)
{
    struct world_right right = { .from_ns = node->world->now_ns,
                                 .until_ns = INT64_MAX,
                                 .forbidden = node->forbidden };
    const struct world_right *last =
        &node->rights[(node->right_count + WORLD_RIGHTS - 1) % WORLD_RIGHTS];

    if (node->owner == NULL)
        return;
    if (node->world->lease_ms != 0)
        right.until_ns =
            sto_owner_confirmed_ns(node->owner) + (int64_t)node->world->lease_ms * WORLD_MS;
    if (node->deadline_ns < right.until_ns)
        right.until_ns = node->deadline_ns;
    if (node->right_count > 0 && last->until_ns == right.until_ns &&
        last->forbidden == right.forbidden)
        return;
    node->rights[node->right_count++ % WORLD_RIGHTS] = right;
}

/* Was any right that held at the instant of sending good enough? Rights change within an instant,
 * so the one before counts, too. */
static void judge_right(const struct world_node *node, int64_t sent_ns)
{
    unsigned oldest = node->right_count > WORLD_RIGHTS ? node->right_count - WORLD_RIGHTS : 0;

    for (unsigned i = node->right_count; i > oldest; i--) {
        const struct world_right *right = &node->rights[(i - 1) % WORLD_RIGHTS];

        if (right->from_ns > sent_ns)
            continue;
        if (!right->forbidden && sent_ns < right->until_ns)
            return;
        if (right->from_ns < sent_ns) {
            world_break(node->world, "right: n%u sent a request at %.3f %s", node->id,
                        (double)sent_ns / 1e6,
                        right->forbidden ? "while its gate was forbidden" : "after its lease");
            return;
        }
    }
}

/* An abandoned write has ended, and its guest may rely on that it lands no more: but for the end of
 * the ownership that it was asked under. */
static void note_forgotten(const struct world_block *slot)
{
    const struct world_node *node = slot->node;
    unsigned at;

    if (!slot->abandoned || !slot->writes || node->resets || slot->tenure != node->grant ||
        sto_own_state(sto_owner_machine(node->owner)) == STO_OWN_LOST)
        return;
    at = node->world->forgotten_count[slot->block]++ % WORLD_FORGOTTEN;
    node->world->forgotten[slot->block][at] = slot->number;
    node->world->stats.forgotten++;
}

void world_judge_reason(struct world *world, const struct world_node *node,
                        enum sto_own_reason reason)
{
    switch (reason) {
    case STO_OWN_REASON_FOREIGN_KEY:
        if (world->quirks.preempts_wrong) /* a holder that is not registered shows key 0 */
            break;
        /* fall through */
    case STO_OWN_REASON_FOREIGN_RECORD:
    case STO_OWN_REASON_WRONG_VM:
    case STO_OWN_REASON_COPY:
    case STO_OWN_REASON_NO_RECORD:
    case STO_OWN_REASON_BAD_RECORD:
    case STO_OWN_REASON_NEWER_RECORD:
    case STO_OWN_REASON_NO_RESERVATIONS:
    case STO_OWN_REASON_LOGIN_REFUSED:
    case STO_OWN_REASON_BAD_ANSWER:
    case STO_OWN_REASON_REFUSED_BY_TARGET:
    case STO_OWN_REASON_READ_ONLY:
        world_break(world, "words: n%u says \"%s\"", node->id, sto_own_reason_text(reason));
        break;
    default:
        break;
    }
}

void world_request_done(struct sto_request *request)
{
    struct world_block *slot = request->context;
    struct world *world = slot->node->world;
    struct stamp stamp;

    slot->out = false;
    note_forgotten(slot);
    if (request->op.result.sent_ns != 0)
        judge_right(slot->node, request->op.result.sent_ns);
    if (request->op.result.rc != STO_OK)
        return;
    if (slot->writes) {
        world->acked[slot->block].tenure = slot->tenure;
        world->acked[slot->block].number = slot->number;
        return;
    }
    stamp = stamp_read(slot->data);
    if (older(&stamp, slot->tenure, slot->number))
        world_break(world,
                    "read: block %u gave write %llu of grant %u, acknowledged was %llu of %u",
                    slot->block, (unsigned long long)stamp.number, stamp.tenure,
                    (unsigned long long)slot->number, slot->tenure);
}
