/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects of the replicated state, described by tables: which fields a struct has, where they lie
 * and what they may hold. Making, copying, freeing, encoding and decoding follow the tables, so
 * that no field is forgotten in one of them. For the state's own files only.
 */
#ifndef CORE_OBJECT_PRIV_H
#define CORE_OBJECT_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "common/hw_cursor.h"

enum core_kind {
    CORE_KIND_U32,
    CORE_KIND_I32,
    CORE_KIND_U64,
    CORE_KIND_NAME, /* char[CORE_NAME_BYTES] */
    CORE_KIND_UUID, /* 16 bytes */
    CORE_KIND_TEXT, /* char *, owned */
    CORE_KIND_ITEM, /* one object inside */
    CORE_KIND_LIST, /* an HW_VECTOR of objects */
};

struct core_type;

struct core_field {
    uint16_t tag; /* ascending in a type, never reused */
    enum core_kind kind;
    size_t offset;
    uint64_t max;                 /* U32: greatest value; NAME: 1 if it may not be empty */
    const struct core_type *type; /* ITEM and LIST: of what is inside */
};

struct core_type {
    size_t bytes;
    size_t count;
    const struct core_field *fields;
    /* order of the items of a list, which are unique then; NULL: as they come */
    int (*compare)(const void *left, const void *right);
};

/* any HW_VECTOR; copied in and out with memcpy */
struct core_list {
    char *items;
    size_t count;
    size_t capacity;
};

extern const struct core_type core_state_type;
extern const struct core_type core_node_type;
extern const struct core_type core_vm_type;
extern const struct core_type core_lun_type;
extern const struct core_type core_rule_type;
extern const struct core_type core_fence_type;
extern const struct core_type core_transaction_type;

/* Everything 0, "" and empty. 0 or -ENOMEM (then nothing is held). */
int core_object_init(const struct core_type *type, void *object);
/* Give back what the object holds; it is all zero bytes then. */
void core_object_free(const struct core_type *type, void *object);
/* A deep copy. 0 or -ENOMEM (then nothing is held). */
int core_object_copy(const struct core_type *type, const void *object, void *ret_copy);

/* The list behind a field, and put it back. */
struct core_list core_list_get(const void *field);
void core_list_put(void *field, const struct core_list *list);
/* Append an initialised item. 0 with `ret_item`, -ENOSPC, -ENOMEM, -EOVERFLOW. */
int core_list_grow(const struct core_type *type, void *field, void **ret_item);

/* Bytes that core_object_encode() will write. */
size_t core_object_size(const struct core_type *type, const void *object);
/* Write the object; room is the caller's (core_object_size()). */
void core_object_encode(const struct core_type *type, const void *object, struct hw_writer *to);
/* Read an initialised object out of all of `from`. 0, -EBADMSG, -EPROTONOSUPPORT: a field from a
 * newer release, -ENOMEM. The object is to be freed in any case. */
int core_object_decode(const struct core_type *type, void *object, struct hw_reader *from);

#endif
