// nn/convolution.c: convolutions of images.
#include "nn/nn.h"
#include <math.h>

// A convolution with one pixel: a linear layer over the channels. x: (B, C, H, W).
static dit_tensor of_pixels(dit_graph *g, dit_tensor x, dit_tensor weight, dit_tensor bias, int64_t features, int64_t C)
{
    dit_tensor pixels = dit_permute(g, x, (int[]){0, 2, 3, 1});                                 // (B, H, W, C)
    dit_tensor y = dit_linear(g, pixels, dit_reshape(g, weight, DIT_SHAPE(features, C)), bias); // (B, H, W, features)
    return dit_permute(g, y, (int[]){0, 3, 1, 2});
}

dit_tensor nn_conv(dit_graph *g, const char *name, dit_tensor x, int64_t features, const nn_conv_options *o)
{
    int stride = o->stride ? o->stride : 1, padding = o->no_padding ? 0 : o->kernel / 2;
    const dit_window window = {.axes = 2,
                               .stride = {stride, stride},
                               .padding = {padding, padding},
                               .dilation = {1, 1},
                               .groups = o->groups ? o->groups : 1};
    int64_t C = dit_extent(g, x, 1) / window.groups, fan_in = C * o->kernel * o->kernel;
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(features, C, o->kernel, o->kernel),
                                          DIT_INITIAL_UNIFORM(1 / sqrtf((float)fan_in)));
        dit_tensor bias = o->no_bias ? DIT_NONE : dit_parameter(g, "bias", DIT_SHAPE(features), DIT_INITIAL_ZEROS);
        // In bf16 linear layers have the faster kernel.
        bool linear = o->kernel == 1 && stride == 1 && window.groups == 1 && dit_dtype_of(g, x) == DIT_BF16;
        y = linear ? of_pixels(g, x, weight, bias, features, C) : dit_conv(g, x, weight, bias, &window);
    }
    return y;
}

dit_tensor nn_conv_2d(dit_graph *g, const char *name, dit_tensor x, int64_t features, int kernel, int stride)
{
    return nn_conv(g, name, x, features, &(nn_conv_options){.kernel = kernel, .stride = stride});
}
