// models/decoder.c: the forward pass of decoder-only language models. Touvron et al. 2023 (arXiv 2302.13971), section
// 2.2; Gemma 2: arXiv 2408.00118, section 2; Qwen 3: arXiv 2505.09388, section 2. Weight names: transformers'.
#include "models/decoder.h"
#include <math.h>
#include <stdlib.h>

const dit_argument dit_decoder_arguments[] = {{"input_ids", DIT_REQUIRED, 2, 2},
                                              {"attention_mask", DIT_OPTIONAL, 2, 2},
                                              {"position_ids", DIT_OPTIONAL, 2, 2},
                                              {"output_hidden_states", DIT_CONSTANT, 0, 1},
                                              {0}};

// NAME.weight over the last axis. Two casts differ: Llama rounds before the multiplication, Gemma after it.
static dit_tensor norm(dit_graph *g, const dit_decoder_config *c, const char *name, dit_tensor x)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(dit_extent(g, x, -1)),
                                          c->unit_offset_norm ? DIT_INITIAL_ZEROS : DIT_INITIAL_ONES);
        if (c->unit_offset_norm && dit_dtype_of(g, weight) != DIT_F32)
            weight = dit_cast(g, weight, DIT_F32);
        if (c->unit_offset_norm)
            y = dit_rms_norm(g, x, dit_affine(g, weight, 1, 1), c->norm_eps);
        else if (dit_dtype_of(g, x) == DIT_F32)
            y = dit_rms_norm(g, x, weight, c->norm_eps);
        else
            y = dit_mul(g, dit_rms_norm(g, x, DIT_NONE, c->norm_eps), weight);
    }
    return y;
}

// Rotary positions
// -----------------------------------------------------------------------------------------------------

// The turn, in radians a token, of pair i of a head; every step rounded to f32 as the reference has it.
static float frequency(const dit_decoder_rope *rope, int i, int head_width)
{
    float plain = 1 / (float)pow((double)rope->theta, (double)((float)(2 * i) / (float)head_width));
    float factor = (float)rope->factor;
    if (rope->kind == DIT_ROPE_PLAIN)
        return plain;
    if (rope->kind == DIT_ROPE_LINEAR)
        return plain / factor;
    if (rope->kind == DIT_ROPE_FACTORS)
        return plain / rope->factors[i];
    float length = (float)(2 * M_PI) / plain; // of a whole turn, in tokens
    if (length < (float)(rope->original_length / rope->high))
        return plain;
    if (length > (float)(rope->original_length / rope->low))
        return plain / factor;
    float ramp = ((float)rope->original_length / length - (float)rope->low) / (float)(rope->high - rope->low);
    return (1 - ramp) * plain / factor + ramp * plain;
}

// Cosines and sines of every position, (T, D/2, 2) or (B, T, D/2, 2) f32, rounded to the network's dtype.
static dit_tensor rope_table(dit_graph *g, const dit_decoder_config *c, const dit_text_inputs *in)
{
    int half = c->head_width / 2;
    int64_t count = in->length > half ? in->length : half;
    float *values = malloc((size_t)count * sizeof *values);
    if (!values) {
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory for the positions of %lld tokens", (long long)in->length);
        return DIT_NONE;
    }
    for (int i = 0; i < half; i++)
        values[i] = frequency(&c->rope, i, c->head_width);
    dit_tensor frequencies = dit_constant(g, DIT_F32, DIT_SHAPE(half), values), positions = in->positions;
    if (dit_is_none(positions)) {
        for (int64_t t = 0; t < in->length; t++)
            values[t] = (float)t;
        positions = dit_constant(g, DIT_F32, DIT_SHAPE(in->length, 1), values);
    } else {
        int64_t rows = dit_extent(g, positions, 0);
        dit_shape shape = rows == 1 ? DIT_SHAPE(in->length, 1) : DIT_SHAPE(rows, in->length, 1);
        positions = dit_reshape(g, dit_cast(g, positions, DIT_F32), shape);
    }
    free(values);
    dit_tensor angles = dit_mul(g, positions, frequencies); // (..., T, D/2)
    dit_shape pair = *dit_shape_of(g, angles);
    pair.dim[pair.rank++] = 1;
    dit_tensor parts[] = {dit_reshape(g, dit_cos(g, angles), pair), dit_reshape(g, dit_sin(g, angles), pair)};
    dit_tensor table = dit_concat(g, parts, 2, pair.rank - 1);
    return in->dtype == DIT_F32 ? table : dit_cast(g, dit_cast(g, table, in->dtype), DIT_F32);
}

// Masks
// ----------------------------------------------------------------------------------------------------------------

// What the attention of a layer is told of who sees whom.
struct visibility {
    dit_tensor mask;
    bool causal;
};

