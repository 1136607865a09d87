// models/arguments.c: lists of arguments, integers among them, and checks of their shapes.
#include "models/arguments.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

int dit_named_members(const dit_named_tensors *list, const char *name)
{
    int members = 0;
    size_t n = strlen(name);
    for (int i = 0; i < list->count; i++)
        members += !strncmp(list->item[i].name, name, n) && list->item[i].name[n] == '.';
    return members;
}

dit_tensor dit_named_member(dit_graph *g, const dit_named_tensors *list, const char *name, int i)
{
    char member[80];
    snprintf(member, sizeof member, "%s.%d", name, i);
    dit_tensor t = dit_named_find(list, member);
    if (dit_is_none(t))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is missing from the list", member);
    return t;
}

// Numbers that a program wrote as floats count where they are whole.
static bool are_integers(dit_dtype dtype, const void *data, int64_t n)
{
    for (int64_t i = 0; dit_dtype_is_float(dtype) && i < n; i++) {
        double value = dit_element_get(dtype, data, i);
        if (value != trunc(value) || fabs(value) >= 0x1p53)
            return false;
    }
    return dit_dtype_is_float(dtype) || dtype == DIT_I32 || dtype == DIT_I64 || dtype == DIT_BOOL;
}

// Appends the integers of one constant, whose name is for errors.
static int add_integers(dit_graph *g, const char *name, dit_tensor t, int64_t *values, int count, int room)
{
    const void *data = dit_constant_data(g, t);
    dit_dtype dtype = dit_dtype_of(g, t);
    int64_t n = dit_shape_count(dit_shape_of(g, t));
    if (!data || !are_integers(dtype, data, n)) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s must be integers that are known beforehand", name);
        return 0;
    }
    if (n > room - count) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s holds more than %d integers", name, room);
        return 0;
    }
    for (int64_t i = 0; i < n; i++)
        values[count + i] = dtype == DIT_I64    ? ((const int64_t *)data)[i]
                            : dtype == DIT_I32  ? ((const int32_t *)data)[i]
                            : dtype == DIT_BOOL ? ((const uint8_t *)data)[i]
                                                : (int64_t)dit_element_get(dtype, data, i);
    return count + (int)n;
}

// Appends the integers of NAME, or of its members down to `depth` dots.
static int collect_integers(dit_graph *g, const dit_named_tensors *list, const char *name, int64_t *values, int count,
                            int room, int depth)
{
    dit_tensor whole = dit_named_find(list, name);
    if (!dit_is_none(whole))
        return add_integers(g, name, whole, values, count, room);
    int left = dit_named_members(list, name);
    for (int i = 0; left > 0; i++) {
        char member[80];
        snprintf(member, sizeof member, "%s.%d", name, i);
        bool leaf = !dit_is_none(dit_named_find(list, member));
        int inside = leaf ? 1 : depth > 1 ? dit_named_members(list, member) : 0;
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

void dit_check_extent(dit_graph *g, const char *name, dit_tensor argument, int axis, int64_t extent,
                      const char *because)
{
    char text[160];
    if (!dit_graph_error(g)->status && dit_extent(g, argument, axis) != extent)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is %s; axis %d must be %lld: %s", name,
                       dit_shape_text(dit_shape_of(g, argument), text), axis, (long long)extent, because);
}

void dit_check_batch(dit_graph *g, const char *name, dit_tensor argument, int64_t batch)
{
    int64_t count = dit_extent(g, argument, 0);
    if (!dit_graph_error(g)->status && count != 1 && count != batch)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s has %lld values for %lld samples", name, (long long)count,
                       (long long)batch);
}

dit_tensor dit_autoencoder_argument(dit_graph *g, const dit_named_tensors *in, int channels, int least)
{
    if (in->count != 1) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "there are %d tensors; the method takes one", in->count);
        return DIT_NONE;
    }
    dit_tensor x = in->item[0].tensor;
    if (dit_extent(g, x, 1) != channels)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s has %lld channels, the model takes %d", in->item[0].name,
                       (long long)dit_extent(g, x, 1), channels);
    if (dit_extent(g, x, 2) < least || dit_extent(g, x, 3) < least)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is %lldx%lld; the model needs %dx%d or more", in->item[0].name,
                       (long long)dit_extent(g, x, 3), (long long)dit_extent(g, x, 2), least, least);
    return x;
}
