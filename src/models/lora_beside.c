// models/lora_beside.c: one adapter beside a weight that is not to be changed: as further tensors of its layer, which
// nn_linear takes into account.
#include "base/cast.h"
#include "models/lora_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const dit_weight *find_tensor(const dit_weights *weights, const char *layer, int number, const char *end)
{
    char name[600];
    snprintf(name, sizeof name, "%s.lora.%d.%s", layer, number, end);
    return dit_weights_find(weights, name);
}

// Adds LAYER.lora.NUMBER.END of `shape`, in f32; *values is where its elements go.
static dit_status add_tensor(dit_weights *weights, const char *layer, int number, const char *end, dit_shape shape,
                             float **values, dit_error *error)
{
    char name[600];
    dit_array array;
    snprintf(name, sizeof name, "%s.lora.%d.%s", layer, number, end);
    if (dit_array_alloc(&array, DIT_F32, shape, error))
        return error->status;
    *values = array.data;
    return dit_weights_add(weights, name, array, true, error);
}

// What an earlier adapter has put beside the weight: V of a DoRA adapter holds it too.
struct earlier {
    dit_adapter factors; // `up` has its scale
    const float *row_factor;
};

static bool is_floats(const dit_weight *w, dit_shape shape)
{
    return w && w->array.dtype == DIT_F32 && dit_shape_equal(&w->array.shape, &shape);
}

// False when tensors of such names are in the network's own file and are something else.
static bool find_earlier(const dit_weights *weights, const char *layer, int number, int64_t rows, int64_t columns,
                         struct earlier *e)
{
    const dit_weight *down = find_tensor(weights, layer, number, "down.weight");
    const dit_weight *up = find_tensor(weights, layer, number, "up.weight");
    const dit_weight *row_factor = find_tensor(weights, layer, number, "row_factor");
    const int64_t rank = down && down->array.shape.rank == 2 ? down->array.shape.dim[0] : 0;
    if (!is_floats(down, DIT_SHAPE(rank, columns)) || !is_floats(up, DIT_SHAPE(rows, rank)) ||
        (row_factor && !is_floats(row_factor, DIT_SHAPE(rows))))
        return false;
    *e = (struct earlier){{.rows = rows, .columns = columns, .rank = rank, .scale = 1},
                          row_factor ? row_factor->array.data : NULL};
    e->factors.down = down->array.data;
    e->factors.up = up->array.data;
    return true;
}

// m / |V| of every row; V as floats is made one row at a time. False when memory is out.
static bool find_row_factors(const dit_adapter *a, int64_t first, bool swapped, const dit_array *stored,
                             const struct earlier *earlier, int count, float *row_factor)
{
    const int64_t rows = stored->shape.dim[0], row_bytes = (int64_t)dit_array_bytes(stored) / rows;
    bool memory = true;
#pragma omp parallel for reduction(&& : memory) if (rows * a->columns > 1 << 14)
    for (int64_t i = 0; i < rows; i++) {
        const int64_t r = dit_adapter_row(a, first, swapped, i);
        float *row = malloc((size_t)a->columns * sizeof *row);
        memory = memory && row;
        if (!row)
            continue;
        dit_cast_floats(DIT_F32, row, stored->dtype, (const char *)stored->data + i * row_bytes, a->columns);
        for (int k = 0; k < count; k++) {
            dit_adapter_add_row(&earlier[k].factors, i, row);
            for (int64_t j = 0; earlier[k].row_factor && j < a->columns; j++)
                row[j] *= earlier[k].row_factor[i];
        }
        dit_adapter_add_row(a, r, row);
        row_factor[i] = dit_adapter_row_factor(a, r, row);
        free(row);
    }
    return memory;
}

static dit_status add_row_factors(const dit_adapter *a, int64_t first, bool swapped, dit_weights *weights,
                                  const dit_weight *w, const char *layer, int number, dit_error *error)
{
    const int64_t rows = w->array.shape.dim[0];
    float *row_factor;
    struct earlier *earlier = calloc((size_t)number + 1, sizeof *earlier);
    if (!earlier)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to apply %.200s", a->file, a->name);
    for (int k = 0; k < number && !error->status; k++)
        if (!find_earlier(weights, layer, k, rows, a->columns, &earlier[k]))
            dit_fail(error, DIT_BAD_FILE, "%s.lora.%d: the network has tensors of this name, which adapters use", layer,
                     k);
    if (!error->status && !add_tensor(weights, layer, number, "row_factor", DIT_SHAPE(rows), &row_factor, error) &&
        !find_row_factors(a, first, swapped, &w->array, earlier, number, row_factor))
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to apply %.200s", a->file, a->name);
    dit_weights_release(weights, w);
    free(earlier);
    return error->status;
}

dit_status dit_adapter_put_beside(const dit_adapter *a, int64_t first, bool swapped, dit_weights *weights,
                                  const dit_weight *w, dit_error *error)
{
    char layer[400];
    float *down, *up;
    const int64_t rows = w->array.shape.dim[0];
    int number = 0;
    if (w->array.shape.rank != 2)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: %.200s is for %s, stored as %s; it is no matrix", a->file, a->name,
                        w->name, dit_dtype_name(w->array.dtype));
    snprintf(layer, sizeof layer, "%.*s", (int)(strlen(w->name) - strlen(".weight")), w->name);
    while (find_tensor(weights, layer, number, "down.weight"))
        number++;
    if (a->magnitude && add_row_factors(a, first, swapped, weights, w, layer, number, error))
        return error->status;
    if (add_tensor(weights, layer, number, "down.weight", DIT_SHAPE(a->rank, a->columns), &down, error) ||
        add_tensor(weights, layer, number, "up.weight", DIT_SHAPE(rows, a->rank), &up, error))
        return error->status;
    memcpy(down, a->down, (size_t)(a->rank * a->columns) * sizeof *down);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < a->rank; k++)
            up[i * a->rank + k] = a->scale * a->up[dit_adapter_row(a, first, swapped, i) * a->rank + k];
    return DIT_OK;
}
