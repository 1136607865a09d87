// backend/cpu/winograd.h: 3x3 convolutions with fewer multiplications.
#ifndef DIT_BACKEND_CPU_WINOGRAD_H
#define DIT_BACKEND_CPU_WINOGRAD_H

#include "backend/conv_geometry.h"
#include "backend/cpu/isa.h"

typedef struct dit_winograd {
    dit_conv_geometry geometry; // of the picture that the kernel slides over
    bool doubled;               // every element of x is four of that picture's: x has half its extents
    const float *x, *weight;
    const float *bias, *residual; // NULL: none; the residual may be y itself
    dit_activation activation;    // of conv + bias, before the residual is added
    float *y;
} dit_winograd;

// Whether this way suits the convolution: 3x3, stride 1, no groups, enough channels and pixels.
#define dit_winograd_suits DIT_CPU_SYMBOL(dit_winograd_suits)
bool dit_winograd_suits(const dit_conv_geometry *c, bool doubled);
// y = residual + activation(conv(x, weight) + bias). The workspace holds dit_winograd_workspace(w) bytes, 64-byte
// aligned.
#define dit_winograd_run DIT_CPU_SYMBOL(dit_winograd_run)
void dit_winograd_run(const dit_winograd *w, void *workspace);
#define dit_winograd_workspace DIT_CPU_SYMBOL(dit_winograd_workspace)
size_t dit_winograd_workspace(const dit_winograd *w);

#endif
