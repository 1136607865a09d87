// backend/cpu/vector.h: a register's worth of floats as a C value (GNU vector extension), for loops that keep several
// running results, which compilers do not arrange by themselves.
#ifndef DIT_BACKEND_CPU_VECTOR_H
#define DIT_BACKEND_CPU_VECTOR_H

#include "backend/cpu/isa.h"
#include <string.h>

typedef float dit_floats __attribute__((vector_size(DIT_LANES * sizeof(float))));

static inline dit_floats dit_load(const float *x)
{
    dit_floats v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void dit_store(float *y, dit_floats v)
{
    memcpy(y, &v, sizeof v);
}

static inline dit_floats dit_all(float x)
{
    return x - (dit_floats){0};
}

// The sum of all lanes, in pairs.
static inline float dit_sum_lanes(dit_floats v)
{
    float lane[DIT_LANES];
    dit_store(lane, v);
    for (int n = DIT_LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            lane[i] += lane[i + n];
    return lane[0];
}

#endif
