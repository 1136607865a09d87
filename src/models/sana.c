// models/sana.c: text-to-image diffusion transformer with linear attention and convolutions in its feed-forwards.
// SANA: Xie et al. 2024 (arXiv 2410.10629), figure 5; SANA-Sprint, whose guidance is an input: Chen et al. 2025 (arXiv
// 2503.09641). Weight names: diffusers SanaTransformer2DModel.
#include "models/sana.h"
#include "models/model.h"
#include "nn/adaln_single.h"
#include "nn/glumb_conv.h"
#include "nn/linear_attention.h"
#include <stdio.h>

// Linear attention of x: (B, T, C) to itself.
static dit_tensor self_attention(dit_graph *g, const dit_sana_config *c, dit_tensor x)
{
    const nn_attention_options o = {
        .head_width = c->head_width, .no_qkv_bias = !c->attention_bias, .qk_norm = c->qk_norm, .qk_norm_eps = 1e-5f};
    dit_dtype dtype = dit_dtype_of(g, x);
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "attn1") {
        dit_tensor q = dit_tap(g, "q", nn_heads(g, "to_q", "norm_q", x, c->heads, DIT_NONE, &o)); // (B, T, H, D)
        dit_tensor k = dit_tap(g, "k", nn_heads(g, "to_k", "norm_k", x, c->heads, DIT_NONE, &o));
        dit_tensor v = dit_tap(g, "v", nn_heads(g, "to_v", NULL, x, c->heads, DIT_NONE, &o));
        y = dit_reshape(g, nn_linear_attention(g, q, k, v), *dit_shape_of(g, x)); // (B, T, C)
        if (dtype != DIT_F32)
            y = dit_cast(g, y, dtype);
        y = nn_linear_apart(g, "to_out.0", y, dit_extent(g, x, -1)); // made with a head's features before its tokens
        if (dtype == DIT_F16)
            y = dit_clamp(g, y, -65504, 65504);
    }
    return y;
}

struct condition {
    dit_tensor modulation; // (B, 6, C)
    dit_tensor text, mask; // (B, S, C); added to the scores of its keys, or none
    int64_t rows, columns;
};

// x: (B, T, C), with T tokens in rows and columns.
static dit_tensor feed_forward(dit_graph *g, const dit_sana_config *c, dit_tensor x, int64_t rows, int64_t columns)
{
    int64_t B = dit_extent(g, x, 0), C = dit_extent(g, x, 2);
    dit_tensor image = dit_reshape(g, dit_transpose(g, x, 1, 2), DIT_SHAPE(B, C, rows, columns));
    dit_tensor y = nn_glumb_conv(g, "ff", image, c->feed_forward_width, C);
    return dit_transpose(g, dit_reshape(g, y, DIT_SHAPE(B, C, rows * columns)), 1, 2);
}

// One block. x: (B, T, C). The second norm stands before the feed-forward, none before the cross-attention. The first
// block's x are pixels of a convolution, whose features do not lie side by side.
static dit_tensor block(dit_graph *g, const dit_sana_config *c, int layer, dit_tensor x, const struct condition *on)
{
    const nn_attention_options to_text = {.heads = c->cross_heads,
                                          .head_width = c->cross_head_width,
                                          .qk_norm = c->qk_norm,
                                          .qk_norm_eps = 1e-5f,
                                          .mask = on->mask,
                                          .queries_apart = layer == 0};
    dit_tensor m[6]; // (B, 1, C) each: shift, scale, gate of attention, then of the feed-forward
    nn_scale_shift_table(g, on->modulation, 6, m);

    dit_tensor h = self_attention(g, c, nn_modulate(g, nn_layer_norm(g, NULL, x, c->norm_eps), m[0], m[1]));
    x = dit_tap(g, "attn1.out", nn_gated_add(g, x, m[2], h));
    x = dit_tap(g, "attn2.out", dit_add(g, nn_attention(g, "attn2", x, on->text, &to_text), x));

    h = nn_modulate(g, nn_layer_norm(g, c->norm_affine ? "norm2" : NULL, x, c->norm_eps), m[3], m[4]);
    h = feed_forward(g, c, h, on->rows, on->columns);
    return dit_tap(g, "out", nn_gated_add(g, x, m[5], h));
}

// One value for each sample, or one for all of them where `broadcast` says that this will do.
static void check_batch(dit_graph *g, const char *name, dit_tensor values, int64_t batch, bool broadcast)
{
    int64_t count = dit_extent(g, values, 0);
    if (count != batch && !(broadcast && count == 1))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s has %lld values for %lld samples", name, (long long)count,
                       (long long)batch);
}

