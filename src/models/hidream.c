// models/hidream.c: HiDream-I1: blocks of two streams, then blocks of one, with routed experts in the picture's
// feed-forward. Every block gets the states of another layer of Llama, which are forgotten after it.
// Cai et al. 2025 (arXiv 2505.22705), section 3.2, figure 4. Weight names: diffusers HiDreamImageTransformer2DModel.
#include "models/hidream.h"
#include "models/arguments.h"
#include "nn/moe.h"
#include "nn/sequence.h"
#include <math.h>
#include <stdio.h>

static const float NORM_EPS = 1e-6f, QK_NORM_EPS = 1e-5f;
static const char *const EXPERT_NAMES[] = {"w1", "w3", "w2"};

// What every block is given.
struct hidream {
    const dit_hidream_config *config;
    dit_tensor condition; // (B, C)
    dit_tensor rope;      // (T + S + L, D/2, 2), or with B before: of the picture, the texts that stay, the block's own
    dit_tensor mask;      // (B or 1, T, 1, 1) of the picture's keys: 0 for those that fill it up; or none
    dit_tensor llama;     // (B, L, C) of the present block
};

// The picture as the network sees it.
struct picture {
    dit_tensor tokens;     // (B, T, patch^2 * C_in)
    dit_tensor positions;  // (T, 3) or (B, T, 3) f32
    dit_tensor mask;       // (B or 1, T, 1, 1) in the network's dtype, or none
    int64_t rows, columns; // of patches
};

// Feed-forward widths are two thirds of what is asked, rounded up to a multiple of 256.
static int64_t expert_width(int64_t width)
{
    return (2 * width / 3 + 255) / 256 * 256;
}

static dit_tensor picture_feed_forward(dit_graph *g, const dit_hidream_config *c, dit_tensor x)
{
    int64_t C = dit_extent(g, x, -1);
    const nn_moe_options moe = {.experts = c->experts,
                                .active = c->active_experts,
                                .width = expert_width(4 * C),
                                .shared_width = expert_width(2 * C),
                                .names = EXPERT_NAMES};
    return c->experts ? nn_moe(g, "ff_i", x, &moe) : nn_swiglu(g, "ff_i", x, expert_width(4 * C), EXPERT_NAMES);
}

// x: (B, T, C) -> (B, T, H, D), normed over all heads together when `norm` is given.
static dit_tensor heads(dit_graph *g, const dit_hidream_config *c, const char *projection, const char *norm,
                        dit_tensor x)
{
    dit_tensor y = nn_linear(g, projection, x, dit_extent(g, x, -1), true);
    if (norm)
        y = nn_rms_norm_once(g, norm, y, QK_NORM_EPS);
    return dit_reshape(g, y, DIT_SHAPE(dit_extent(g, y, 0), dit_extent(g, y, 1), c->heads, c->head_width));
}

static dit_tensor output(dit_graph *g, const char *name, dit_tensor x, bool apart)
{
    int64_t C = dit_extent(g, x, -1);
    return apart ? nn_linear_apart(g, name, x, C) : nn_linear(g, name, x, C, true);
}

