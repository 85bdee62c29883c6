/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the model target: sto_model.c (queue, data), sto_model_pr.c (reservations) and
 * sto_model_inquiry.c (what it says of itself). */
#ifndef STO_MODEL_PRIV_H
#define STO_MODEL_PRIV_H

#include "storage/sto_model.h"
#include "storage/sto_pr.h"

enum { MODEL_REGISTRATIONS = 128 };

struct model_session {
    bool up;
    int serial; /* tells this session from earlier ones of the slot */
    uint64_t port;
    uint64_t identity; /* what a registration is tied to */
    unsigned attention_count;
    uint16_t attentions[STO_MODEL_ATTENTIONS];
};

struct model_registration {
    uint64_t identity;
    uint64_t key;
};

struct model_pending {
    struct model_pending *next;
    struct sto_model_command *command; /* NULL: nobody waits for the answer any more */
    int nexus;
    uint64_t identity;
    int64_t due_ns;
    bool judged;    /* the reply was decided on arrival */
    bool disturbed; /* executed, but answered with `reply` as decided on arrival */
    bool resets;
    uint8_t cdb[16];
    uint8_t *data;
    size_t data_bytes;
    struct sto_model_reply reply;
};

struct sto_model {
    struct sto_model_config config;
    uint8_t *store;
    uint64_t incarnations;
    struct model_session sessions[STO_MODEL_NEXUSES];
    struct model_pending *pending; /* by due time */
    unsigned registration_count;
    struct model_registration registrations[MODEL_REGISTRATIONS];
    bool held;
    uint64_t holder; /* identity */
    uint8_t type;
    uint32_t generation; /* PRGENERATION */
    bool aptpl;
};

int model_nexus(const struct sto_model *model, int slot);
void model_check_condition(struct sto_model_reply *reply, uint8_t key, uint16_t asc_ascq);
void model_attention_identity(struct sto_model *model, uint64_t identity, uint16_t asc_ascq);
bool model_pr_allows(const struct sto_model *model, uint64_t identity, uint8_t opcode);
void model_pr_out(struct sto_model *model, struct model_pending *pending,
                  struct sto_model_reply *reply);
void model_pr_in(struct sto_model *model, struct model_pending *pending,
                 struct sto_model_reply *reply);
/* INQUIRY and READ CAPACITY(16); false for any other command. */
bool model_describe(const struct sto_model *model, struct model_pending *pending,
                    struct sto_model_reply *reply);
void model_pr_power_cycle(struct sto_model *model);

#endif
