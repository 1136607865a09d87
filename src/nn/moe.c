// nn/moe.c: routed and shared experts.
#include "nn/moe.h"

// What the routed experts are given: the choices of all tokens, R = N * active rows, in the order of their experts.
struct routed {
    const nn_moe_options *options;
    dit_tensor experts; // (R) i64, ascending
    dit_dtype dtype;    // of the network
};

// y = x @ weight^T + what adapters add (nn/linear.c), on the rows of expert `i`; the other rows are those of `others`.
// x: (R, K) f32 -> (R, width) f32.
static dit_tensor expert_linear(dit_graph *g, const struct routed *r, dit_tensor x, int64_t width, dit_tensor others,
                                int i)
{
    int64_t K = dit_extent(g, x, -1);
    int count = r->options->experts;
    dit_tensor w = dit_parameter(g, "weight", DIT_SHAPE(width, K), dit_initial_xavier(K, width));
    nn_adapter a;
    if (!nn_adapter_at(g, 0, K, width, &a))
        return dit_grouped_linear(g, x, w, r->experts, others, i, count);
    dit_tensor y = dit_grouped_linear(g, x, w, r->experts, DIT_NONE, i, count); // zeros in the other rows
    for (int k = 0; nn_adapter_at(g, k, K, width, &a); k++) {
        dit_tensor h = dit_grouped_linear(g, x, a.down, r->experts, DIT_NONE, i, count);   // (R, rank)
        y = dit_add(g, y, dit_grouped_linear(g, h, a.up, r->experts, DIT_NONE, i, count)); // (R, width)
        y = dit_is_none(a.row_factor) ? y : dit_mul(g, y, a.row_factor);
    }
    return dit_is_none(others) ? y : dit_add(g, y, others);
}

// Every row through the layer `name` of its own expert. x: (R, K) in the network's dtype -> (R, width). In f32 from
// layer to layer of the chain, so that only its end is rounded.
static dit_tensor experts_linear(dit_graph *g, const struct routed *r, const char *name, dit_tensor x, int64_t width)
{
    dit_tensor y = DIT_NONE, wide = r->dtype == DIT_F32 ? x : dit_cast(g, x, DIT_F32);
    for (int i = 0; i < r->options->experts; i++)
        DIT_SCOPE (g, "experts.%d.%s", i, name)
            y = expert_linear(g, r, wide, width, y, i);
    return r->dtype == DIT_F32 ? y : dit_cast(g, y, r->dtype);
}

// nn_swiglu of every row's own expert. x: (R, C) -> (R, C).
static dit_tensor experts_swiglu(dit_graph *g, const struct routed *r, dit_tensor x)
{
    const nn_moe_options *o = r->options;
    dit_tensor gate = dit_silu(g, experts_linear(g, r, o->names[0], x, o->width)); // (R, width)
    dit_tensor h = dit_mul(g, gate, experts_linear(g, r, o->names[1], x, o->width));
    return experts_linear(g, r, o->names[2], h, dit_extent(g, x, -1));
}

// x: (B, T, C) -> (B, T, C)
static dit_tensor routed_experts(dit_graph *g, dit_tensor x, const nn_moe_options *o)
{
    int64_t C = dit_extent(g, x, -1), N = dit_extent(g, x, 0) * dit_extent(g, x, 1), R = N * o->active;
    dit_tensor scores = dit_softmax(g, nn_linear(g, "gate", x, o->experts, false), -1); // (B, T, experts)
    dit_tensor best = dit_top_k(g, scores, o->active);                                  // (B, T, active)
    dit_tensor experts = dit_route(g, dit_sibling(g, best, 1), o->experts);
    dit_tensor token = dit_sibling(g, experts, 1), choice = dit_sibling(g, experts, 2); // (R)
    dit_tensor places = dit_sibling(g, experts, 3);                                     // (N, active)
    struct routed r = {.options = o, .experts = experts, .dtype = dit_dtype_of(g, x)};
    dit_tensor h = experts_swiglu(g, &r, dit_embedding(g, dit_reshape(g, x, DIT_SHAPE(N, C)), token)); // (R, C)
    h = dit_mul(g, h, dit_embedding(g, dit_reshape(g, best, DIT_SHAPE(R, 1)), choice));
    dit_tensor y = DIT_NONE;
    for (int i = 0; i < o->active; i++) { // in the order of experts, rounded after each
        dit_tensor place = dit_reshape(g, dit_slice(g, places, 1, i, 1, 1), DIT_SHAPE(N));
        dit_tensor part = dit_embedding(g, h, place); // (N, C)
        y = i ? dit_add(g, y, part) : part;
    }
    return dit_reshape(g, y, *dit_shape_of(g, x));
}

dit_tensor nn_moe(dit_graph *g, const char *name, dit_tensor x, const nn_moe_options *o)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name)
        y = dit_add(g, dit_detach(g, routed_experts(g, x, o)),
                    nn_swiglu(g, "shared_experts", x, o->shared_width, o->names));
    return y;
}
