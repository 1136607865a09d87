// models/model.c: the table of architectures.
#include "models/model.h"
#include <stdio.h>
#include <string.h>

#define MODEL(name) extern const dit_model_class dit_model_class_##name;
#include "models/models.def"

static const dit_model_class *const classes[] = {
#define MODEL(name) &dit_model_class_##name,
#include "models/models.def"
};

enum { CLASSES = sizeof classes / sizeof *classes };

static bool is_listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

const dit_model_class *dit_model_class_find(const char *name)
{
    for (int i = 0; i < CLASSES; i++)
        if (!strcmp(classes[i]->name, name) || is_listed(classes[i]->older_names, name))
            return classes[i];
    return NULL;
}

const dit_model_class *dit_model_class_of_type(const char *type)
{
    for (int i = 0; i < CLASSES; i++)
        if (is_listed(classes[i]->model_types, type))
            return classes[i];
    return NULL;
}

const char *dit_model_class_names(char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < CLASSES && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "", classes[i]->name);
    return text;
}

dit_tensor dit_named_find(const dit_named_tensors *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->item[i].name, name))
            return list->item[i].tensor;
    return DIT_NONE;
}

void dit_named_add(dit_named_tensors *list, const char *name, dit_tensor tensor)
{
    if (list->count < DIT_MAX_ARGUMENTS) {
        list->item[list->count].name = name;
        list->item[list->count++].tensor = tensor;
    }
}

// Appends the integers of one constant, whose name is for errors.
static int add_integers(dit_graph *g, const char *name, dit_tensor t, int64_t *values, int count, int room)
{
    const void *data = dit_constant_data(g, t);
    dit_dtype dtype = dit_dtype_of(g, t);
    int64_t n = dit_shape_count(dit_shape_of(g, t));
    if (!data || (dtype != DIT_I32 && dtype != DIT_I64 && dtype != DIT_BOOL)) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s must be integers that are known beforehand", name);
        return 0;
    }
    if (n > room - count) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s holds more than %d integers", name, room);
        return 0;
    }
    for (int64_t i = 0; i < n; i++)
        values[count + i] = dtype == DIT_I64   ? ((const int64_t *)data)[i]
                            : dtype == DIT_I32 ? ((const int32_t *)data)[i]
                                               : ((const uint8_t *)data)[i];
    return count + (int)n;
}

// How many of the arguments are members of the list NAME, or of lists in it.
static int count_members(const dit_named_tensors *list, const char *name)
{
    int members = 0;
    size_t n = strlen(name);
    for (int i = 0; i < list->count; i++)
        members += !strncmp(list->item[i].name, name, n) && list->item[i].name[n] == '.';
    return members;
}

// Appends the integers of NAME, or of its members down to `depth` dots.
static int collect_integers(dit_graph *g, const dit_named_tensors *list, const char *name, int64_t *values, int count,
                            int room, int depth)
{
    dit_tensor whole = dit_named_find(list, name);
    if (!dit_is_none(whole))
        return add_integers(g, name, whole, values, count, room);
    int left = count_members(list, name);
    for (int i = 0; left > 0; i++) {
        char member[80];
        snprintf(member, sizeof member, "%s.%d", name, i);
        bool leaf = !dit_is_none(dit_named_find(list, member));
        int inside = leaf ? 1 : depth > 1 ? count_members(list, member) : 0;
        if (!inside) {
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is missing from the list", member);
            return 0;
        }
        count = collect_integers(g, list, member, values, count, room, depth - 1);
        left -= inside;
    }
    return count;
}

int dit_named_integers(dit_graph *g, const dit_named_tensors *list, const char *name, int64_t *values, int room)
{
    return collect_integers(g, list, name, values, 0, room, 2);
}
