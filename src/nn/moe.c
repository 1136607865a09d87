// nn/moe.c: routed and shared experts.
#include "nn/moe.h"
#include <stdio.h>

// The score of expert `i` where it is among the best of a token, and zero elsewhere. best, chosen: (B, T, active);
// returns (B, T, 1).
static dit_tensor score_of(dit_graph *g, dit_tensor best, dit_tensor chosen, int64_t i)
{
    dit_tensor none = dit_cast(g, dit_scalar(g, 0), dit_dtype_of(g, best));
    dit_tensor is_i = dit_equal(g, chosen, dit_constant(g, DIT_I64, DIT_SCALAR, &i));
    return dit_sum(g, dit_where(g, is_i, best, none), 1u << 2, true);
}

dit_tensor nn_moe(dit_graph *g, const char *name, dit_tensor x, const nn_moe_options *o)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor scores = dit_softmax(g, nn_linear(g, "gate", x, o->experts, false), -1); // (B, T, experts)
        dit_tensor best = dit_top_k(g, scores, o->active);                                  // (B, T, active)
        dit_tensor chosen = dit_sibling(g, best, 1);                                        // (B, T, active)
        for (int i = 0; i < o->experts; i++) {
            char expert[32];
            snprintf(expert, sizeof expert, "experts.%d", i);
            dit_tensor h = nn_swiglu(g, expert, x, o->width, o->names); // (B, T, C)
            h = dit_mul(g, h, score_of(g, best, chosen, i));
            y = i ? dit_add(g, y, h) : h;
        }
        y = dit_add(g, dit_detach(g, y), nn_swiglu(g, "shared_experts", x, o->shared_width, o->names));
    }
    return y;
}
