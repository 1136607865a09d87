// models/stable_diffusion_3.c: the multimodal diffusion transformer of Stable Diffusion 3 and 3.5.
// Esser et al. 2024 (arXiv 2403.03206), section 4, figure 2. Weight names: diffusers SD3Transformer2DModel.
#include "models/stable_diffusion_3.h"
#include "models/arguments.h"
#include "nn/adaptive_norm.h"
#include "nn/joint_attention.h"

enum { MOST_MADE = 1 << 26 }; // values of a table of positions that is made where none is stored
static const nn_adaptive_norm_options NORM = {.eps = 1e-6f};

// The gated feed-forward of one stream. x: (B, T, C); m: the modulations of its first norm.
static dit_tensor finish_stream(dit_graph *g, const char *feed_forward, dit_tensor x, const dit_tensor *m)
{
    dit_tensor h = nn_modulate(g, nn_layer_norm(g, NULL, x, NORM.eps), m[3], m[4]);
    return nn_gated_add(g, x, m[5], nn_feed_forward(g, feed_forward, h, 4 * dit_extent(g, x, -1), NN_GELU_TANH));
}

// One block. x: (B, T, C) picture; text: (B, S, C), replaced, or none after the last block, where it is only attended
// to. Returns the picture's (B, T, C).
static dit_tensor block(dit_graph *g, const dit_sd3_config *c, int layer, dit_tensor x, dit_tensor *text,
                        dit_tensor condition)
{
    const nn_attention_options attention = {
        .heads = c->heads, .head_width = c->head_width, .qk_norm = c->qk_norm, .qk_norm_eps = 1e-6f};
    // The two streams are parts of one sequence, which lie side by side when there is a single sample.
    const nn_joint_options joint = {.context_pre_only = layer == c->layers - 1,
                                    .outputs_apart = dit_extent(g, x, 0) > 1};
    dit_tensor m[9], text_m[6]; // (B, 1, C) each: shift, scale, gate of attention, of the feed-forward, of attn2
    dit_tensor h = nn_adaptive_norm_zero(g, "norm1", x, condition, c->dual[layer] ? 9 : 6, m, &NORM);
    dit_tensor text_h = joint.context_pre_only
                            ? nn_adaptive_norm_continuous(g, "norm1_context", *text, condition, &NORM)
                            : nn_adaptive_norm_zero(g, "norm1_context", *text, condition, 6, text_m, &NORM);
    dit_tensor alone = c->dual[layer] ? nn_modulate(g, nn_layer_norm(g, NULL, x, NORM.eps), m[6], m[7]) : DIT_NONE;

    x = nn_gated_add(g, x, m[2], nn_joint_attention(g, "attn", h, &text_h, &attention, &joint));
    if (c->dual[layer])
        x = nn_gated_add(g, x, m[8], nn_attention(g, "attn2", alone, DIT_NONE, &attention));
    x = dit_tap(g, "out", finish_stream(g, "ff", x, m));
    if (joint.context_pre_only) {
        *text = DIT_NONE;
    } else {
        *text = nn_gated_add(g, *text, text_m[2], text_h);
        *text = dit_tap(g, "context_out", finish_stream(g, "ff_context", *text, text_m));
    }
    return x;
}

