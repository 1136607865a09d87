// models/lora_merge.c: one adapter into one weight, or beside it.
#include "base/cast.h"
#include "models/lora_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t dit_adapter_row(const dit_adapter *a, int64_t first, bool swapped, int64_t i)
{
    int64_t row = first + i;
    return swapped ? (row + a->rows / 2) % a->rows : row;
}

void dit_adapter_add_row(const dit_adapter *a, int64_t r, float *row)
{
    for (int64_t k = 0; k < a->rank; k++) {
        float u = a->scale * a->up[r * a->rank + k];
        const float *down = a->down + k * a->columns;
        for (int64_t j = 0; j < a->columns; j++)
            row[j] += u * down[j];
    }
}

float dit_adapter_row_factor(const dit_adapter *a, int64_t r, const float *row)
{
    double squares = 0;
    for (int64_t j = 0; j < a->columns; j++)
        squares += (double)row[j] * row[j];
    return squares > 0 ? (float)(a->magnitude[r] / sqrt(squares)) : 0;
}

static dit_status merge(const dit_adapter *a, int64_t first, bool swapped, const dit_weights *weights, dit_weight *w,
                        dit_error *error)
{
    dit_array merged;
    int64_t rows = w->array.shape.dim[0], size = (int64_t)dit_dtype_size(w->array.dtype);
    bool fits = true, memory = true;
    if (dit_array_alloc(&merged, w->array.dtype, w->array.shape, error))
        return error->status;
#pragma omp parallel for reduction(&& : fits, memory) if (rows * a->columns > 1 << 14)
    for (int64_t i = 0; i < rows; i++) {
        float *row = malloc((size_t)a->columns * sizeof *row);
        int64_t r = dit_adapter_row(a, first, swapped, i);
        memory = memory && row;
        if (!row)
            continue;
        dit_cast_floats(DIT_F32, row, w->array.dtype, (char *)w->array.data + i * a->columns * size, a->columns);
        dit_adapter_add_row(a, r, row);
        float factor = a->magnitude ? dit_adapter_row_factor(a, r, row) : 1;
        for (int64_t j = 0; j < a->columns; j++)
            row[j] *= factor;
        fits = dit_cast_floats(w->array.dtype, (char *)merged.data + i * a->columns * size, DIT_F32, row, a->columns) &&
               fits;
        free(row);
    }
    if (!memory || !fits) {
        free(merged.data);
        return memory ? dit_fail(error, DIT_BAD_NUMBER, "%s: the sum of %.200s and %s is too large for %s", a->file,
                                 a->name, w->name, dit_dtype_name(w->array.dtype))
                      : dit_fail(error, DIT_NO_MEMORY, "%s: no memory to merge %.200s", a->file, a->name);
    }
    dit_weights_release(weights, w);
    if (w->owned)
        free(w->array.data);
    w->array = merged;
    w->owned = true;
    return DIT_OK;
}

// Adds the adapter's biases to the layer's own, which stay in their dtype.
static dit_status add_bias(const dit_adapter *a, int64_t first, bool swapped, dit_weights *weights, const dit_weight *w,
                           dit_error *error)
{
    char name[600];
    dit_array sum;
    int64_t rows = w->array.shape.dim[0];
    snprintf(name, sizeof name, "%.*s.bias", (int)(strlen(w->name) - strlen(".weight")), w->name);
    dit_weight *bias = dit_weights_find(weights, name);
    if (!bias || !dit_dtype_is_float(bias->array.dtype) || !dit_shape_equal(&bias->array.shape, &DIT_SHAPE(rows)))
        return dit_fail(error, DIT_UNSUPPORTED, "%s: %.200s has biases; the network has no %s of floats", a->file,
                        a->name, name);
    float *values = malloc((size_t)rows * sizeof *values);
    if (!values || dit_array_alloc(&sum, bias->array.dtype, bias->array.shape, error)) {
        free(values);
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to merge %.200s", a->file, a->name);
    }
    dit_cast_floats(DIT_F32, values, bias->array.dtype, bias->array.data, rows);
    for (int64_t i = 0; i < rows; i++)
        values[i] += a->scale * a->bias[dit_adapter_row(a, first, swapped, i)];
    bool fits = dit_cast_floats(sum.dtype, sum.data, DIT_F32, values, rows);
    free(values);
    if (bias->owned)
        free(bias->array.data);
    bias->array = sum;
    bias->owned = true;
    return fits ? DIT_OK
                : dit_fail(error, DIT_BAD_NUMBER, "%s: the sum of %.200s and %s is too large for %s", a->file, a->name,
                           name, dit_dtype_name(sum.dtype));
}

dit_status dit_adapter_apply(const dit_adapter *a, int64_t first, bool swapped, bool keep_mapped, dit_weights *weights,
                             dit_weight *w, dit_error *error)
{
    char shape[160];
    const dit_shape *s = &w->array.shape;
    int64_t rows = s->rank ? s->dim[0] : 0;
    if (s->rank < 2 || rows < 1 || first + rows > a->rows || dit_shape_count(s) / rows != a->columns)
        return dit_fail(error, DIT_BAD_FILE, "%s: %.200s is for a layer of (%lld, %lld); %s has %s", a->file, a->name,
                        (long long)a->rows, (long long)a->columns, w->name, dit_shape_text(s, shape));
    if (a->bias && add_bias(a, first, swapped, weights, w, error))
        return error->status;
    const bool stays = !dit_dtype_is_float(w->array.dtype) ||
                       (keep_mapped && w->array.shape.rank == 2 && dit_weights_is_mapped(weights, w));
    return stays ? dit_adapter_put_beside(a, first, swapped, weights, w, error)
                 : merge(a, first, swapped, weights, w, error);
}
