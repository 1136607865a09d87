// backend/cpu/rope_rows.h: turning the heads of one token.
#ifndef DIT_BACKEND_CPU_ROPE_ROWS_H
#define DIT_BACKEND_CPU_ROPE_ROWS_H

#include "backend/cpu/isa.h"

enum { DIT_ROTATION_PAIRS = 512 }; // turned together; a larger head takes several rounds

// Pairs `first` to `first + n - 1` of a head: (a, b) becomes (a c0 - b s1, b c1 + a s0). Weights of the two features
// may be in the factors.
typedef struct dit_rotation {
    int64_t first, n, half; // half: of the features of the whole head
    bool interleaved;
    float c0[DIT_ROTATION_PAIRS], s0[DIT_ROTATION_PAIRS], c1[DIT_ROTATION_PAIRS], s1[DIT_ROTATION_PAIRS];
} dit_rotation;

// y = scale * x turned, for the pairs of the rotation. x, y: a whole head, the same memory or none in common.
static inline void dit_rotate(const dit_rotation *r, const float *x, float *y, float scale)
{
    const float *c0 = r->c0, *s0 = r->s0, *c1 = r->c1, *s1 = r->s1;
    int64_t n = r->n, half = r->half;
    if (r->interleaved) {
        x += 2 * r->first;
        y += 2 * r->first;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            float a = x[2 * i] * scale, b = x[2 * i + 1] * scale;
            y[2 * i] = a * c0[i] - b * s1[i];
            y[2 * i + 1] = b * c1[i] + a * s0[i];
        }
    } else {
        x += r->first;
        y += r->first;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            float a = x[i] * scale, b = x[i + half] * scale;
            y[i] = a * c0[i] - b * s1[i];
            y[i + half] = b * c1[i] + a * s0[i];
        }
    }
}

// The table's row for token t of batch element b; *step is the distance between its pairs, in floats.
static inline const float *dit_rope_table_row(const dit_view *table, int64_t b, int64_t t, int64_t *step)
{
    int pairs = table->shape.rank - 2;
    *step = table->stride[pairs];
    return (const float *)table->data + t * table->stride[pairs - 1] + (pairs == 2 ? b * table->stride[0] : 0);
}

// Sets n and the factors for the pairs from `first` on: a table row, and weights (2 half) or NULL.
static inline void dit_rotation_load(dit_rotation *r, const float *table, int64_t step, float sign, const float *weight)
{
    int64_t left = r->half - r->first, along = r->interleaved ? 2 : 1, across = r->interleaved ? 1 : r->half;
    r->n = left < DIT_ROTATION_PAIRS ? left : DIT_ROTATION_PAIRS;
    table += r->first * step;
    for (int64_t i = 0; i < r->n; i++) {
        float c = table[i * step], s = sign * table[i * step + 1];
        float w0 = weight ? weight[(r->first + i) * along] : 1,
              w1 = weight ? weight[(r->first + i) * along + across] : 1;
        r->c0[i] = c * w0;
        r->s0[i] = s * w0;
        r->c1[i] = c * w1;
        r->s1[i] = s * w1;
    }
}

#endif