static nn_adaln_single_result embed_time(dit_graph *g, const dit_sana_config *c, const dit_named_tensors *in,
                                         int64_t batch, dit_dtype dtype)
{
    dit_tensor timestep = dit_named_find(in, "timestep"), guidance = dit_named_find(in, "guidance");
    nn_adaln_single_options o = {.guidance = guidance, .batch = batch, .dtype = dtype};
    if (dit_is_none(guidance) == c->guidance)
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       c->guidance ? "guidance is missing; the model has guidance_embeds"
                                   : "guidance is given; the model has no guidance_embeds");
    check_batch(g, "timestep", timestep, batch, c->guidance && dit_extent(g, guidance, 0) == batch);
    if (c->guidance)
        check_batch(g, "guidance", guidance, batch, dit_extent(g, timestep, 0) == batch);
    return nn_adaln_single(g, "time_embed", timestep, (int64_t)c->heads * c->head_width, &o);
}

// The texts, (B, S, K) -> (B, S, C), and the mask of their keys.
static void embed_text(dit_graph *g, const dit_sana_config *c, const dit_named_tensors *in, int64_t batch,
                       dit_dtype dtype, struct condition *on)
{
    dit_tensor text = dit_named_find(in, "encoder_hidden_states");
    if (dit_extent(g, text, 0) != batch || dit_extent(g, text, 2) != c->caption_channels)
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       "encoder_hidden_states is %lld texts of %lld features for %lld samples; caption_channels is %d",
                       (long long)dit_extent(g, text, 0), (long long)dit_extent(g, text, 2), (long long)batch,
                       c->caption_channels);
    on->mask = nn_attention_bias(g, "encoder_attention_mask", dit_named_find(in, "encoder_attention_mask"), batch,
                                 dit_extent(g, text, 1), dtype);
    text = nn_text_projection(g, "caption_projection", text, (int64_t)c->heads * c->head_width, NN_GELU_TANH);
    on->text = nn_rms_norm(g, "caption_norm", text, 1e-5f);
}

// Latents as tokens, with positions where the model has them.
static dit_tensor embed_patches(dit_graph *g, const dit_sana_config *c, dit_tensor latents)
{
    int64_t width = (int64_t)c->heads * c->head_width;
    if (dit_extent(g, latents, 1) != c->in_channels)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "hidden_states has %lld channels, the model takes %d",
                       (long long)dit_extent(g, latents, 1), c->in_channels);
    if (c->interpolation_scale == 0)
        return nn_patch_embed_2d(g, "patch_embed.proj", latents, c->patch, width);
    return nn_patch_embed_sincos_2d(g, "patch_embed", latents, c->patch, width, c->sample_size / c->patch,
                                    (float)c->interpolation_scale);
}

// What a control network adds after block `i`: members of the list stand for the blocks from the second on.
static dit_tensor add_control(dit_graph *g, const dit_named_tensors *in, dit_tensor x, int i)
{
    char name[48];
    snprintf(name, sizeof name, "controlnet_block_samples.%d", i - 1);
    dit_tensor sample = dit_named_find(in, name);
    return i == 0 || dit_is_none(sample) ? x : dit_add(g, x, sample);
}

static const dit_argument arguments[] = {{"hidden_states", true, 4, 4},
                                         {"encoder_hidden_states", true, 3, 3},
                                         {"timestep", true, 1, 1},
                                         {"guidance", false, 1, 1},
                                         {"encoder_attention_mask", false, 2, 3},
                                         {"attention_mask", false, 2, 3}, // published, and without effect
                                         {"controlnet_block_samples.*", false, 3, 3},
                                         {0}};

// hidden_states: (B, C_in, H, W); encoder_hidden_states: (B, S, K); timestep, guidance: (B). Gives (B, C_out, H, W).
static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const dit_sana_config *c = config;
    dit_tensor latents = dit_named_find(in, "hidden_states");
    int64_t batch = dit_extent(g, latents, 0), width = (int64_t)c->heads * c->head_width;
    dit_dtype dtype = dit_dtype_of(g, latents);
    struct condition on = {.rows = dit_extent(g, latents, 2) / c->patch,
                           .columns = dit_extent(g, latents, 3) / c->patch};

    dit_tensor x = embed_patches(g, c, latents); // (B, T, C)
    nn_adaln_single_result time = embed_time(g, c, in, batch, dtype);
    on.modulation = time.modulation;
    embed_text(g, c, in, batch, dtype, &on);
    for (int i = 0; i < c->layers; i++) {
        DIT_SCOPE (g, "transformer_blocks.%d", i)
            x = block(g, c, i, x, &on);
        x = add_control(g, in, x, i);
    }

    dit_tensor m[2]; // (B, 1, C) each: shift, scale
    nn_scale_shift_table(g, dit_reshape(g, time.embedded, DIT_SHAPE(batch, 1, width)), 2, m);
    x = nn_modulate(g, nn_layer_norm(g, NULL, x, 1e-6f), m[0], m[1]);
    x = nn_linear_from(g, "proj_out", x, (int64_t)c->patch * c->patch * c->out_channels, true, DIT_INITIAL_ZEROS);
    dit_named_add(out, "sample", nn_unpatchify_2d(g, x, c->patch, c->out_channels, on.rows, on.columns));
}

