// backend/cpu/row_sums.h: sums over a dense row, in f32 for short runs in several vectors and in double beyond.
#ifndef DIT_BACKEND_CPU_ROW_SUMS_H
#define DIT_BACKEND_CPU_ROW_SUMS_H

#include "backend/cpu/vector.h"

// Elements of a run: at most DIT_RUN / (4 * lanes) additions follow each other in f32.
enum { DIT_RUN = 1024 };

// Makes NAME(x, y, k, n): the sum over i < n of `term`, in which the vectors (or floats) `a` is x[i], `b` is y[i] and
// `m` is k. A term may leave y or k out.
#define DIT_ROW_SUM(NAME, term)                                                                                        \
    static inline dit_floats NAME##_vector(const float *x, const float *y, dit_floats m)                               \
    {                                                                                                                  \
        dit_floats a = dit_load(x), b = dit_load(y);                                                                   \
        (void)b, (void)m;                                                                                              \
        return term;                                                                                                   \
    }                                                                                                                  \
    static inline float NAME##_run(const float *x, const float *y, float k, int64_t n)                                 \
    {                                                                                                                  \
        dit_floats s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, m0 = dit_all(k);                                            \
        float rest = 0;                                                                                                \
        int64_t i = 0;                                                                                                 \
        for (; i + 4 * DIT_LANES <= n; i += 4 * DIT_LANES) {                                                           \
            s0 += NAME##_vector(x + i, y + i, m0);                                                                     \
            s1 += NAME##_vector(x + i + DIT_LANES, y + i + DIT_LANES, m0);                                             \
            s2 += NAME##_vector(x + i + 2 * DIT_LANES, y + i + 2 * DIT_LANES, m0);                                     \
            s3 += NAME##_vector(x + i + 3 * DIT_LANES, y + i + 3 * DIT_LANES, m0);                                     \
        }                                                                                                              \
        for (; i + DIT_LANES <= n; i += DIT_LANES)                                                                     \
            s0 += NAME##_vector(x + i, y + i, m0);                                                                     \
        for (; i < n; i++) {                                                                                           \
            float a = x[i], b = y[i], m = k;                                                                           \
            (void)b, (void)m;                                                                                          \
            rest += term;                                                                                              \
        }                                                                                                              \
        return dit_sum_lanes((s0 + s1) + (s2 + s3)) + rest;                                                            \
    }                                                                                                                  \
    static inline double NAME(const float *x, const float *y, float k, int64_t n)                                      \
    {                                                                                                                  \
        double sum = 0;                                                                                                \
        for (int64_t i = 0; i < n; i += DIT_RUN)                                                                       \
            sum += (double)NAME##_run(x + i, y + i, k, n - i < DIT_RUN ? n - i : DIT_RUN);                             \
        return sum;                                                                                                    \
    }

DIT_ROW_SUM(dit_sum_of_row, a)                         // sum(x); pass x for y
DIT_ROW_SUM(dit_sum_of_squares, (a - m) * (a - m))     // sum((x - k)^2); pass x for y
DIT_ROW_SUM(dit_sum_of_products, (a - m) * b)          // sum((x - k) * y)
DIT_ROW_SUM(dit_sum_of_differences, (a - b) * (a - b)) // sum((x - y)^2)

#endif