// Attention over the picture, or the joint sequence, and, when given, a text with projections of its own, which is
// replaced. x: (B, T, C). Keys beyond the mask are zero, and are attended to as such.
static dit_tensor attention(dit_graph *g, const struct hidream *h, dit_tensor x, dit_tensor *text)
{
    const dit_hidream_config *c = h->config;
    int64_t B = dit_extent(g, x, 0), T = dit_extent(g, x, 1), C = dit_extent(g, x, -1);
    int64_t S = text ? dit_extent(g, *text, 1) : 0;
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "attn1") {
        dit_tensor q = heads(g, c, "to_q", "q_rms_norm", x), k = heads(g, c, "to_k", "k_rms_norm", x); // (B, T, H, D)
        dit_tensor v = heads(g, c, "to_v", NULL, x);
        if (!dit_is_none(h->mask))
            k = dit_mul(g, k, h->mask);
        if (text) {
            q = dit_concat(g, (dit_tensor[]){q, heads(g, c, "to_q_t", "q_rms_norm_t", *text)}, 2, 1);
            k = dit_concat(g, (dit_tensor[]){k, heads(g, c, "to_k_t", "k_rms_norm_t", *text)}, 2, 1);
            v = dit_concat(g, (dit_tensor[]){v, heads(g, c, "to_v_t", NULL, *text)}, 2, 1); // (B, T + S, H, D)
        }
        q = dit_tap(g, "q", dit_rope(g, q, h->rope, true, false));
        k = dit_tap(g, "k", dit_rope(g, k, h->rope, true, false));
        v = dit_tap(g, "v", v);
        y = dit_attention(g, q, k, v, DIT_NONE, 1 / sqrtf((float)c->head_width), false);
        y = dit_reshape(g, y, DIT_SHAPE(B, T + S, C));
        // Parts of one sequence lie side by side when there is a single sample.
        dit_tensor picture = text ? dit_slice(g, y, 1, 0, T, 1) : y;
        bool apart = text && B > 1;
        if (text)
            *text = output(g, "to_out_t", dit_slice(g, y, 1, T, S, 1), apart);
        y = output(g, "to_out", picture, apart);
    }
    return y;
}

static dit_tensor norm_modulate(dit_graph *g, dit_tensor x, const dit_tensor *m)
{
    return nn_modulate(g, nn_layer_norm(g, NULL, x, NORM_EPS), m[0], m[1]);
}

// One block of two streams. x: (B, T, C) picture; text: (B, S, C), replaced. Returns the picture's (B, T, C).
static dit_tensor double_block(dit_graph *g, const struct hidream *h, dit_tensor x, dit_tensor *text)
{
    int64_t C = dit_extent(g, x, -1), S = dit_extent(g, *text, 1);
    dit_tensor m[12]; // (B, 1, C) each: shift, scale, gate of attention, then of the feed-forward; then the text's
    dit_tensor t = dit_concat(g, (dit_tensor[]){*text, h->llama}, 2, 1); // (B, S + L, C)
    nn_modulation(g, "adaLN_modulation.1", h->condition, C, 12, m);
    dit_tensor attended_t = norm_modulate(g, t, m + 6);
    dit_tensor attended = attention(g, h, norm_modulate(g, x, m), &attended_t);
    x = nn_gated_add(g, x, m[2], attended);
    t = nn_gated_add(g, t, m[8], attended_t);
    x = nn_gated_add(g, x, m[5], picture_feed_forward(g, h->config, norm_modulate(g, x, m + 3)));
    t = nn_gated_add(g, t, m[11], nn_swiglu(g, "ff_t", norm_modulate(g, t, m + 9), expert_width(4 * C), EXPERT_NAMES));
    *text = dit_tap(g, "context_out", dit_slice(g, t, 1, 0, S, 1));
    return dit_tap(g, "out", x);
}

// One block of the joint sequence. x: (B, T + S, C).
static dit_tensor single_block(dit_graph *g, const struct hidream *h, dit_tensor x)
{
    int64_t C = dit_extent(g, x, -1), stays = dit_extent(g, x, 1);
    dit_tensor m[6]; // (B, 1, C) each: shift, scale, gate of attention, then of the feed-forward
    x = dit_concat(g, (dit_tensor[]){x, h->llama}, 2, 1);
    nn_modulation(g, "adaLN_modulation.1", h->condition, C, 6, m);
    x = nn_gated_add(g, x, m[2], attention(g, h, norm_modulate(g, x, m), NULL));
    x = nn_gated_add(g, x, m[5], picture_feed_forward(g, h->config, norm_modulate(g, x, m + 3)));
    return dit_tap(g, "out", dit_slice(g, x, 1, 0, stays, 1));
}

// Ones for the picture's tokens and zeros after them, (1, T, 1, 1).
static dit_tensor filling_mask(dit_graph *g, int64_t filled, int64_t tokens, dit_dtype dtype)
{
    dit_tensor ones = dit_filled(g, DIT_SHAPE(1, filled, 1, 1), 1);
    if (filled < tokens)
        ones = dit_concat(g, (dit_tensor[]){ones, dit_filled(g, DIT_SHAPE(1, tokens - filled, 1, 1), 0)}, 2, 1);
    return dtype == DIT_F32 ? ones : dit_cast(g, ones, dtype);
}

