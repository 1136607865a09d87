// text/ids.h: a growing list of token ids.
#ifndef DIT_TEXT_IDS_H
#define DIT_TEXT_IDS_H

#include "base/arena.h"
#include "base/error.h"
#include <stdint.h>

typedef struct dit_ids { // zero-initialise; the owner frees `id`
    int32_t *id;
    size_t count, room;
} dit_ids;

static inline dit_status dit_ids_reserve(dit_ids *ids, size_t more, dit_error *error)
{
    return dit_grow(&ids->id, &ids->room, ids->count + more, sizeof *ids->id)
               ? DIT_OK
               : dit_fail(error, DIT_NO_MEMORY, "no memory for the tokens of a text");
}

static inline dit_status dit_ids_add(dit_ids *ids, int32_t id, dit_error *error)
{
    dit_status status = dit_ids_reserve(ids, 1, error);
    if (!status)
        ids->id[ids->count++] = id;
    return status;
}

#endif
