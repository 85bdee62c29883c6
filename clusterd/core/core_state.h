/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The replicated state: what every member holds after the same committed entries. Plain data: who
 * may change what, and when, is decided elsewhere (the log, orders, recovery). Configuration and
 * what became of it stand side by side in each object.
 *
 * Objects are found by name; every list of objects is sorted by name, so that equal states have
 * equal encodings. Strings (char *) are owned by the object and never NULL after core_*_add() or a
 * decode: "" where nothing is said. Sizes in MB are MiB. There is no time of day here: durations
 * only, and times in the history are for reading.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_words.h"
#include "common/hw_vector.h"

enum {
    CORE_NAME_BYTES = 64, /* a name and its end; letters, digits, . _ : - */
    CORE_UUID_BYTES = 16,
    CORE_TEXT_MAX = 4096,           /* longest string of one field, without its end */
    CORE_LIST_MAX = 65536,          /* most items of one list */
    CORE_NODE_ID_MAX = 65535,       /* 16 bits of the reservation key */
    CORE_GENERATION_MAX = 0xffffff, /* 24 bits of the key; never wrapped: refused at the limit */
    CORE_GENERATION_BLOCK = 16,     /* generations that one grant commits */
};

struct core_name {
    char text[CORE_NAME_BYTES];
};
typedef HW_VECTOR(struct core_name) core_names;

struct core_pair { /* a parameter: a fence agent's, a property of the cluster */
    char name[CORE_NAME_BYTES];
    char *value;
};
typedef HW_VECTOR(struct core_pair) core_pairs;

struct core_score {
    char node[CORE_NAME_BYTES];
    int32_t score;
};
typedef HW_VECTOR(struct core_score) core_scores;

/* (node, generation) that may still execute: a committed grant adds it, only a committed proof
 * removes it (timing.md, Executors and generations). */
struct core_executor {
    uint32_t node_id;
    uint32_t generation; /* first of the granted block of CORE_GENERATION_BLOCK */
    uint64_t granted;    /* index of the grant's entry */
    uint64_t revoked;    /* index of the REVOKE; 0: none */
    uint32_t deadman_ms; /* longest T_deadman in force while it could be fed */
    uint32_t store_ms;   /* longest T_store likewise */
    uint32_t lease;      /* enum core_lease that it was granted under: which one freezes it */
};
typedef HW_VECTOR(struct core_executor) core_executors;

struct core_failure {
    char node[CORE_NAME_BYTES];
    uint32_t count; /* failures in a row of this VM there; a stable time clears them */
};
typedef HW_VECTOR(struct core_failure) core_failures;

struct core_cluster {
    char name[CORE_NAME_BYTES];
    uint8_t uuid[CORE_UUID_BYTES];
    uint64_t revision;             /* of the configuration: number of the last transaction */
    uint32_t lease;                /* enum core_lease */
    uint32_t losses;               /* node losses that capacity must survive */
    uint32_t failback;             /* enum core_choice; DEFAULT is on */
    char witness[CORE_NAME_BYTES]; /* LUN that is a voter; "" without */
    uint32_t witness_node;         /* id of who holds its reservation; 0: nobody */
    uint32_t deadman_ms;           /* T_deadman in force */
    uint32_t store_ms;             /* T_store in force */
    uint32_t parallel;             /* starts at a time; 0: the default */
    core_pairs properties;         /* what has no field of its own; sorted by name */
};

struct core_node {
    char name[CORE_NAME_BYTES];
    uint8_t uuid[CORE_UUID_BYTES];
    uint32_t id;   /* 1 to CORE_NODE_ID_MAX, never reused */
    char *address; /* as in the configuration: "10.77.0.1,10.78.0.1" */
    uint32_t votes;
    uint64_t memory_mb;
    uint32_t cpus;
    uint32_t mode;           /* enum core_node_mode */
    uint64_t maintenance_ms; /* length of the maintenance; 0: until the admin ends it */
    uint32_t state;          /* enum core_node_state */
    uint32_t deadman_ms;     /* longer T_deadman of a planned restart; 0: the cluster's */
    uint64_t fence_order;    /* index of the entry that ordered the fencing; 0: none under way */
    uint64_t incarnation;    /* of the clusterd that was adopted last */
    uint8_t boot_id[CORE_UUID_BYTES];
    uint64_t revoked;   /* index of the last entry that took something from it: for good, what it
                         * sends before it has applied that is not acknowledged */
    uint64_t requester; /* incarnation of its clusterd whose request was applied last */
    uint64_t request;   /* number of that request */
};

struct core_vm {
    /* configuration */
    char name[CORE_NAME_BYTES];
    uint8_t uuid[CORE_UUID_BYTES];
    uint32_t number;  /* of its user id; never reused */
    core_names disks; /* LUNs in the admin's order; the first leads */
    uint64_t memory_mb;
    uint64_t max_memory_mb; /* 0: memory_mb */
    uint32_t cpus;
    uint32_t wanted;   /* enum core_vm_want */
    int32_t priority;  /* greater comes first */
    uint32_t on_drain; /* enum core_on_drain */
    uint32_t restarts; /* local failures before another node is tried */
    uint32_t failback; /* enum core_choice */
    char *firmware;
    char *kernel;
    char *initrd;
    char *append;
    char *net;
    /* what became of it */
    uint32_t phase;               /* enum core_vm_phase */
    char node[CORE_NAME_BYTES];   /* where it is, or is being started; "" if nowhere */
    char target[CORE_NAME_BYTES]; /* of a move under way; "" without */
    char home[CORE_NAME_BYTES];   /* where it goes back to; "" without */
    uint32_t via;                 /* enum core_via, of the move under way */
    uint32_t generation;          /* first of the block granted last; 0: never granted */
    core_executors executors;     /* sorted by node_id, then generation */
    core_failures failures;       /* sorted by node */
    uint32_t saved;               /* enum core_saved */
    char *waiting;                /* for what, in words; "" if for nothing */
    uint64_t move_count;
    uint64_t restart_count;
    uint64_t moved; /* index of the order of the last move */
};