// Latents (B, C_in, H, W) as tokens; those of a picture that is not square are filled up with zeros, at position zero.
static struct picture patchify(dit_graph *g, const dit_hidream_config *c, dit_tensor latents)
{
    int64_t H = dit_extent(g, latents, 2), W = dit_extent(g, latents, 3);
    struct picture p = {.rows = H / c->patch, .columns = W / c->patch};
    int64_t filled = p.rows * p.columns;
    dit_check_extent(g, "hidden_states", latents, 1, c->in_channels, "in_channels");
    if (H % c->patch || W % c->patch)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "hidden_states has %lld rows and %lld columns; patch_size is %d",
                       (long long)H, (long long)W, c->patch);
    p.tokens = dit_patchify(g, latents, (int[]){1, c->patch, c->patch}, DIT_PATCH_CHANNEL_LAST);
    p.positions = nn_grid_positions(g, 1, p.rows, p.columns, (float[]){0, 0, 0}); // (T, 3)
    if (H == W)
        return p;
    if (filled > c->tokens) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "hidden_states has %lld patches; max_resolution has %d", (long long)filled,
                       c->tokens);
        return p;
    }
    int64_t more = c->tokens - filled;
    p.mask = filling_mask(g, filled, c->tokens, dit_dtype_of(g, latents));
    if (more) {
        p.tokens = dit_pad(g, p.tokens, (int64_t[]){0, 0, 0}, (int64_t[]){0, more, 0}, DIT_PAD_VALUE, 0);
        p.positions = dit_concat(g, (dit_tensor[]){p.positions, dit_filled(g, DIT_SHAPE(more, 3), 0)}, 2, 0);
    }
    return p;
}

// A picture that comes as tokens, with its mask, positions and size.
static struct picture patchified(dit_graph *g, const dit_hidream_config *c, const dit_named_tensors *in)
{
    int64_t sizes[2 * DIT_MAX_ARGUMENTS];
    dit_tensor mask = dit_named_find(in, "hidden_states_masks");
    struct picture p = {.tokens = dit_named_find(in, "hidden_states"), .positions = dit_named_find(in, "img_ids")};
    int64_t B = dit_extent(g, p.tokens, 0), T = dit_extent(g, p.tokens, 1);
    int count = dit_named_integers(g, in, "img_sizes", sizes, 2 * DIT_MAX_ARGUMENTS);
    if (dit_shape_of(g, p.tokens)->rank != 3 || dit_is_none(p.positions) || count != 2 * B) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       "hidden_states_masks is given; then hidden_states is (B, tokens, features) and "
                       "img_ids and img_sizes are given for each of the %lld samples",
                       (long long)B);
        return p;
    }
    p.rows = sizes[0];
    p.columns = sizes[1];
    bool fits = p.rows > 0 && p.columns > 0 && p.rows <= T && p.columns <= T / p.rows;
    for (int i = 0; i < count; i++)
        fits &= sizes[i] == sizes[i % 2];
    if (!fits) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "img_sizes must be one grid of at most %lld patches for all samples",
                       (long long)T);
        p.rows = p.columns = 0; // whose product is asked for yet
    }
    dit_check_extent(g, "hidden_states", p.tokens, -1, (int64_t)c->patch * c->patch * c->in_channels,
                     "patch_size^2 * in_channels");
    dit_check_extent(g, "hidden_states_masks", mask, 0, B, "as many samples as hidden_states");
    dit_check_extent(g, "hidden_states_masks", mask, 1, T, "one for each token");
    dit_check_extent(g, "img_ids", p.positions, 0, B, "as many samples as hidden_states");
    dit_check_extent(g, "img_ids", p.positions, 1, T, "one for each token");
    dit_check_extent(g, "img_ids", p.positions, 2, DIT_HIDREAM_AXES, "a position has three axes");
    p.positions = dit_cast(g, p.positions, DIT_F32);
    p.mask = dit_cast(g, dit_reshape(g, mask, DIT_SHAPE(B, T, 1, 1)), dit_dtype_of(g, p.tokens));
    return p;
}

