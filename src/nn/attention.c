// nn/attention.c: multi-head attention with projections.
// Vaswani et al. 2017 (arXiv 1706.03762), section 3.2; grouped-query heads: Ainslie et al. 2023 (arXiv 2305.13245).
#include "nn/nn.h"
#include <math.h>

// x: (B, T, C) -> (B, T, heads, head_width)
static dit_tensor project(dit_graph *g, const char *name, dit_tensor x, int64_t heads, int64_t head_width, bool bias)
{
    dit_tensor y = nn_linear(g, name, x, heads * head_width, bias);
    return dit_reshape(g, y, DIT_SHAPE(dit_extent(g, y, 0), dit_extent(g, y, 1), heads, head_width));
}

static dit_tensor norm_and_rope(dit_graph *g, const char *norm, dit_tensor x, const nn_attention_options *o)
{
    if (o->qk_norm)
        x = nn_rms_norm(g, norm, x, o->qk_norm_eps);
    return dit_is_none(o->rope) ? x : dit_rope(g, x, o->rope, o->rope_interleaved, false);
}

dit_tensor nn_attention(dit_graph *g, const char *name, dit_tensor x, dit_tensor context, const nn_attention_options *o)
{
    dit_tensor y = DIT_NONE;
    int64_t kv_heads = o->kv_heads ? o->kv_heads : o->heads;
    if (dit_is_none(context))
        context = x;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor q = project(g, "to_q", x, o->heads, o->head_width, !o->no_qkv_bias);       // (B, T, H, D)
        dit_tensor k = project(g, "to_k", context, kv_heads, o->head_width, !o->no_qkv_bias); // (B, S, Hkv, D)
        dit_tensor v = project(g, "to_v", context, kv_heads, o->head_width, !o->no_qkv_bias); // (B, S, Hkv, D)
        q = dit_tap(g, "q", norm_and_rope(g, "norm_q", q, o));
        k = dit_tap(g, "k", norm_and_rope(g, "norm_k", k, o));
        v = dit_tap(g, "v", v);
        y = dit_attention(g, q, k, v, o->mask, 1 / sqrtf((float)o->head_width), false); // (B, T, H, D)
        y = dit_reshape(g, y, DIT_SHAPE(dit_extent(g, y, 0), dit_extent(g, y, 1), (int64_t)o->heads * o->head_width));
        y = nn_linear(g, "to_out.0", y, dit_extent(g, x, -1), !o->no_output_bias); // (B, T, C)
    }
    return y;
}