struct core_lun {
    char name[CORE_NAME_BYTES];
    char *url;
    char *secret_file;
    char *wwid;
    uint64_t max_memory_mb;
    uint32_t owner;        /* node id; 0: nobody */
    uint32_t generation;   /* greatest seen in a key or record, or granted */
    uint64_t expected_key; /* that its reservation should carry; 0: none */
};

struct core_rule {
    char name[CORE_NAME_BYTES]; /* unique; the parser makes one up where the admin gave none */
    uint32_t kind;              /* enum core_rule_kind */
    uint32_t strict;            /* 0 or 1 */
    core_names vms;             /* as written: for ORDER the sequence */
    core_scores nodes;          /* PREFER, AVOID: sorted by node */
};

struct core_fence {
    char name[CORE_NAME_BYTES];
    char *agent;
    uint32_t level;        /* from 1; all of a level are off at once */
    core_names nodes;      /* sorted */
    core_pairs parameters; /* sorted by name */
};

struct core_transaction {
    uint64_t number;
    char *who;
    uint64_t when_s; /* UNIX time at the member that proposed it; for reading only */
    char *change;    /* the words that did it */
    char *undo;      /* the words that take it back */
};

typedef HW_VECTOR(struct core_node) core_nodes;
typedef HW_VECTOR(struct core_vm) core_vms;
typedef HW_VECTOR(struct core_lun) core_luns;
typedef HW_VECTOR(struct core_rule) core_rules;
typedef HW_VECTOR(struct core_fence) core_fences;
typedef HW_VECTOR(struct core_transaction) core_transactions;

struct core_state {
    uint64_t term; /* of the last entry that is applied here */
    uint64_t index;
    uint32_t next_vm_number;
    struct core_cluster cluster;
    core_nodes nodes; /* this and the next four sorted by name */
    core_vms vms;
    core_luns luns;
    core_rules rules;
    core_fences fences;
    core_transactions transactions; /* sorted by number */
};

/* The state of a cluster that has nothing yet. To be given back with core_state_free(). */
void core_state_init(struct core_state *state);
/* Give all memory back; the state is then as after core_state_init(). */
void core_state_free(struct core_state *state);
/* A deep copy into `ret_copy`, which the caller frees. 0 or -ENOMEM. */
int core_state_copy(const struct core_state *state, struct core_state *ret_copy);

/*
 * The object of this name, NULL if there is none. It belongs to the state and stays where it is
 * until an object of its kind is added or removed. core_node_by_id(): by number.
 */
struct core_node *core_node_find(const struct core_state *state, const char *name);
struct core_node *core_node_by_id(const struct core_state *state, uint32_t id);
struct core_vm *core_vm_find(const struct core_state *state, const char *name);
struct core_lun *core_lun_find(const struct core_state *state, const char *name);
struct core_rule *core_rule_find(const struct core_state *state, const char *name);
struct core_fence *core_fence_find(const struct core_state *state, const char *name);

/*
 * Add an object with this name, everything else 0 or "", in its sorted place. 0 with `ret_new`
 * (belongs to the state); -EEXIST; -EINVAL: no valid name; -ENOSPC: CORE_LIST_MAX; -ENOMEM. The
 * state is unchanged on errors.
 */
int core_node_add(struct core_state *state, const char *name, struct core_node **ret_new);
int core_vm_add(struct core_state *state, const char *name, struct core_vm **ret_new);
int core_lun_add(struct core_state *state, const char *name, struct core_lun **ret_new);
int core_rule_add(struct core_state *state, const char *name, struct core_rule **ret_new);
int core_fence_add(struct core_state *state, const char *name, struct core_fence **ret_new);
/* Append a transaction; its number must be greater than the last. Errors as above, -EINVAL. */
int core_transaction_add(struct core_state *state, uint64_t number,
                         struct core_transaction **ret_new);

/* Remove and free the object of this name; 0 or -ENOENT. What refers to it is the caller's. */
int core_node_remove(struct core_state *state, const char *name);
int core_vm_remove(struct core_state *state, const char *name);
int core_lun_remove(struct core_state *state, const char *name);
int core_rule_remove(struct core_state *state, const char *name);
int core_fence_remove(struct core_state *state, const char *name);

/* 0 if `text` is a name: 1 to CORE_NAME_BYTES - 1 letters, digits, . _ : - ; else -EINVAL. */
int core_name_check(const char *text);
/* Set a name field ("" allowed). 0 or -EINVAL, then unchanged. */
int core_name_set(char field[CORE_NAME_BYTES], const char *text);
/* Replace an owned string by a copy of `text`. 0, -EINVAL (too long), -ENOMEM; then unchanged. */
int core_text_set(char **field, const char *text);

#endif
