// Each function of vmath.h over an array, compiled with the kernels' flags for each instruction set.
#include "backend/cpu/isa.h"
#include "backend/cpu/vmath.h"

#define FUNCTION(name)                                                                                                 \
    void DIT_CPU_SYMBOL(name##_array)(const float *x, float *y, int n);                                                \
    void DIT_CPU_SYMBOL(name##_array)(const float *x, float *y, int n)                                                 \
    {                                                                                                                  \
        _Pragma("omp simd") for (int i = 0; i < n; i++) y[i] = name(x[i]);                                             \
    }
#include "vmath_functions.def"
