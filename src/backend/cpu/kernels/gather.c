// backend/cpu/kernels/gather.c: one row of the index, along its last axis, at a time.
#include "backend/cpu/ids.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"

// What a row needs: `n` elements to y from x + step * id (+ i when the last axis is not the one gathered along).
typedef struct row {
    const dit_view *ids;
    int64_t first, n, extent, step, along; // along: 1 when position i of the row adds i to the place in x
    const char *x;
    char *y;
} row;

#define GATHER(T)                                                                                                      \
    static void gather_##T(const row *r)                                                                               \
    {                                                                                                                  \
        const T *x = (const T *)(const void *)r->x;                                                                    \
        T *y = (T *)(void *)r->y;                                                                                      \
        for (int64_t i = 0; i < r->n; i++)                                                                             \
            y[i] = x[dit_id(r->ids, r->first + i, r->extent) * r->step + i * r->along];                                \
    }

GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)

static void run(const dit_op_call *call)
{
    const struct dit_gather_attributes *a = call->attributes;
    const dit_view *x = &call->in[0], *ids = &call->in[1];
    int last = ids->shape.rank - 1;
    int64_t n = ids->shape.dim[last], count = dit_shape_count(&ids->shape), rows = n ? count / n : 0;
    int64_t size = (int64_t)dit_dtype_size(x->dtype);
    void (*gather)(const row *) = size == 1   ? gather_uint8_t
                                  : size == 2 ? gather_uint16_t
                                  : size == 4 ? gather_uint32_t
                                              : gather_uint64_t;
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)
    for (int64_t k = 0; k < rows; k++) {
        int64_t rest = k, from = 0;
        for (int i = last - 1; i >= 0; i--) {
            from += i == a->axis ? 0 : rest % ids->shape.dim[i] * x->stride[i];
            rest /= ids->shape.dim[i];
        }
        gather(&(row){ids, k * n, n, x->shape.dim[a->axis], x->stride[a->axis], a->axis != last,
                      (const char *)x->data + from * size, (char *)call->out[0].data + k * n * size});
    }
}

DIT_KERNEL(gather) = {.run = run, .layout = DIT_DENSE, .any_dtype = true};
