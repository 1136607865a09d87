// nn/convolution.c: convolutions of images.
#include "nn/nn.h"
#include <math.h>

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
        y = dit_conv(g, x, weight, bias, &window);
    }
    return y;
}

dit_tensor nn_conv_2d(dit_graph *g, const char *name, dit_tensor x, int64_t features, int kernel, int stride)
{
    return nn_conv(g, name, x, features, &(nn_conv_options){.kernel = kernel, .stride = stride});
}
