// backend/cpu/attention.h: what the attention kernels share: operands by name, and one block of scores.
//
// Scores are kept in units of log 2, so that their exponential is 2^score: the panels of k hold scale * log2(e) * k.
#ifndef DIT_BACKEND_CPU_ATTENTION_H
#define DIT_BACKEND_CPU_ATTENTION_H

#include "backend/cpu/pack.h"
#include "backend/cpu/vec.h"
#include <math.h>

#define DIT_LOG2_E 0x1.71547652b82fep+0 // log2(e)
#define DIT_LN_2 0x1.62e42fefa39efp-1   // log(2)

// One operand (B, T, heads, D), D contiguous.
typedef struct dit_heads {
    const void *data;
    dit_dtype dtype; // DIT_F32, or DIT_BF16 where the kernel takes that
    int64_t b, t, h; // strides
} dit_heads;

static inline dit_heads dit_heads_of(const dit_view *v)
{
    return (dit_heads){v->data, v->dtype, v->stride[0], v->stride[1], v->stride[2]};
}

static inline const void *dit_heads_at(const dit_heads *x, int64_t b, int64_t t, int64_t h)
{
    return (const char *)x->data + (b * x->b + t * x->t + h * x->h) * (int64_t)dit_dtype_size(x->dtype);
}

typedef struct dit_attention_call {
    int64_t B, Tq, H, D, Tk, Hkv, group; // group: query heads that share a key head
    dit_heads q, k, v;
    dit_dtype mask_dtype; // DIT_DTYPES: no mask
    const void *mask;
    int64_t mask_stride[4]; // along B, H, Tq, Tk; 0 where the mask is broadcast
    float scale;
    bool causal;
    dit_dtype weights; // what the softmax's weights are rounded to; DIT_F32: they are not
} dit_attention_call;

// q, k, v and mask are inputs 0 to 3 of `in`.
static inline dit_attention_call dit_attention_call_of(const dit_view *in, float scale, bool causal)
{
    const dit_shape *q = &in[0].shape, *k = &in[1].shape;
    dit_attention_call a = {.B = q->dim[0],
                            .Tq = q->dim[1],
                            .H = q->dim[2],
                            .D = q->dim[3],
                            .Tk = k->dim[1],
                            .Hkv = k->dim[2],
                            .group = q->dim[2] / k->dim[2],
                            .q = dit_heads_of(&in[0]),
                            .k = dit_heads_of(&in[1]),
                            .v = dit_heads_of(&in[2]),
                            .mask_dtype = in[3].dtype,
                            .mask = in[3].data,
                            .scale = scale,
                            .causal = causal};
    for (int axis = 0; !dit_is_absent(&in[3]) && axis < in[3].shape.rank; axis++)
        a.mask_stride[4 - in[3].shape.rank + axis] = in[3].shape.dim[axis] == 1 ? 0 : in[3].stride[axis];
    return a;
}

// Whole panels of DIT_TILE_COLUMNS.
static inline int64_t dit_padded(int64_t columns)
{
    return dit_divide_up(columns, DIT_TILE_COLUMNS) * DIT_TILE_COLUMNS;
}

// `columns` columns of a product whose B is packed in panels: rows <= DIT_TILE_ROWS. Writes whole vectors.
static inline void dit_tiles_across(int rows, int64_t columns, int64_t k, const float *a, int64_t a_row, int64_t a_k,
                                    const float *panels, float *c, int64_t c_row)
{
    for (int64_t n = 0; n < columns; n += DIT_TILE_COLUMNS) {
        int vectors = columns - n <= DIT_LANES ? 1 : DIT_TILE_VECTORS;
        dit_tiles[DIT_F32][vectors - 1][rows - 1](k, a, a_row, a_k, panels + n * k, DIT_TILE_COLUMNS, c + n, c_row);
    }
}

// Panels of x^T, (D, count), for `count` tokens from t on of a head.
static inline void dit_pack_transposed(const dit_heads *x, int64_t b, int64_t h, int64_t t, int64_t count, int64_t D,
                                       float *panels)
{
    for (int64_t n = 0; n < count; n += DIT_TILE_COLUMNS)
        dit_pack_panel(x->dtype, dit_heads_at(x, b, t + n, h), 1, x->t, D,
                       (int)(count - n < DIT_TILE_COLUMNS ? count - n : DIT_TILE_COLUMNS), panels + n * D);
}

