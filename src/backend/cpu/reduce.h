// backend/cpu/reduce.h: reductions over any set of axes: which elements meet, in which order, on which thread.
//
// Totals are doubles, made of short runs in f32. How the work is cut depends on shapes alone, so a result does not
// depend on the number of threads.
#ifndef DIT_BACKEND_CPU_REDUCE_H
#define DIT_BACKEND_CPU_REDUCE_H

#include "backend/cpu/nest.h"

enum { DIT_REDUCE_COLUMNS = 512 }; // of one task

typedef struct dit_reduction {
    double start; // the total of nothing
    // Takes n floats, `stride` bytes apart, into *total.
    void (*row)(double *total, const char *x, int64_t stride, int64_t n);
    // Takes n rows, `stride` bytes apart, of `width` (at most DIT_REDUCE_COLUMNS) contiguous floats into total[width].
    void (*columns)(double *total, const char *x, int64_t stride, int64_t n, int64_t width);
    void (*merge)(double *total, const double *part, int64_t n);
} dit_reduction;

// Bytes of scratch for reducing call->in[0] over `axes`.
size_t dit_reduce_workspace(const dit_op_call *call, unsigned axes);
// out[0] = the totals over `axes` times `scale`.
void dit_reduce_run(const dit_op_call *call, unsigned axes, const dit_reduction *reduction, double scale);

#endif