// Norms of single heads are not the published class's either: it norms before it splits, and they would not fit.
static nn_qk_norm read_qk_norm(dit_json json, dit_error *error)
{
    static const char *const names[] = {"rms_norm_across_heads", "layer_norm_across_heads", "l2", NULL};
    static const nn_qk_norm norms[] = {NN_QK_RMS_ALL, NN_QK_LAYER_ALL, NN_QK_L2_ALL};
    int chosen = dit_json_choice_or(json, "qk_norm", names, -1, error);
    return chosen < 0 ? NN_QK_NONE : norms[chosen];
}

static void check(const dit_sana_config *c, dit_json json, dit_error *error)
{
    int64_t width = (int64_t)c->heads * c->head_width;
    int64_t cross = dit_json_int_or(json, "cross_attention_dim", 2240, 1, 1 << 20, error);
    if (dit_json_is_null(json, "cross_attention_dim", error))
        dit_json_fail(json, "cross_attention_dim", error, "is null; every block attends to the text");
    else if (cross != width)
        dit_json_fail(json, "cross_attention_dim", error, "is %lld; texts are projected to the width, which is %lld",
                      (long long)cross, (long long)width);
    if (c->interpolation_scale != 0 && width % 4)
        dit_json_fail(json, "attention_head_dim", error, "gives a width of %lld; positions need a multiple of 4",
                      (long long)width);
    if (c->sample_size < c->patch)
        dit_json_fail(json, "sample_size", error, "is %d, less than one patch of %d", c->sample_size, c->patch);
    if (c->feed_forward_width < 1)
        dit_json_fail(json, "mlp_ratio", error, "leaves the feed-forward no channel");
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    // The pipeline applies them.
    static const char *const pipelines[] = {"guidance_embeds_scale", NULL};
    dit_sana_config *c = config;
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 70, 1, 1024, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 32, 1, 4096, error);
    c->cross_heads = (int)dit_json_int_or(json, "num_cross_attention_heads", 20, 1, 1024, error);
    c->cross_head_width = (int)dit_json_int_or(json, "cross_attention_head_dim", 112, 1, 4096, error);
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 32, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(
        json, "out_channels", dit_json_is_null(json, "out_channels", error) ? c->in_channels : 32, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_layers", 20, 1, 4096, error);
    c->patch = (int)dit_json_int_or(json, "patch_size", 1, 1, 1024, error);
    c->sample_size = (int)dit_json_int_or(json, "sample_size", 32, 1, 1 << 16, error);
    c->caption_channels = (int)dit_json_int_or(json, "caption_channels", 2304, 1, 1 << 20, error);
    c->feed_forward_width =
        (int64_t)(dit_json_number_or(json, "mlp_ratio", 2.5, 0, 1024, error) * (c->heads * c->head_width));
    c->attention_bias = dit_json_bool_or(json, "attention_bias", false, error);
    c->norm_affine = dit_json_bool_or(json, "norm_elementwise_affine", false, error);
    c->norm_eps = (float)dit_json_number_or(json, "norm_eps", 1e-6, 0, 1, error);
    c->guidance = dit_json_bool_or(json, "guidance_embeds", false, error);
    c->interpolation_scale = dit_json_number_or(json, "interpolation_scale", 0, 1e-6, 1e6, error);
    c->timestep_scale = (float)dit_json_number_or(json, "timestep_scale", 1, -1e9, 1e9, error);
    c->qk_norm = read_qk_norm(json, error);
    dit_json_number_or(json, "dropout", 0, 0, 1, error);
    dit_json_ignore(json, pipelines, error);
    check(c, json, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_sana = {
    .name = "SanaTransformer2DModel",
    .config_bytes = sizeof(dit_sana_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
    .buffers = (const char *const[]){"patch_embed.pos_embed", NULL},
};
