// backend/cpu/kernels/gather.c: one row of the index, along its last axis, at a time. An index that is repeated along
// that axis (the tokens of a sequence, say, with all their features) copies whole rows.
#include "backend/cpu/ids.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include <string.h>

// y[i] = x[id[i * id_step] * step + i * along]. Steps are in elements.
typedef struct row {
    const void *x, *id;
    void *y;
    int64_t n, id_step, extent, step, along;
} row;

#define GATHER(T, I)                                                                                                   \
    static void gather_##T##_##I(const row *r)                                                                         \
    {                                                                                                                  \
        const T *x = r->x;                                                                                             \
        const I *id = r->id;                                                                                           \
        T *y = r->y;                                                                                                   \
        int64_t id_step = r->id_step, extent = r->extent, step = r->step, along = r->along;                            \
        if (id_step == 0 && along == 1) {                                                                              \
            memcpy(y, x + dit_clamp_id(*id, extent) * step, (size_t)r->n * sizeof(T));                                 \
            return;                                                                                                    \
        }                                                                                                              \
        _Pragma("omp simd") for (int64_t i = 0; i < r->n; i++) y[i] =                                                  \
            x[dit_clamp_id(id[i * id_step], extent) * step + i * along];                                               \
    }

GATHER(uint8_t, int32_t)
GATHER(uint8_t, int64_t)
GATHER(uint16_t, int32_t)
GATHER(uint16_t, int64_t)
GATHER(uint32_t, int32_t)
GATHER(uint32_t, int64_t)
GATHER(uint64_t, int32_t)
GATHER(uint64_t, int64_t)

// By the bytes of an element and of an id.
static void (*const gathers[9][9])(const row *) = {
    [1] = {[4] = gather_uint8_t_int32_t, [8] = gather_uint8_t_int64_t},
    [2] = {[4] = gather_uint16_t_int32_t, [8] = gather_uint16_t_int64_t},
    [4] = {[4] = gather_uint32_t_int32_t, [8] = gather_uint32_t_int64_t},
    [8] = {[4] = gather_uint64_t_int32_t, [8] = gather_uint64_t_int64_t},
};

static void run(const dit_op_call *call)
{
    const struct dit_gather_attributes *a = call->attributes;
    const dit_view *x = &call->in[0], *ids = &call->in[1];
    int last = ids->shape.rank - 1;
    int64_t n = ids->shape.dim[last], count = dit_shape_count(&ids->shape), rows = n ? count / n : 0;
    int64_t size = (int64_t)dit_dtype_size(x->dtype), id_size = (int64_t)dit_dtype_size(ids->dtype);
    void (*gather)(const row *) = gathers[size][id_size];
    dit_view place = *x; // x with the index's extents: where a row would begin if all its ids were 0
    place.shape = ids->shape;
    place.stride[a->axis] = 0;
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)
    for (int64_t k = 0; k < rows; k++) {
        row r = {.n = n, .extent = x->shape.dim[a->axis], .step = x->stride[a->axis]};
        r.id_step = ids->stride[last];
        r.along = a->axis == last ? 0 : x->stride[last];
        r.x = (const char *)x->data + dit_line(&place, last, last, k) * size;
        r.id = (const char *)ids->data + dit_line(ids, last, last, k) * id_size;
        r.y = (char *)call->out[0].data + k * n * size;
        gather(&r);
    }
}

DIT_KERNEL(gather) = {.run = run, .layout = DIT_ANY_STRIDES, .any_dtype = true};