// Panels of x, (count, D), likewise.
static inline void dit_pack_straight(const dit_heads *x, int64_t b, int64_t h, int64_t t, int64_t count, int64_t D,
                                     float *panels)
{
    const char *from = dit_heads_at(x, b, t, h);
    for (int64_t n = 0; n < D; n += DIT_TILE_COLUMNS)
        dit_pack_panel(x->dtype, from + n * (int64_t)dit_dtype_size(x->dtype), x->t, 1, count,
                       (int)(D - n < DIT_TILE_COLUMNS ? D - n : DIT_TILE_COLUMNS), panels + n * count);
}

// Panels of scale * log2(e) * k^T, which scores are made with.
static inline void dit_pack_keys(const dit_attention_call *a, int64_t b, int64_t kv_head, int64_t t, int64_t count,
                                 float *panels)
{
    dit_pack_transposed(&a->k, b, kv_head, t, count, a->D, panels);
    float factor = (float)((double)a->scale * DIT_LOG2_E);
    int64_t floats = dit_padded(count) * a->D;
#pragma omp simd
    for (int64_t i = 0; i < floats; i++)
        panels[i] *= factor;
}

// Adds the mask's row to a row of scores, or shuts the keys that it shuts.
static inline void dit_mask_row(const dit_attention_call *a, int64_t at, int64_t keys, float *s)
{
    int64_t step = a->mask_stride[3];
    if (a->mask_dtype == DIT_BOOL) {
        const uint8_t *open = (const uint8_t *)a->mask + at;
        if (step == 1) {
#pragma omp simd
            for (int64_t j = 0; j < keys; j++)
                s[j] = open[j] ? s[j] : -INFINITY;
        } else {
            for (int64_t j = 0; j < keys; j++)
                s[j] = open[j * step] ? s[j] : -INFINITY;
        }
    } else if (a->mask_dtype == DIT_BF16) {
        const uint16_t *bias = (const uint16_t *)a->mask + at;
        for (int64_t j = 0; j < keys; j++)
            s[j] += dit_bf16_to_f32(bias[j * step]) * (float)DIT_LOG2_E;
    } else {
        const float *bias = (const float *)a->mask + at;
        if (step == 1) {
#pragma omp simd
            for (int64_t j = 0; j < keys; j++)
                s[j] += bias[j] * (float)DIT_LOG2_E;
        } else {
            for (int64_t j = 0; j < keys; j++)
                s[j] += bias[j * step] * (float)DIT_LOG2_E;
        }
    }
}

// What `rows` queries from i on of head h of sample b may attend to, of `keys` keys from j on: their scores s (rows,
// s_row) get the mask, and -infinity where a query may not attend and from `keys` on to the next whole vector.
static inline void dit_shut_keys(const dit_attention_call *a, int64_t b, int64_t h, int64_t i, int rows, int64_t j,
                                 int64_t keys, float *s, int64_t s_row)
{
    for (int r = 0; r < rows; r++) {
        float *row = s + r * s_row;
        if (a->mask_dtype != DIT_DTYPES)
            dit_mask_row(
                a, b * a->mask_stride[0] + h * a->mask_stride[1] + (i + r) * a->mask_stride[2] + j * a->mask_stride[3],
                keys, row);
        int64_t open = a->causal && i + r - j + 1 < keys ? i + r - j + 1 : keys;
        for (int64_t n = open < 0 ? 0 : open; n < dit_divide_up(keys, DIT_LANES) * DIT_LANES; n++)
            row[n] = -INFINITY;
    }
}

// Scores of `rows` <= DIT_TILE_ROWS queries, which lie at q, with what dit_shut_keys says of them and of the keys.
static inline void dit_score_rows(const dit_attention_call *a, int64_t b, int64_t h, int64_t i, int rows,
                                  const float *q, int64_t q_row, int64_t j, int64_t keys, const float *key_panels,
                                  float *s, int64_t s_row)
{
    dit_tiles_across(rows, keys, a->D, q, q_row, 1, key_panels, s, s_row);
    dit_shut_keys(a, b, h, i, rows, j, keys, s, s_row);
}

#endif