// (B or 1, 1, T, T): which tokens belong to one text, when texts lie side by side in a row: a text starts where a
// position does not follow the one before it.
static dit_tensor same_text(dit_graph *g, const dit_text_inputs *in)
{
    int64_t B = dit_extent(g, in->positions, 0), T = in->length;
    dit_tensor p = dit_cast(g, in->positions, DIT_F32); // (B, T)
    if (T == 1)
        return DIT_NONE;
    dit_tensor step = dit_sub(g, dit_slice(g, p, 1, 1, T - 1, 1), dit_slice(g, p, 1, 0, T - 1, 1)); // (B, T - 1)
    dit_tensor starts = dit_affine(g, dit_cast(g, dit_equal(g, step, dit_scalar(g, 1)), DIT_F32), -1, 1);
    starts =
        dit_pad(g, starts, (int64_t[]){0, 1}, (int64_t[]){0, 0}, DIT_PAD_VALUE, 0); // (B, T), 0 for the first token
    dit_tensor before = dit_reshape(g, dit_text_causal(g, T, 0), DIT_SHAPE(T, T));  // [t][s]: s <= t
    dit_tensor text = dit_matmul(g, starts, dit_transpose(g, dit_cast(g, before, DIT_F32), 0, 1)); // (B, T): its number
    return dit_equal(g, dit_reshape(g, text, DIT_SHAPE(B, 1, T, 1)), dit_reshape(g, text, DIT_SHAPE(B, 1, 1, T)));
}

static struct visibility visibility(dit_graph *g, const dit_decoder_config *c, const dit_text_inputs *in, int window)
{
    struct visibility v = {in->padding, true};
    if (c->packed_positions && dit_is_none(v.mask) && !dit_is_none(in->positions))
        v.mask = same_text(g, in);
    if (window > 0 && window < in->length)
        v = (struct visibility){dit_text_both(g, dit_text_causal(g, in->length, window), v.mask), false};
    if (c->mean_of_shut) {
        if (v.causal)
            v.mask = dit_text_both(g, dit_text_causal(g, in->length, 0), v.mask);
        v = (struct visibility){dit_text_bias(g, v.mask, DIT_NONE, DIT_F32), false};
    }
    return v;
}

// Layers
// ---------------------------------------------------------------------------------------------------------------

// softmax(cap tanh(q k^T scale / cap) + bias) v, as matrices, since attention knows no function of its scores. q: (B,
// T, H, D); k, v: (B, T, Hkv, D); bias: (B or 1, 1, T, T). Returns (B, T, H, D).
static dit_tensor capped_attention(dit_graph *g, const dit_decoder_config *c, dit_tensor q, dit_tensor k, dit_tensor v,
                                   dit_tensor bias, float scale)
{
    int64_t B = dit_extent(g, q, 0), T = dit_extent(g, q, 1), H = dit_extent(g, q, 2), D = dit_extent(g, q, 3);
    int64_t kv = dit_extent(g, k, 2), group = H / kv;
    dit_dtype dtype = dit_dtype_of(g, q);
    q = dit_permute(g, dit_reshape(g, q, DIT_SHAPE(B, T, kv, group, D)), (int[]){0, 2, 3, 1, 4}); // (B, Hkv, G, T, D)
    k = dit_permute(g, dit_reshape(g, k, DIT_SHAPE(B, T, kv, 1, D)), (int[]){0, 2, 3, 4, 1});     // (B, Hkv, 1, D, T)
    v = dit_permute(g, dit_reshape(g, v, DIT_SHAPE(B, T, kv, 1, D)), (int[]){0, 2, 3, 1, 4});     // (B, Hkv, 1, T, D)
    dit_tensor s = dit_affine(g, dit_matmul(g, q, k), scale, 0);                                  // (B, Hkv, G, T, T)
    s = dit_affine(g, dit_tanh(g, dit_affine(g, s, 1 / c->soft_cap, 0)), c->soft_cap, 0);
    if (dtype != DIT_F32)
        s = dit_cast(g, s, DIT_F32);
    dit_shape rows = DIT_SHAPE(dit_extent(g, bias, 0), 1, 1, T, T);
    s = dit_softmax(g, dit_add(g, s, dit_reshape(g, bias, rows)), -1);
    if (dtype != DIT_F32)
        s = dit_cast(g, s, dtype);
    dit_tensor y = dit_permute(g, dit_matmul(g, s, v), (int[]){0, 3, 1, 2, 4}); // (B, T, Hkv, G, D)
    return dit_reshape(g, y, DIT_SHAPE(B, T, H, D));
}

// Heads turned by the positions' table. In half precision each product and their sum is rounded, as the reference has
// it. x: (B, T, H, D).
static dit_tensor turn(dit_graph *g, dit_tensor x, dit_tensor table)
{
    dit_dtype dtype = dit_dtype_of(g, x);
    if (dtype == DIT_F32)
        return dit_rope(g, x, table, false, false);
    dit_shape s = *dit_shape_of(g, table); // (T, D/2, 2) or (B, T, D/2, 2)
    dit_tensor part[2], half[2];           // cosines and sines, (T, 1, D/2) or (B, T, 1, D/2); (B, T, H, D/2)
    nn_chunk(g, dit_cast(g, table, dtype), -1, 2, part);
    nn_chunk(g, x, -1, 2, half);
    s.dim[s.rank - 1] = s.dim[s.rank - 2];
    s.dim[s.rank - 2] = 1;
    dit_tensor cosine = dit_reshape(g, part[0], s), sine = dit_reshape(g, part[1], s);
    dit_tensor first = dit_sub(g, dit_mul(g, half[0], cosine), dit_mul(g, half[1], sine));
    dit_tensor second = dit_add(g, dit_mul(g, half[1], cosine), dit_mul(g, half[0], sine));
    return dit_concat(g, (dit_tensor[]){first, second}, 2, 3);
}