// The rope table of the picture's positions and `text` tokens at position zero. Where it turns half a head only, the
// rest is turned by nothing.
static dit_tensor rope_table(dit_graph *g, const dit_hidream_config *c, dit_tensor positions, int64_t text)
{
    if (dit_graph_error(g)->status)
        return DIT_NONE;                           // shapes of failed values have no axes
    dit_shape zeros = *dit_shape_of(g, positions); // (T, 3) or (B, T, 3)
    int turned = (c->rope[0] + c->rope[1] + c->rope[2]) / 2, axis = zeros.rank - 2;
    zeros.dim[axis] = text;
    positions = dit_concat(g, (dit_tensor[]){positions, dit_filled(g, zeros, 0)}, 2, axis);
    dit_tensor table = dit_rope_table(g, positions, DIT_HIDREAM_AXES, c->rope, 10000, DIT_F64); // (..., turned, 2)
    if (turned == c->head_width / 2 || dit_graph_error(g)->status)
        return table;
    dit_shape still = *dit_shape_of(g, table);
    still.dim[still.rank - 1] = 1;
    dit_tensor cosine = dit_filled(g, still, 1), sine = dit_filled(g, still, 0);
    dit_tensor rest = dit_concat(g, (dit_tensor[]){cosine, sine}, 2, still.rank - 1);
    return dit_concat(g, (dit_tensor[]){table, rest}, 2, still.rank - 2);
}

// The states of Llama that block `i` gets, projected: (B, L, C).
static dit_tensor llama_states(dit_graph *g, const dit_hidream_config *c, const dit_named_tensors *in, int i, int64_t B)
{
    dit_tensor all = dit_named_find(in, "encoder_hidden_states_llama3"), states; // (layers, B, L, C_llama), or a list
    char name[40];
    if (dit_is_none(all)) {
        states = dit_named_member(g, in, "encoder_hidden_states_llama3", c->llama[i]);
    } else {
        if (c->llama[i] >= dit_extent(g, all, 0))
            dit_graph_fail(g, DIT_BAD_ARGUMENT,
                           "encoder_hidden_states_llama3 has %lld layers; llama_layers asks for %d",
                           (long long)dit_extent(g, all, 0), c->llama[i]);
        states = dit_slice(g, all, 0, c->llama[i], 1, 1);
        states = dit_reshape(g, states, DIT_SHAPE(dit_extent(g, all, 1), dit_extent(g, all, 2), dit_extent(g, all, 3)));
    }
    dit_check_extent(g, "encoder_hidden_states_llama3", states, -1, c->llama_width, "caption_channels[1]");
    dit_check_extent(g, "encoder_hidden_states_llama3", states, 0, B, "as many samples as hidden_states");
    snprintf(name, sizeof name, "caption_projection.%d.linear", i);
    return nn_linear(g, name, states, (int64_t)c->heads * c->head_width, false);
}

// The sum of the embeddings of the time and the pooled texts, (B, C).
static dit_tensor condition(dit_graph *g, const dit_hidream_config *c, const dit_named_tensors *in, int64_t B,
                            dit_dtype dtype)
{
    const nn_time_options time = {.frequencies = 256, .flip = true, .dtype = dtype};
    int64_t C = (int64_t)c->heads * c->head_width;
    dit_tensor t = dit_named_find(in, "timesteps"), pooled = dit_named_find(in, "pooled_embeds");
    dit_check_batch(g, "timesteps", t, B);
    dit_check_batch(g, "pooled_embeds", pooled, B);
    dit_check_extent(g, "pooled_embeds", pooled, -1, c->pooled_width, "text_emb_dim");
    return dit_add(g, nn_time_embedding(g, "t_embedder.timestep_embedder", t, C, &time),
                   nn_text_projection(g, "p_embedder.pooled_embedder", pooled, C, NN_SILU));
}