// Latents as tokens, with the middle of the stored position table. latents: (B, C_in, H, W) -> (B, T, C).
static dit_tensor embed(dit_graph *g, const dit_sd3_config *c, dit_tensor latents, int64_t rows, int64_t columns)
{
    int64_t C = (int64_t)c->heads * c->head_width, size = c->positions;
    dit_tensor x = nn_patch_embed_2d(g, "pos_embed.proj", latents, c->patch, C); // (B, T, C)
    if (rows > size || columns > size) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       "hidden_states has %lld rows and %lld columns of patches; "
                       "pos_embed_max_size is %d",
                       (long long)rows, (long long)columns, c->positions);
        return DIT_NONE;
    }
    dit_tensor table = dit_buffer(g, "pos_embed.pos_embed", DIT_SHAPE(1, size * size, C));
    if (dit_is_none(table) && size * size > MOST_MADE / C) {
        dit_graph_fail(g, DIT_BAD_FILE, "pos_embed.pos_embed: the file lacks this tensor; pos_embed_max_size is %d",
                       c->positions);
        return DIT_NONE;
    }
    if (dit_is_none(table))
        table = nn_sincos_positions_2d(g, size, size, C, c->sample_size / c->patch, 1);
    table = dit_reshape(g, table, DIT_SHAPE(1, size, size, C));
    table = dit_slice(g, table, 1, (size - rows) / 2, rows, 1);
    table = dit_slice(g, table, 2, (size - columns) / 2, columns, 1);
    return dit_add(g, x, dit_reshape(g, table, DIT_SHAPE(1, rows * columns, C)));
}

// What a ControlNet adds after block `i`, which is not the last: one of `count` samples, each for an equal share of the
// blocks.
static dit_tensor add_control(dit_graph *g, const dit_sd3_config *c, const dit_named_tensors *in, dit_tensor x, int i)
{
    int count = dit_named_members(in, "block_controlnet_hidden_states");
    if (count == 0 || i == c->layers - 1)
        return x;
    double share = (double)c->layers / count;
    return dit_add(g, x, dit_named_member(g, in, "block_controlnet_hidden_states", (int)(i / share)));
}

static dit_tensor blocks(dit_graph *g, const dit_sd3_config *c, const dit_named_tensors *in, dit_tensor x,
                         dit_tensor text, dit_tensor condition)
{
    int64_t skipped[DIT_SD3_LAYERS];
    int skips = dit_named_integers(g, in, "skip_layers", skipped, DIT_SD3_LAYERS);
    for (int i = 0; i < c->layers; i++) {
        bool skip = false;
        for (int k = 0; k < skips; k++)
            skip |= skipped[k] == i;
        // A skipped block is described as well, so that its weights are known; nothing of it is computed.
        dit_tensor text_after = text, x_after = DIT_NONE;
        DIT_SCOPE (g, "transformer_blocks.%d", i)
            x_after = block(g, c, i, x, &text_after, condition);
        if (!skip) {
            x = x_after;
            text = text_after;
        }
        x = add_control(g, c, in, x, i);
    }
    return x;
}

static void check(dit_graph *g, const dit_sd3_config *c, const dit_named_tensors *in)
{
    dit_tensor latents = dit_named_find(in, "hidden_states"), text = dit_named_find(in, "encoder_hidden_states");
    dit_tensor pooled = dit_named_find(in, "pooled_projections");
    int64_t B = dit_extent(g, latents, 0);
    dit_check_extent(g, "hidden_states", latents, 1, c->in_channels, "in_channels");
    dit_check_extent(g, "encoder_hidden_states", text, -1, c->text_width, "joint_attention_dim");
    dit_check_extent(g, "encoder_hidden_states", text, 0, B, "as many samples as hidden_states");
    dit_check_extent(g, "pooled_projections", pooled, -1, c->pooled_width, "pooled_projection_dim");
    dit_check_batch(g, "pooled_projections", pooled, B);
    dit_check_batch(g, "timestep", dit_named_find(in, "timestep"), B);
}