// x: (B, T, C) -> (B, T, C)
static dit_tensor attention(dit_graph *g, const dit_decoder_config *c, dit_tensor x, dit_tensor table,
                            const struct visibility *seen)
{
    float scale = c->query_scale > 0 ? c->query_scale : 1 / sqrtf((float)c->head_width);
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "self_attn") {
        dit_tensor q = dit_text_heads(g, "q_proj", x, c->heads, c->head_width, c->qkv_bias);    // (B, T, H, D)
        dit_tensor k = dit_text_heads(g, "k_proj", x, c->kv_heads, c->head_width, c->qkv_bias); // (B, T, Hkv, D)
        dit_tensor v = dit_text_heads(g, "v_proj", x, c->kv_heads, c->head_width, c->qkv_bias); // (B, T, Hkv, D)
        if (c->qk_norm) {
            q = norm(g, c, "q_norm", q);
            k = norm(g, c, "k_norm", k);
        }
        q = turn(g, q, table);
        k = turn(g, k, table);
        y = c->soft_cap > 0 ? capped_attention(g, c, q, k, v, seen->mask, scale)
                            : dit_attention(g, q, k, v, seen->mask, scale, seen->causal); // (B, T, H, D)
        y = dit_reshape(g, y, DIT_SHAPE(dit_extent(g, y, 0), dit_extent(g, y, 1), (int64_t)c->heads * c->head_width));
        y = nn_linear(g, "o_proj", y, c->width, c->output_bias);
    }
    return y;
}

// x: (B, T, C) -> (B, T, C). Shazeer 2020 (arXiv 2002.05202).
static dit_tensor feed_forward(dit_graph *g, const dit_decoder_config *c, dit_tensor x)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "mlp") {
        dit_tensor gate = nn_linear(g, "gate_proj", x, c->feed_forward, c->feed_forward_bias);
        dit_tensor up = nn_linear(g, "up_proj", x, c->feed_forward, c->feed_forward_bias);
        y = dit_mul(g, dit_text_activate(g, gate, c->activation), up); // (B, T, F)
        y = nn_linear(g, "down_proj", y, c->width, c->feed_forward_bias);
    }
    return y;
}

static dit_tensor layer(dit_graph *g, const dit_decoder_config *c, dit_tensor x, dit_tensor table,
                        const struct visibility *seen)
{
    dit_tensor h = attention(g, c, norm(g, c, "input_layernorm", x), table, seen);
    if (c->outer_norms)
        h = norm(g, c, "post_attention_layernorm", h);
    x = dit_add(g, x, h);
    h = feed_forward(g, c, norm(g, c, c->outer_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm", x));
    if (c->outer_norms)
        h = norm(g, c, "post_feedforward_layernorm", h);
    return dit_tap(g, "out", dit_add(g, x, h));
}

// The rounding of the embedding's factor is part of the reference: in bf16 sqrt(3072) is 55.5.
static dit_tensor embed(dit_graph *g, const dit_decoder_config *c, const dit_text_inputs *in)
{
    dit_tensor x = dit_text_embedding(g, "embed_tokens", c->vocabulary, c->width, c->padding, in); // (B, T, C)
    if (c->embedding_scale <= 0)
        return x;
    uint32_t bits;
    dit_element_set(in->dtype, &bits, 0, (double)c->embedding_scale);
    return dit_affine(g, x, (float)dit_element_get(in->dtype, &bits, 0), 0);
}

void dit_decoder_describe(dit_graph *g, const void *config, const dit_named_tensors *arguments, dit_named_tensors *out)
{
    static const char *const prefixes[] = {
        "model", "model.language_model", "language_model.model", "language_model", "", NULL};
    const dit_decoder_config *c = config;
    const dit_text_inputs in = dit_text_inputs_of(g, arguments);
    const dit_tensor table = rope_table(g, c, &in);
    const struct visibility full = visibility(g, c, &in, 0), window = visibility(g, c, &in, c->window);
    dit_tensor states[DIT_TEXT_MOST_LAYERS + 1], x = DIT_NONE;
    DIT_SCOPE (g, "%s", dit_text_prefix(g, prefixes, "embed_tokens.weight")) {
        states[0] = x = embed(g, c, &in);
        for (int i = 0; i < c->layers; i++)
            DIT_SCOPE (g, "layers.%d", i)
                states[i + 1] = x = layer(g, c, x, table, c->windowed[i] ? &window : &full);
        states[c->layers] = norm(g, c, "norm", x);
    }
    dit_text_outputs(g, &in, out, states[c->layers], states, c->layers + 1);
}