// All blocks. x: (B, T, C) picture; t5: (B, S, C); llama[i]: (B, L, C) of block i. Returns the picture's (B, T, C).
static dit_tensor blocks(dit_graph *g, struct hidream *h, dit_tensor x, dit_tensor t5, const dit_tensor *llama)
{
    const dit_hidream_config *c = h->config;
    int last = c->layers + c->single_layers - 1;
    int64_t T = dit_extent(g, x, 1);
    dit_tensor text = dit_concat(g, (dit_tensor[]){t5, llama[last]}, 2, 1); // the texts that stay
    for (int i = 0; i < c->layers; i++)
        DIT_SCOPE (g, "double_stream_blocks.%d.block", i) {
            h->llama = llama[i];
            x = double_block(g, h, x, &text);
        }
    x = dit_concat(g, (dit_tensor[]){x, text}, 2, 1); // (B, T + S, C)
    if (!dit_is_none(h->mask)) {
        dit_shape texts = *dit_shape_of(g, h->mask);
        texts.dim[1] = dit_extent(g, text, 1) + dit_extent(g, llama[last], 1);
        dit_tensor ones = dit_cast(g, dit_filled(g, texts, 1), dit_dtype_of(g, h->mask));
        h->mask = dit_concat(g, (dit_tensor[]){h->mask, ones}, 2, 1);
    }
    for (int i = 0; i < c->single_layers; i++)
        DIT_SCOPE (g, "single_stream_blocks.%d.block", i) {
            h->llama = llama[c->layers + i];
            x = single_block(g, h, x);
        }
    return dit_slice(g, x, 1, 0, T, 1);
}

static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const dit_hidream_config *c = config;
    int64_t C = (int64_t)c->heads * c->head_width;
    int count = c->layers + c->single_layers;
    dit_tensor t5 = dit_named_find(in, "encoder_hidden_states_t5"), llama[DIT_HIDREAM_LAYERS], m[2];
    bool masked = !dit_is_none(dit_named_find(in, "hidden_states_masks"));
    if (!masked && dit_shape_of(g, dit_named_find(in, "hidden_states"))->rank != 4)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "hidden_states comes as tokens; then hidden_states_masks is needed");
    struct picture p = masked ? patchified(g, c, in) : patchify(g, c, dit_named_find(in, "hidden_states"));
    int64_t B = dit_extent(g, p.tokens, 0);
    dit_check_extent(g, "encoder_hidden_states_t5", t5, -1, c->t5_width, "caption_channels[0]");
    dit_check_extent(g, "encoder_hidden_states_t5", t5, 0, B, "as many samples as hidden_states");

    dit_tensor x = masked || !dit_is_none(p.mask)
                       ? nn_linear(g, "x_embedder.proj", p.tokens, C, true)
                       : nn_patch_projection(g, "x_embedder.proj", p.tokens, c->patch, C); // (B, T, C)
    struct hidream h = {.config = c, .mask = p.mask, .condition = condition(g, c, in, B, dit_dtype_of(g, p.tokens))};
    for (int i = 0; i < count; i++)
        llama[i] = llama_states(g, c, in, i, B);
    char name[40];
    snprintf(name, sizeof name, "caption_projection.%d.linear", count);
    t5 = nn_linear(g, name, t5, C, false);
    h.rope = rope_table(g, c, p.positions, dit_extent(g, t5, 1) + 2 * dit_extent(g, llama[0], 1));
    x = blocks(g, &h, x, t5, llama);

    DIT_SCOPE (g, "final_layer") {
        nn_modulation(g, "adaLN_modulation.1", h.condition, C, 2, m);
        x = nn_linear_from(g, "linear", norm_modulate(g, x, m), (int64_t)c->patch * c->patch * c->out_channels, true,
                           DIT_INITIAL_ZEROS);
    }
    x = dit_slice(g, x, 1, 0, p.rows * p.columns, 1);
    dit_named_add(out, "sample", nn_unpatchify_2d(g, x, c->patch, c->out_channels, p.rows, p.columns));
}

