// models/pixart.c: text-to-image diffusion transformer with adaLN-single and cross-attention.
// PixArt-alpha: Chen et al. 2023 (arXiv 2310.00426), section 2.3, figure 4; PixArt-Sigma: Chen et al. 2024 (arXiv
// 2403.04692). Weight names: diffusers PixArtTransformer2DModel; of the compression of keys, attn1.sr and attn1.norm.
#include "models/pixart.h"
#include "models/model.h"
#include "nn/adaln_single.h"

struct text {
    dit_tensor states; // (B, S, K), or none
    dit_tensor mask;   // added to the scores of its keys, or none
};

// One block. x: (B, T, C); modulation: (B, 6, C); `compression`: of the first attention's keys. The second norm stands
// before the feed-forward, none before the cross-attention.
static dit_tensor block(dit_graph *g, const dit_pixart_config *c, dit_tensor x, dit_tensor modulation,
                        dit_tensor self_mask, const nn_key_compression *compression, const struct text *text)
{
    nn_attention_options attention = {.heads = c->heads,
                                      .head_width = c->head_width,
                                      .no_qkv_bias = !c->attention_bias,
                                      .mask = self_mask,
                                      .compression = *compression};
    dit_tensor m[6]; // (B, 1, C) each: shift, scale, gate of attention, then of the feed-forward
    nn_scale_shift_table(g, modulation, 6, m);

    dit_tensor h = nn_modulate(g, nn_layer_norm(g, c->norm_affine ? "norm1" : NULL, x, c->norm_eps), m[0], m[1]);
    h = nn_attention(g, "attn1", h, DIT_NONE, &attention);
    x = dit_tap(g, "attn1.out", nn_gated_add(g, x, m[2], h));

    attention.mask = text->mask;
    attention.compression = (nn_key_compression){0};
    if (c->cross_attention_dim)
        x = dit_tap(g, "attn2.out", dit_add(g, nn_attention(g, "attn2", x, text->states, &attention), x));

    h = nn_modulate(g, nn_layer_norm(g, c->norm_affine ? "norm2" : NULL, x, c->norm_eps), m[3], m[4]);
    h = nn_feed_forward(g, "ff", h, 4 * dit_extent(g, x, -1), c->feed_forward);
    return dit_tap(g, "out", nn_gated_add(g, x, m[5], h));
}

// The text as the blocks attend to it, checked against what they take.
static struct text embed_text(dit_graph *g, const dit_pixart_config *c, const dit_named_tensors *in, int64_t batch,
                              int64_t tokens, dit_dtype dtype)
{
    struct text text = {.states = dit_named_find(in, "encoder_hidden_states")};
    int64_t width = (int64_t)c->heads * c->head_width, keys = tokens;
    if (dit_is_none(text.states)) {
        if (c->caption_channels)
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "encoder_hidden_states is missing; the model has caption_channels");
        else if (c->cross_attention_dim && c->cross_attention_dim != width)
            dit_graph_fail(g, DIT_BAD_ARGUMENT,
                           "encoder_hidden_states is missing, and cross_attention_dim is not the model's own width");
    } else {
        int taken = c->caption_channels ? c->caption_channels : c->cross_attention_dim;
        if (taken && dit_extent(g, text.states, 2) != taken)
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "encoder_hidden_states has %lld features, %s is %d",
                           (long long)dit_extent(g, text.states, 2),
                           c->caption_channels ? "caption_channels" : "cross_attention_dim", taken);
        if (dit_extent(g, text.states, 0) != batch)
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "encoder_hidden_states has %lld texts for %lld samples",
                           (long long)dit_extent(g, text.states, 0), (long long)batch);
        if (c->caption_channels)
            text.states = nn_text_projection(g, "caption_projection", text.states, width, NN_GELU_TANH);
        keys = dit_extent(g, text.states, 1);
    }
    text.mask = nn_attention_bias(g, "encoder_attention_mask", dit_named_find(in, "encoder_attention_mask"), batch,
                                  keys, dtype);
    return text;
}

