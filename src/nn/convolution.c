// nn/convolution.c: convolutions of images.
#include "nn/nn.h"
#include <math.h>

dit_tensor nn_conv_2d(dit_graph *g, const char *name, dit_tensor x, int64_t features, int kernel, int stride)
{
    const dit_window window = {
        .axes = 2, .stride = {stride, stride}, .padding = {kernel / 2, kernel / 2}, .dilation = {1, 1}, .groups = 1};
    int64_t C = dit_extent(g, x, 1), fan_in = C * kernel * kernel;
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(features, C, kernel, kernel),
                                          DIT_INITIAL_UNIFORM(1 / sqrtf((float)fan_in)));
        dit_tensor bias = dit_parameter(g, "bias", DIT_SHAPE(features), DIT_INITIAL_ZEROS);
        y = dit_conv(g, x, weight, bias, &window);
    }
    return y;
}