// llama_layers: one for each block. axes_dims_rope: three even counts that add up to a head or to half of one.
static void configure_lists(dit_hidream_config *c, dit_json json, dit_error *error)
{
    int64_t channels[2] = {0}, resolution[2] = {128, 128}, rope[DIT_HIDREAM_AXES] = {0}, layers[DIT_HIDREAM_LAYERS];
    dit_json_ints(json, "caption_channels", channels, 2, 2, 1, 1 << 20, error);
    c->t5_width = (int)channels[0];
    c->llama_width = (int)channels[1];
    if (dit_json_has(json, "max_resolution"))
        dit_json_ints(json, "max_resolution", resolution, 2, 2, 1, 1 << 14, error);
    c->tokens = (int)(resolution[0] * resolution[1] / (c->patch ? (int64_t)c->patch * c->patch : 1));
    dit_json_ints(json, "axes_dims_rope", rope, DIT_HIDREAM_AXES, DIT_HIDREAM_AXES, 2, 1 << 14, error);
    int64_t sum = rope[0] + rope[1] + rope[2];
    for (int i = 0; i < DIT_HIDREAM_AXES; i++) {
        c->rope[i] = (int)rope[i];
        if (rope[i] % 2)
            dit_json_fail(json, "axes_dims_rope", error, "has %d; features turn in pairs", c->rope[i]);
    }
    if (sum != c->head_width && 2 * sum != c->head_width)
        dit_json_fail(json, "axes_dims_rope", error, "adds up to %lld; attention_head_dim is %d", (long long)sum,
                      c->head_width);
    size_t count = dit_json_ints(json, "llama_layers", layers, 1, DIT_HIDREAM_LAYERS, 0, 4096, error);
    if (count != (size_t)(c->layers + c->single_layers))
        dit_json_fail(json, "llama_layers", error, "names %zu layers for %d blocks", count,
                      c->layers + c->single_layers);
    for (size_t i = 0; i < count; i++)
        c->llama[i] = (int)layers[i];
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    dit_hidream_config *c = config;
    c->patch = (int)dit_json_int(json, "patch_size", 1, 1024, error);
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 64, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(json, "out_channels", c->in_channels, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_layers", 16, 0, DIT_HIDREAM_LAYERS / 2, error);
    c->single_layers = (int)dit_json_int_or(json, "num_single_layers", 32, 0, DIT_HIDREAM_LAYERS / 2, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 128, 2, 1 << 14, error);
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 20, 1, 1 << 14, error);
    c->pooled_width = (int)dit_json_int_or(json, "text_emb_dim", 2048, 1, 1 << 20, error);
    c->experts = (int)dit_json_int_or(json, "num_routed_experts", 4, 0, 1024, error);
    c->active_experts = (int)dit_json_int_or(json, "num_activated_experts", 2, 0, 1024, error);
    dit_json_bool_or(json, "force_inference_output", false, error); // what training gives; there is one output here
    configure_lists(c, json, error);
    if (c->experts && (c->active_experts < 1 || c->active_experts > c->experts))
        dit_json_fail(json, "num_activated_experts", error, "is %d of %d experts", c->active_experts, c->experts);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"hidden_states", DIT_REQUIRED, 3, 4},
                                         {"timesteps", DIT_REQUIRED, 1, 1},
                                         {"encoder_hidden_states_t5", DIT_REQUIRED, 3, 3},
                                         {"encoder_hidden_states_llama3", DIT_OPTIONAL, 4, 4},
                                         {"encoder_hidden_states_llama3.*", DIT_OPTIONAL, 3, 3},
                                         {"pooled_embeds", DIT_REQUIRED, 2, 2},
                                         {"img_ids", DIT_OPTIONAL, 3, 3},
                                         {"img_sizes", DIT_CONSTANT, 2, 2},
                                         {"img_sizes.*", DIT_CONSTANT, 0, 1},
                                         {"hidden_states_masks", DIT_OPTIONAL, 2, 2},
                                         {0}};

const dit_model_class dit_model_class_hidream = {
    .name = "HiDreamImageTransformer2DModel",
    .config_bytes = sizeof(dit_hidream_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
