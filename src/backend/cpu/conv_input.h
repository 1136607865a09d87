// backend/cpu/conv_input.h: the gradient of a convolution with respect to its input, which is a transposed convolution.
#ifndef DIT_BACKEND_CPU_CONV_INPUT_H
#define DIT_BACKEND_CPU_CONV_INPUT_H

#include "backend/conv_geometry.h"
#include "backend/cpu/isa.h"

// dx = bias + the sum of weight times dy over all outputs that saw an input; bias (groups * C) may be NULL. The
// workspace holds dit_conv_input_workspace(c) bytes, 64-byte aligned.
#define dit_conv_input DIT_CPU_SYMBOL(dit_conv_input)
void dit_conv_input(const dit_conv_geometry *c, const float *dy, const float *weight, const float *bias, float *dx,
                    void *workspace);
#define dit_conv_input_workspace DIT_CPU_SYMBOL(dit_conv_input_workspace)
size_t dit_conv_input_workspace(const dit_conv_geometry *c);

#endif