// The modulation of time and, where the model has them, of the picture's resolution and aspect ratio.
static nn_adaln_single_result embed_time(dit_graph *g, const dit_pixart_config *c, const dit_named_tensors *in,
                                         int64_t batch, dit_dtype dtype)
{
    nn_adaln_single_options o = {.batch = batch, .dtype = dtype};
    dit_tensor timestep = dit_named_find(in, "timestep");
    if (c->size_conditions) {
        o.resolution = dit_named_find(in, "added_cond_kwargs.resolution");
        o.aspect_ratio = dit_named_find(in, "added_cond_kwargs.aspect_ratio");
        if (dit_is_none(o.resolution) || dit_is_none(o.aspect_ratio))
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "added_cond_kwargs.%s is missing; the model has size conditions",
                           dit_is_none(o.resolution) ? "resolution" : "aspect_ratio");
    }
    if (dit_extent(g, timestep, 0) != batch && (dit_extent(g, timestep, 0) != 1 || !c->size_conditions))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "timestep has %lld values for %lld samples",
                       (long long)dit_extent(g, timestep, 0), (long long)batch);
    return nn_adaln_single(g, "adaln_single", timestep, (int64_t)c->heads * c->head_width, &o);
}

static const dit_argument arguments[] = {{"hidden_states", true, 4, 4},
                                         {"encoder_hidden_states", false, 3, 3},
                                         {"timestep", true, 1, 1},
                                         {"added_cond_kwargs.resolution", false, 1, 2},
                                         {"added_cond_kwargs.aspect_ratio", false, 1, 2},
                                         {"attention_mask", false, 2, 3},
                                         {"encoder_attention_mask", false, 2, 3},
                                         {0}};

// hidden_states: (B, C_in, H, W); encoder_hidden_states: (B, S, K); timestep: (B); masks: 1 for a key that is kept.
// Gives (B, C_out, H, W).
static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const dit_pixart_config *c = config;
    dit_tensor latents = dit_named_find(in, "hidden_states");
    int64_t batch = dit_extent(g, latents, 0), width = (int64_t)c->heads * c->head_width;
    int64_t rows = dit_extent(g, latents, 2) / c->patch, columns = dit_extent(g, latents, 3) / c->patch;
    dit_dtype dtype = dit_dtype_of(g, latents);
    if (dit_extent(g, latents, 1) != c->in_channels)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "hidden_states has %lld channels, the model takes %d",
                       (long long)dit_extent(g, latents, 1), c->in_channels);

    dit_tensor x = nn_patch_embed_sincos_2d(g, "pos_embed", latents, c->patch, width, c->sample_size / c->patch,
                                            (float)c->interpolation_scale); // (B, T, C)
    nn_adaln_single_result time = embed_time(g, c, in, batch, dtype);
    struct text text = embed_text(g, c, in, batch, rows * columns, dtype);
    dit_tensor self_mask =
        nn_attention_bias(g, "attention_mask", dit_named_find(in, "attention_mask"), batch, rows * columns, dtype);
    if (c->key_compression > 1 && !dit_is_none(self_mask))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "attention_mask has a value for each patch; this model compresses keys");
    for (int i = 0; i < c->layers; i++) {
        const nn_key_compression compression = {c->compressed[i] ? c->key_compression : 0, rows, columns};
        DIT_SCOPE (g, "transformer_blocks.%d", i)
            x = block(g, c, x, time.modulation, self_mask, &compression, &text);
    }

    dit_tensor m[2]; // (B, 1, C) each: shift, scale
    nn_scale_shift_table(g, dit_reshape(g, time.embedded, DIT_SHAPE(dit_extent(g, time.embedded, 0), 1, width)), 2, m);
    x = nn_modulate(g, nn_layer_norm(g, NULL, x, 1e-6f), m[0], m[1]);
    x = nn_linear_from(g, "proj_out", x, (int64_t)c->patch * c->patch * c->out_channels, true, DIT_INITIAL_ZEROS);
    dit_named_add(out, "sample", nn_unpatchify_2d(g, x, c->patch, c->out_channels, rows, columns));
}

static void check(const dit_pixart_config *c, dit_json json, dit_error *error)
{
    int width = c->heads * c->head_width;
    if (width % 4)
        dit_json_fail(json, "attention_head_dim", error, "gives a width of %d; it must be a multiple of 4", width);
    if (c->size_conditions && width % 3)
        dit_json_fail(json, "use_additional_conditions", error, "needs a width that is a multiple of 3, not %d", width);
    if (c->sample_size < c->patch)
        dit_json_fail(json, "sample_size", error, "is %d, less than one patch of %d", c->sample_size, c->patch);
    if (dit_json_is_null(json, "num_embeds_ada_norm", error))
        dit_json_fail(json, "num_embeds_ada_norm", error, "is null; adaLN-single needs a number");
}

