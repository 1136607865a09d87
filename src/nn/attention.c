// nn/attention.c: multi-head attention with projections.
// Vaswani et al. 2017 (arXiv 1706.03762), section 3.2; grouped-query heads: Ainslie et al. 2023 (arXiv 2305.13245).
#include "nn/nn.h"
#include <math.h>

// x: (B, T, heads * head_width) -> (B, T, heads, head_width), normed on the right side of the split.
static dit_tensor split_and_norm(dit_graph *g, const char *norm, dit_tensor x, int heads, const nn_attention_options *o)
{
    dit_shape split = DIT_SHAPE(dit_extent(g, x, 0), dit_extent(g, x, 1), heads, o->head_width);
    switch (norm ? o->qk_norm : NN_QK_NONE) {
    case NN_QK_NONE:
        return dit_reshape(g, x, split);
    case NN_QK_RMS:
        return nn_rms_norm(g, norm, dit_reshape(g, x, split), o->qk_norm_eps);
    case NN_QK_PLAIN_LAYER:
        return nn_layer_norm(g, NULL, dit_reshape(g, x, split), o->qk_norm_eps);
    case NN_QK_RMS_ONCE:
        return nn_rms_norm_once(g, norm, dit_reshape(g, x, split), o->qk_norm_eps);
    case NN_QK_LAYER:
        return nn_layer_norm(g, norm, dit_reshape(g, x, split), o->qk_norm_eps);
    case NN_QK_RMS_ALL:
        return dit_reshape(g, nn_rms_norm(g, norm, x, o->qk_norm_eps), split);
    case NN_QK_LAYER_ALL:
        return dit_reshape(g, nn_layer_norm(g, norm, x, o->qk_norm_eps), split);
    case NN_QK_L2_ALL:
        return dit_reshape(g, nn_l2_norm(g, x, o->qk_norm_eps), split);
    }
    return DIT_NONE;
}

// What was projected, (B, T, heads * head_width), as heads, (B, T, heads, head_width), normed and turned.
static dit_tensor norm_and_turn(dit_graph *g, const char *norm, dit_tensor y, int heads, dit_tensor rope,
                                const nn_attention_options *o)
{
    y = split_and_norm(g, norm, y, heads, o);
    return !norm || dit_is_none(rope) ? y : dit_rope(g, y, rope, o->rope_interleaved, false);
}

dit_tensor nn_heads(dit_graph *g, const char *projection, const char *norm, dit_tensor x, int heads, dit_tensor rope,
                    const nn_attention_options *o)
{
    dit_tensor y = nn_linear(g, projection, x, (int64_t)heads * o->head_width, !o->no_qkv_bias);
    return norm_and_turn(g, norm, y, heads, rope, o);
}

static dit_tensor queries(dit_graph *g, dit_tensor x, const nn_attention_options *o)
{
    if (!o->queries_apart || o->no_qkv_bias)
        return nn_heads(g, "to_q", "norm_q", x, o->heads, o->rope, o);
    dit_tensor y = nn_linear_apart(g, "to_q", x, (int64_t)o->heads * o->head_width);
    return norm_and_turn(g, "norm_q", y, o->heads, o->rope, o);
}

// x: (B, rows * columns, C) -> (B, rows / factor * (columns / factor), C).
static dit_tensor compress(dit_graph *g, dit_tensor x, const nn_key_compression *c)
{
    const float norm_eps = 1e-5f;
    int64_t B = dit_extent(g, x, 0), C = dit_extent(g, x, 2);
    const nn_conv_options depthwise = {.kernel = c->factor, .stride = c->factor, .groups = (int)C, .no_padding = true};
    if (c->rows < c->factor || c->columns < c->factor) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%lldx%lld patches are too few to compress keys by %d", (long long)c->rows,
                       (long long)c->columns, c->factor);
        return DIT_NONE;
    }
    x = dit_permute(g, dit_reshape(g, x, DIT_SHAPE(B, c->rows, c->columns, C)), (int[]){0, 3, 1, 2});
    x = dit_permute(g, nn_conv(g, "sr", x, C, &depthwise), (int[]){0, 2, 3, 1}); // (B, rows', columns', C)
    x = dit_reshape(g, x, DIT_SHAPE(B, dit_extent(g, x, 1) * dit_extent(g, x, 2), C));
    return nn_layer_norm(g, "norm", x, norm_eps);
}

// Keys or values: context (B, S, C') -> (B, S', heads, head_width).
static dit_tensor context_heads(dit_graph *g, const char *projection, const char *norm, dit_tensor context, int heads,
                                dit_tensor rope, const nn_attention_options *o)
{
    dit_tensor y = nn_linear(g, projection, context, (int64_t)heads * o->head_width, !o->no_qkv_bias);
    if (o->compression.factor > 1)
        y = compress(g, y, &o->compression);
    return norm_and_turn(g, norm, y, heads, rope, o);
}

dit_tensor nn_attention(dit_graph *g, const char *name, dit_tensor x, dit_tensor context, const nn_attention_options *o)
{
    dit_tensor y = DIT_NONE;
    int kv_heads = o->kv_heads ? o->kv_heads : o->heads;
    dit_tensor key_rope = o->rope_queries_only ? DIT_NONE : o->rope;
    float scale = o->scale > 0 ? o->scale : 1 / sqrtf((float)o->head_width);
    if (dit_is_none(context))
        context = x;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor q = queries(g, x, o);                                                   // (B, T, H, D)
        dit_tensor k = context_heads(g, "to_k", "norm_k", context, kv_heads, key_rope, o); // (B, S, Hkv, D)
        dit_tensor v = context_heads(g, "to_v", NULL, context, kv_heads, DIT_NONE, o);     // (B, S, Hkv, D)
        q = dit_tap(g, "q", q);
        k = dit_tap(g, "k", k);
        v = dit_tap(g, "v", v);
        y = dit_attention(g, q, k, v, o->mask, scale, false); // (B, T, H, D)
        y = dit_reshape(g, y, DIT_SHAPE(dit_extent(g, y, 0), dit_extent(g, y, 1), (int64_t)o->heads * o->head_width));
        if (!o->no_output)
            y = nn_linear(g, "to_out.0", y, dit_extent(g, x, -1), !o->no_output_bias); // (B, T, C)
    }
    return y;
}

dit_tensor nn_attention_bias(dit_graph *g, const char *argument, dit_tensor mask, int64_t batch, int64_t keys,
                             dit_dtype dtype)
{
    const dit_shape *shape = dit_shape_of(g, mask);
    if (dit_is_none(mask))
        return mask;
    if (dit_extent(g, mask, 0) != batch || dit_extent(g, mask, -1) != keys) {
        char text[160];
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is %s for %lld samples and %lld keys", argument,
                       dit_shape_text(shape, text), (long long)batch, (long long)keys);
        return DIT_NONE;
    }
    if (dit_dtype_of(g, mask) != dtype)
        mask = dit_cast(g, mask, dtype);
    if (shape->rank == 2) // 1: keep, 0: discard; in two steps, for the rounding of half precisions
        mask = dit_affine(g, dit_affine(g, mask, -1, 1), -10000, 0);
    return dit_reshape(g, mask, DIT_SHAPE(batch, 1, shape->rank == 2 ? 1 : shape->dim[1], keys));
}
