// backend/cpu/depthwise.h: convolutions with one input and one output channel a group, which leave a product nothing to
// share: sums of shifted rows instead.
#ifndef DIT_BACKEND_CPU_DEPTHWISE_H
#define DIT_BACKEND_CPU_DEPTHWISE_H

#include "backend/conv_geometry.h"
#include "backend/cpu/isa.h"

static inline bool dit_is_depthwise(const dit_conv_geometry *c)
{
    return c->C == 1 && c->O == 1;
}

// y = conv(x, weight) + bias; bias may be NULL.
#define dit_depthwise DIT_CPU_SYMBOL(dit_depthwise)
void dit_depthwise(const dit_conv_geometry *c, const float *x, const float *weight, const float *bias, float *y);

// dx: each dy is added to the places that it came from, times the weight; every dx starts at its channel's bias.
#define dit_depthwise_input DIT_CPU_SYMBOL(dit_depthwise_input)
void dit_depthwise_input(const dit_conv_geometry *c, const float *dy, const float *weight, const float *bias,
                         float *dx);

// dweight, from all pictures.
#define dit_depthwise_weight DIT_CPU_SYMBOL(dit_depthwise_weight)
void dit_depthwise_weight(const dit_conv_geometry *c, const float *dy, const float *x, float *dweight);

#endif