// The original repository's words: {"sampling": "conv", "scale_factor": 2, "kv_compress_layer": [14, 15, ...]}. Its
// other ways to sample have no weights, and no release uses them.
static void read_key_compression(dit_pixart_config *c, dit_json json, dit_error *error)
{
    static const char key[] = "kv_compress_config", *const samplings[] = {"conv", NULL};
    enum { LARGEST = 64 };
    dit_json object = dit_json_object_or_empty(json, key, error);
    if (!object.value || !json_object_size(object.value))
        return;
    dit_json_choice_or(object, "sampling", samplings, 0, error);
    c->key_compression = (int)dit_json_int(object, "scale_factor", 1, LARGEST, error);
    dit_json list = dit_json_list(object, "kv_compress_layer", error);
    for (size_t i = 0; i < dit_json_count(list) && !error->status; i++) {
        const json_t *item = json_array_get(list.value, i);
        json_int_t layer = json_is_integer(item) ? json_integer_value(item) : -1;
        if (layer < 0 || layer >= c->layers)
            dit_json_fail(object, "kv_compress_layer", error, "has something else than a number below num_layers, %d",
                          c->layers);
        else
            c->compressed[layer] = true;
    }
    dit_json_refuse_unread(object, error);
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const char *const norm_types[] = {"ada_norm_single", NULL}, *const attention_types[] = {"default", NULL};
    // Nothing is computed with them, here or in diffusers.
    static const char *const ignored[] = {"norm_num_groups", "upcast_attention", NULL};
    // Of the general class Transformer2DModel, under which PixArt-alpha was saved at first.
    static const char *const older[] = {"double_self_attention", "num_vector_embeds",  "only_cross_attention",
                                        "use_linear_projection", "caption_projection", NULL};
    dit_pixart_config *c = config;
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 16, 1, 1024, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 72, 1, 4096, error);
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 4, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(
        json, "out_channels", dit_json_is_null(json, "out_channels", error) ? c->in_channels : 8, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_layers", 28, 1, DIT_PIXART_MOST_LAYERS, error);
    c->patch = (int)dit_json_int_or(json, "patch_size", 2, 1, 1024, error);
    c->sample_size = (int)dit_json_int_or(json, "sample_size", 128, 1, 1 << 16, error);
    c->caption_channels = (int)dit_json_int_or(json, "caption_channels", 0, 1, 1 << 20, error);
    c->cross_attention_dim =
        (int)dit_json_int_or(json, "cross_attention_dim",
                             dit_json_is_null(json, "cross_attention_dim", error) ? 0 : 1152, 1, 1 << 20, error);
    c->size_conditions = dit_json_bool_or(json, "use_additional_conditions", c->sample_size == 128, error);
    c->attention_bias = dit_json_switch_or(json, "attention_bias", true, error);
    c->norm_affine = dit_json_bool_or(json, "norm_elementwise_affine", false, error);
    c->norm_eps = (float)dit_json_number_or(json, "norm_eps", 1e-6, 0, 1, error);
    c->interpolation_scale = dit_json_number_or(json, "interpolation_scale",
                                                c->sample_size >= 128 ? c->sample_size / 64 : 1, 1e-6, 1e6, error);
    c->feed_forward = (nn_feed_forward_kind)dit_json_choice_or(json, "activation_fn", nn_feed_forward_names, 0, error);
    dit_json_choice_or(json, "norm_type", norm_types, 0, error);
    dit_json_choice_or(json, "attention_type", attention_types, 0, error);
    dit_json_int_or(json, "num_embeds_ada_norm", 1000, 1, 1 << 24, error);
    dit_json_number_or(json, "dropout", 0, 0, 1, error);
    dit_json_ignore(json, ignored, error);
    dit_json_ignore(json, older, error);
    read_key_compression(c, json, error);
    check(c, json, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_pixart = {
    .name = "PixArtTransformer2DModel",
    .config_bytes = sizeof(dit_pixart_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
    .buffers = (const char *const[]){"pos_embed.pos_embed", NULL},
};