static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const dit_sd3_config *c = config;
    dit_tensor latents = dit_named_find(in, "hidden_states"); // (B, C_in, H, W)
    int64_t C = (int64_t)c->heads * c->head_width;
    int64_t rows = dit_extent(g, latents, 2) / c->patch, columns = dit_extent(g, latents, 3) / c->patch;
    check(g, c, in);
    dit_tensor x = embed(g, c, latents, rows, columns);
    dit_tensor condition = nn_time_text_embedding(g, "time_text_embed", dit_named_find(in, "timestep"), DIT_NONE,
                                                  dit_named_find(in, "pooled_projections"), C); // (B, C)
    dit_tensor text = nn_linear(g, "context_embedder", dit_named_find(in, "encoder_hidden_states"), C, true);
    x = blocks(g, c, in, x, text, condition);

    x = nn_adaptive_norm_continuous(g, "norm_out", x, condition, &NORM);
    x = nn_linear_from(g, "proj_out", x, (int64_t)c->patch * c->patch * c->out_channels, true, DIT_INITIAL_ZEROS);
    dit_named_add(out, "sample", nn_unpatchify_2d(g, x, c->patch, c->out_channels, rows, columns));
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const char *const qk_norm_names[] = {"rms_norm", "layer_norm", "fp32_layer_norm", NULL};
    static const nn_qk_norm qk_norms[] = {NN_QK_RMS, NN_QK_LAYER, NN_QK_PLAIN_LAYER};
    dit_sd3_config *c = config;
    int64_t dual[DIT_SD3_LAYERS];
    size_t duals = 0;
    c->sample_size = (int)dit_json_int_or(json, "sample_size", 128, 1, 1 << 16, error);
    c->patch = (int)dit_json_int_or(json, "patch_size", 2, 1, 1024, error);
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 16, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_layers", 18, 1, DIT_SD3_LAYERS, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 64, 1, 1 << 14, error);
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 18, 1, 1 << 14, error);
    c->text_width = (int)dit_json_int_or(json, "joint_attention_dim", 4096, 1, 1 << 20, error);
    int caption_width = (int)dit_json_int_or(json, "caption_projection_dim", 1152, 1, 1 << 28, error);
    c->pooled_width = (int)dit_json_int_or(json, "pooled_projection_dim", 2048, 1, 1 << 20, error);
    bool is_null = json_is_null(json_object_get(json.value, "out_channels")); // other than absent
    c->out_channels = (int)dit_json_int_or(json, "out_channels", is_null ? c->in_channels : 16, 1, 1 << 16, error);
    c->positions = (int)dit_json_int_or(json, "pos_embed_max_size", 96, 1, 1 << 12, error);
    if (json_is_null(json_object_get(json.value, "pos_embed_max_size")))
        dit_json_fail(json, "pos_embed_max_size", error, "is null; a table of positions is stored");
    if (dit_json_has(json, "dual_attention_layers"))
        duals = dit_json_ints(json, "dual_attention_layers", dual, 0, DIT_SD3_LAYERS, 0, 1 << 20, error);
    for (size_t i = 0; i < duals; i++)
        if (dual[i] < c->layers)
            c->dual[dual[i]] = true;
    int norm = dit_json_choice_or(json, "qk_norm", qk_norm_names, 0, error);
    c->qk_norm = dit_json_has(json, "qk_norm") ? qk_norms[norm] : NN_QK_NONE;
    int64_t width = (int64_t)c->heads * c->head_width;
    if (width % 4)
        dit_json_fail(json, "attention_head_dim", error, "gives a width of %lld; it must be a multiple of 4",
                      (long long)width);
    if (caption_width != width)
        dit_json_fail(json, "caption_projection_dim", error, "is %d; the blocks are %lld wide", caption_width,
                      (long long)width);
    if (c->sample_size < c->patch)
        dit_json_fail(json, "sample_size", error, "is %d, less than one patch of %d", c->sample_size, c->patch);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"hidden_states", DIT_REQUIRED, 4, 4},
                                         {"encoder_hidden_states", DIT_REQUIRED, 3, 3},
                                         {"pooled_projections", DIT_REQUIRED, 2, 2},
                                         {"timestep", DIT_REQUIRED, 1, 1},
                                         {"block_controlnet_hidden_states.*", DIT_OPTIONAL, 3, 3},
                                         {"skip_layers", DIT_CONSTANT, 1, 1},
                                         {"skip_layers.*", DIT_CONSTANT, 0, 0},
                                         {0}};

const dit_model_class dit_model_class_stable_diffusion_3 = {
    .name = "SD3Transformer2DModel",
    .config_bytes = sizeof(dit_sd3_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
