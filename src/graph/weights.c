// graph/weights.c: the set of named tensors behind a model.
#include "graph/weights.h"
#include "base/arena.h"
#include "base/name_map.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dit_weights {
    dit_arena *arena; // entries and names
    dit_name_map names;
    dit_weight **entries;
    size_t capacity;
    int count;
    dit_weights_pager pager;
    bool are_short;
};

dit_initial dit_initial_xavier(int64_t fan_in, int64_t fan_out)
{
    return DIT_INITIAL_UNIFORM(sqrtf(6.0f / (float)(fan_in + fan_out)));
}

dit_weights *dit_weights_new(void)
{
    dit_weights *weights = calloc(1, sizeof *weights);
    if (weights && !(weights->arena = dit_arena_new())) {
        free(weights);
        return NULL;
    }
    return weights;
}

void dit_weights_free(dit_weights *weights)
{
    if (!weights)
        return;
    for (int i = 0; i < weights->count; i++) {
        if (weights->entries[i]->owned)
            free(weights->entries[i]->array.data);
        free(weights->entries[i]->prepared);
    }
    free(weights->entries);
    dit_name_map_free(&weights->names);
    dit_arena_free(weights->arena);
    free(weights);
}

dit_status dit_weights_add(dit_weights *weights, const char *name, dit_array array, bool owned, dit_error *error)
{
    dit_status status = DIT_OK;
    dit_weight *entry = NULL;
    char *copy = NULL;
    if (dit_weights_find(weights, name)) {
        status = dit_fail(error, DIT_BAD_ARGUMENT, "%s: there are two tensors of this name", name);
        goto failed;
    }
    entry = dit_arena_alloc(weights->arena, sizeof *entry);
    copy = dit_arena_copy_text(weights->arena, name);
    if (!entry || !copy ||
        !dit_grow(&weights->entries, &weights->capacity, (size_t)weights->count + 1, sizeof *weights->entries) ||
        !dit_name_map_add(&weights->names, copy, weights->count)) {
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory to list the tensor", name);
        goto failed;
    }
    *entry = (dit_weight){.name = copy, .array = array, .owned = owned, .scale = 1};
    weights->entries[weights->count++] = entry;
    return DIT_OK;
failed:
    if (owned)
        free(array.data);
    return status;
}

dit_status dit_weights_create(dit_weights *weights, const char *name, dit_shape shape, dit_error *error)
{
    dit_array array;
    dit_status status = dit_array_alloc(&array, DIT_F32, shape, error);
    return status ? status : dit_weights_add(weights, name, array, true, error);
}

dit_weight *dit_weights_find(const dit_weights *weights, const char *name)
{
    int i = dit_name_map_find(&weights->names, name);
    return i < 0 ? NULL : weights->entries[i];
}

int dit_weights_count(const dit_weights *weights)
{
    return weights->count;
}

dit_weight *dit_weights_at(const dit_weights *weights, int i)
{
    return weights->entries[i];
}

void dit_weights_set_short(dit_weights *weights, bool are_short)
{
    weights->are_short = are_short;
}

bool dit_weights_are_short(const dit_weights *weights)
{
    return weights->are_short;
}

void dit_weights_set_pager(dit_weights *weights, const dit_weights_pager *pager)
{
    weights->pager = *pager;
}

bool dit_weights_is_mapped(const dit_weights *weights, const dit_weight *weight)
{
    return !weight->owned && weights->pager.is_mapped &&
           weights->pager.is_mapped(weights->pager.context, &weight->array);
}

void dit_weights_release(const dit_weights *weights, const dit_weight *weight)
{
    if (!weight->owned && weights->pager.release)
        weights->pager.release(weights->pager.context, &weight->array);
}

void dit_weights_prefetch(const dit_weights *weights, const dit_weight *weight)
{
    if (!weight->owned && weights->pager.prefetch)
        weights->pager.prefetch(weights->pager.context, &weight->array);
}

void dit_weights_set_prepared(dit_weights *weights, dit_weight *weight, void *prepared, size_t bytes, const void *by)
{
    free(weight->prepared);
    weight->prepared = prepared;
    weight->prepared_bytes = bytes;
    weight->prepared_by = by;
    dit_weights_release(weights, weight);
}

void dit_weights_drop_prepared(dit_weight *weight)
{
    free(weight->prepared);
    weight->prepared = NULL;
    weight->prepared_bytes = 0;
    weight->prepared_by = NULL;
}

// Whether a name ends in one of a list, or begins with one of those that end in '*'.
static bool is_one_of(const char *name, const char *const *list)
{
    size_t n = strlen(name);
    for (; list && *list; list++) {
        size_t m = strlen(*list);
        if (m && (*list)[m - 1] == '*' ? !strncmp(name, *list, m - 1) : m <= n && !strcmp(name + n - m, *list))
            return true;
    }
    return false;
}

dit_status dit_weights_check_all_used(const dit_weights *weights, const char *const *ignored, dit_error *error)
{
    enum { NAMED = 3 };
    char names[400] = "";
    int unused = 0;
    for (int i = 0; i < weights->count; i++) {
        const dit_weight *w = weights->entries[i];
        if (w->used || is_one_of(w->name, ignored))
            continue;
        size_t n = strlen(names);
        if (unused++ < NAMED)
            snprintf(names + n, sizeof names - n, "%s%.100s", n ? ", " : "", w->name);
    }
    if (!unused)
        return DIT_OK;
    return dit_fail(error, DIT_BAD_FILE, "the model does not use %d tensor%s of the file: %s%s", unused,
                    unused == 1 ? "" : "s", names, unused > NAMED ? ", ..." : "");
}
