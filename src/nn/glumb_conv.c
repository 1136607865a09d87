// nn/glumb_conv.c: see the header.
#include "nn/glumb_conv.h"

dit_tensor nn_glumb_conv(dit_graph *g, const char *name, dit_tensor x, int64_t hidden, int64_t features)
{
    const nn_conv_options point = {.kernel = 1}, depth = {.kernel = 3, .groups = (int)(2 * hidden)},
                          last = {.kernel = 1, .no_bias = true};
    dit_tensor y = DIT_NONE, half[2];
    DIT_SCOPE (g, "%s", name) {
        dit_tensor h = dit_silu(g, nn_conv(g, "conv_inverted", x, 2 * hidden, &point)); // (B, 2 hidden, H, W)
        nn_chunk(g, nn_conv(g, "conv_depth", h, 2 * hidden, &depth), 1, 2, half);       // (B, hidden, H, W) each
        y = nn_conv(g, "conv_point", dit_mul(g, half[0], dit_silu(g, half[1])), features, &last);
    }
    return y;
}
