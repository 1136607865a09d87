// nn/joint_attention.c: one attention over two streams, each with its own projections.
#include "nn/joint_attention.h"
#include <math.h>

// The streams' queries, keys or values as one sequence.
static dit_tensor join(dit_graph *g, dit_tensor x, dit_tensor context, const nn_joint_options *joint)
{
    return dit_concat(g, joint->context_first ? (dit_tensor[]){context, x} : (dit_tensor[]){x, context}, 2, 1);
}

// Rows of the joint rope table (S + T, D/2, 2) or (B, S + T, D/2, 2).
static dit_tensor rows_of(dit_graph *g, dit_tensor table, int64_t start, int64_t count)
{
    return dit_is_none(table) ? table : dit_slice(g, table, -3, start, count, 1);
}

static dit_tensor project(dit_graph *g, const char *name, dit_tensor y, int64_t width, const nn_attention_options *o,
                          const nn_joint_options *joint)
{
    return joint->outputs_apart ? nn_linear_apart(g, name, y, width) : nn_linear(g, name, y, width, !o->no_output_bias);
}

dit_tensor nn_joint_attention(dit_graph *g, const char *name, dit_tensor x, dit_tensor *context,
                              const nn_attention_options *o, const nn_joint_options *joint)
{
    int64_t B = dit_extent(g, x, 0), T = dit_extent(g, x, 1), S = dit_extent(g, *context, 1);
    int64_t start = joint->context_first ? S : 0, context_start = joint->context_first ? 0 : T;
    int64_t width = dit_extent(g, x, -1), context_width = dit_extent(g, *context, -1);
    dit_tensor c = *context, y = DIT_NONE;
    dit_tensor rope = rows_of(g, o->rope, start, T), context_rope = rows_of(g, o->rope, context_start, S);
    *context = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor q = nn_heads(g, "to_q", "norm_q", x, o->heads, rope, o);                             // (B, T, H, D)
        dit_tensor k = nn_heads(g, "to_k", "norm_k", x, o->heads, rope, o);                             // (B, T, H, D)
        dit_tensor v = nn_heads(g, "to_v", NULL, x, o->heads, DIT_NONE, o);                             // (B, T, H, D)
        dit_tensor context_q = nn_heads(g, "add_q_proj", "norm_added_q", c, o->heads, context_rope, o); // (B, S, H, D)
        dit_tensor context_k = nn_heads(g, "add_k_proj", "norm_added_k", c, o->heads, context_rope, o); // (B, S, H, D)
        dit_tensor context_v = nn_heads(g, "add_v_proj", NULL, c, o->heads, DIT_NONE, o);               // (B, S, H, D)
        q = dit_tap(g, "q", join(g, q, context_q, joint)); // (B, S + T, H, D)
        k = dit_tap(g, "k", join(g, k, context_k, joint));
        v = dit_tap(g, "v", join(g, v, context_v, joint));
        y = dit_attention(g, q, k, v, o->mask, 1 / sqrtf((float)o->head_width), false);
        y = dit_reshape(g, y, DIT_SHAPE(B, S + T, (int64_t)o->heads * o->head_width));
        if (!joint->context_pre_only)
            *context = project(g, "to_add_out", dit_slice(g, y, 1, context_start, S, 1), context_width, o,
                               joint);                                                // (B, S, C')
        y = project(g, "to_out.0", dit_slice(g, y, 1, start, T, 1), width, o, joint); // (B, T, C)
    }
    return y;
}
