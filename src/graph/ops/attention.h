// graph/ops/attention.h: what attention and its gradient share.
#ifndef DIT_GRAPH_OPS_ATTENTION_H
#define DIT_GRAPH_OPS_ATTENTION_H

#include "graph/ops/rules.h"
#include <math.h>

// Fails unless q (B, Tq, H, D), k and v (B, Tk, Hkv, D), and the mask, where there is one, fit each other.
static inline dit_status dit_attention_check(const char *op, const dit_view *q, const dit_view *k, const dit_view *v,
                                             const dit_view *mask, dit_error *error)
{
    const dit_shape *s = &q->shape, *t = &k->shape;
    char a[160], b[160], c[160];
    if (s->rank != 4 || t->rank != 4 || !dit_shape_equal(t, &v->shape) || s->dim[0] != t->dim[0] ||
        s->dim[3] != t->dim[3] || t->dim[2] < 1 || s->dim[2] % t->dim[2])
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "%s: q %s, k %s, v %s: (B, Tq, H, D) and twice (B, Tk, Hkv, D) are needed, H a multiple of Hkv",
                        op, dit_shape_text(s, a), dit_shape_text(t, b), dit_shape_text(&v->shape, c));
    if (dit_is_absent(mask))
        return DIT_OK;
    dit_shape scores = DIT_SHAPE(s->dim[0], s->dim[2], s->dim[1], t->dim[1]), both;
    if (mask->dtype != DIT_BOOL && !dit_dtype_is_float(mask->dtype))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: the mask is %s; it must be bool or float", op,
                        dit_dtype_name(mask->dtype));
    if (dit_broadcast_shapes(op, &mask->shape, &scores, &both, NULL) || !dit_shape_equal(&both, &scores))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: mask %s does not broadcast to (B, H, Tq, Tk) = %s", op,
                        dit_shape_text(&mask->shape, a), dit_shape_text(&scores, b));
    return DIT_OK;
}

// What the references compute scores from.
typedef struct dit_attention_inputs {
    const double *const *in; // q, k, v, mask
    const dit_view *view;    // of q, k, v, mask
    double scale;
    bool causal;
} dit_attention_inputs;

static inline int64_t dit_attention_mask_at(const dit_shape *mask, int64_t b, int64_t h, int64_t i, int64_t j)
{
    int64_t index[4] = {b, h, i, j}, at = 0;
    for (int axis = 0; axis < mask->rank; axis++) {
        int64_t extent = mask->dim[axis];
        at = at * extent + (extent == 1 ? 0 : index[axis + 4 - mask->rank]);
    }
    return at;
}

// scale q_i . k_j + mask for head h of sample b, -infinity where query i may not attend to key j.
static inline double dit_attention_score(const dit_attention_inputs *r, int64_t b, int64_t h, int64_t i, int64_t j)
{
    const dit_shape *q = &r->view[0].shape, *k = &r->view[1].shape;
    int64_t H = q->dim[2], D = q->dim[3], per = H / k->dim[2];
    const double *x = r->in[0] + ((b * q->dim[1] + i) * H + h) * D;
    const double *y = r->in[1] + ((b * k->dim[1] + j) * k->dim[2] + h / per) * D;
    double s = 0;
    for (int64_t d = 0; d < D; d++)
        s += x[d] * y[d];
    s *= r->scale;
    if (r->causal && j > i)
        return -INFINITY;
    if (!r->in[3])
        return s;
    double m = r->in[3][dit_attention_mask_at(&r->view[3].shape, b, h, i, j)];
    return r->view[3].dtype == DIT_BOOL ? (m != 0 ? s : -INFINITY) : s + m;
}

static inline double dit_attention_flops(const dit_shape *q, const dit_shape *k, int products)
{
    return 2.0 * products * (double)dit_shape_count(q) * (double)k->dim[1];
}

#endif
