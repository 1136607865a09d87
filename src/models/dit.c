// models/dit.c: class-conditional diffusion transformer with adaLN-zero.
// Peebles and Xie 2023 (arXiv 2212.09748), section 3.2, figure 3. Weight names: diffusers DiTTransformer2DModel.
#include "models/dit.h"
#include <string.h>

// Sum of a time and a label embedding, (B, C). Every block has its own; the last layer uses the first block's.
static dit_tensor condition(dit_graph *g, const dit_dit_config *c, dit_tensor timestep, dit_tensor labels,
                            dit_dtype dtype)
{
    const nn_time_options time = {.frequencies = 256, .flip = true, .shift = 1, .dtype = dtype};
    int64_t width = (int64_t)c->heads * c->head_width;
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "norm1.emb") {
        dit_tensor t = nn_time_embedding(g, "timestep_embedder", timestep, width, &time);                // (B, C)
        dit_tensor l = nn_embedding(g, "class_embedder.embedding_table", c->classes + 1, width, labels); // (B, C)
        y = dit_add(g, t, l);
    }
    return y;
}

// One block. x: (B, T, C); condition: (B, C). Returns (B, T, C).
static dit_tensor block(dit_graph *g, const dit_dit_config *c, dit_tensor x, dit_tensor condition)
{
    const nn_attention_options attention = {
        .heads = c->heads, .head_width = c->head_width, .no_qkv_bias = !c->attention_bias};
    int64_t width = dit_extent(g, x, -1);
    dit_tensor m[6]; // (B, 1, C) each: shift, scale, gate of attention, then of the feed-forward
    nn_modulation(g, "norm1.linear", condition, width, 6, m);

    dit_tensor h = nn_modulate(g, nn_layer_norm(g, NULL, x, 1e-6f), m[0], m[1]);
    h = nn_attention(g, "attn1", h, DIT_NONE, &attention);
    x = dit_tap(g, "attn.out", nn_gated_add(g, x, m[2], h));

    h = nn_modulate(g, nn_layer_norm(g, c->norm_affine ? "norm3" : NULL, x, c->norm_eps), m[3], m[4]);
    h = nn_feed_forward(g, "ff", h, 4 * width, c->feed_forward);
    return dit_tap(g, "out", nn_gated_add(g, x, m[5], h));
}

// One value for each sample, or one for all of them.
static void check_batch(dit_graph *g, const char *name, dit_tensor values, int64_t batch)
{
    int64_t count = dit_extent(g, values, 0);
    if (count != 1 && count != batch)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s has %lld values for %lld samples", name, (long long)count,
                       (long long)batch);
}

dit_tensor dit_model_dit(dit_graph *g, const dit_dit_config *c, dit_tensor latents, dit_tensor timestep,
                         dit_tensor labels)
{
    int64_t rows = dit_extent(g, latents, 2) / c->patch, columns = dit_extent(g, latents, 3) / c->patch;
    dit_dtype dtype = dit_dtype_of(g, latents);
    if (dit_extent(g, latents, 1) != c->in_channels)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "hidden_states has %lld channels, the model takes %d",
                       (long long)dit_extent(g, latents, 1), c->in_channels);
    if (rows != columns)
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       "hidden_states has %lld rows and %lld columns of patches; this model draws squares",
                       (long long)rows, (long long)columns);
    check_batch(g, "timestep", timestep, dit_extent(g, latents, 0));
    check_batch(g, "class_labels", labels, dit_extent(g, latents, 0));
    if (dit_dtype_is_float(dit_dtype_of(g, labels)))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "class_labels are %s; labels are integers",
                       dit_dtype_name(dit_dtype_of(g, labels)));
    dit_tensor x =
        nn_patch_embed_sincos_2d(g, "pos_embed", latents, c->patch, (int64_t)c->heads * c->head_width,
                                 c->sample_size / c->patch, c->interpolation_scale ? c->interpolation_scale : 1);
    dit_tensor first = DIT_NONE;
    for (int i = 0; i < c->layers; i++)
        DIT_SCOPE (g, "transformer_blocks.%d", i) {
            dit_tensor y = condition(g, c, timestep, labels, dtype);
            if (i == 0)
                first = y;
            x = block(g, c, x, y);
        }

    int64_t width = dit_extent(g, x, -1);
    dit_tensor m[2]; // (B, 1, C) each: shift, scale
    nn_modulation(g, "proj_out_1", first, width, 2, m);
    x = nn_modulate(g, nn_layer_norm(g, NULL, x, 1e-6f), m[0], m[1]);
    x = nn_linear_from(g, "proj_out_2", x, (int64_t)c->patch * c->patch * c->out_channels, true, DIT_INITIAL_ZEROS);
    return nn_unpatchify_2d(g, x, c->patch, c->out_channels, rows, columns); // (B, C_out, H, W)
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const char *const norm_types[] = {"ada_norm_zero", NULL};
    static const char *const ignored[] = {"norm_num_groups", "upcast_attention", NULL};
    // Of the general class Transformer2DModel, under which DiT was saved at first: these do nothing here.
    static const char *const older[] = {"attention_type",        "caption_channels",          "cross_attention_dim",
                                        "double_self_attention", "num_vector_embeds",         "only_cross_attention",
                                        "use_linear_projection", "use_additional_conditions", NULL};
    dit_dit_config *c = config;
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 16, 1, 1024, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 72, 1, 4096, error);
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 4, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(json, "out_channels", c->in_channels, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_layers", 28, 1, 4096, error);
    c->patch = (int)dit_json_int_or(json, "patch_size", 2, 1, 1024, error);
    c->sample_size = (int)dit_json_int_or(json, "sample_size", 32, 1, 1 << 16, error);
    // The general class spreads positions of large pictures where nothing is said, as PixArt does; DiT's own has no
    // such argument.
    bool general = !strcmp(dit_json_text_or(json, "_class_name", "", error), "Transformer2DModel");
    int spread = general && c->sample_size >= 128 ? c->sample_size / 64 : 1;
    c->interpolation_scale = (float)dit_json_number_or(json, "interpolation_scale", spread, 1e-6, 1e6, error);
    c->classes = (int)dit_json_int_or(json, "num_embeds_ada_norm", 1000, 1, 1 << 24, error);
    c->attention_bias = dit_json_switch_or(json, "attention_bias", true, error);
    c->norm_affine = dit_json_bool_or(json, "norm_elementwise_affine", false, error);
    c->norm_eps = (float)dit_json_number_or(json, "norm_eps", 1e-5, 0, 1, error);
    c->feed_forward = (nn_feed_forward_kind)dit_json_choice_or(json, "activation_fn", nn_feed_forward_names, 0, error);
    dit_json_choice_or(json, "norm_type", norm_types, 0, error);
    dit_json_number_or(json, "dropout", 0, 0, 1, error);
    dit_json_ignore(json, ignored, error);
    dit_json_ignore(json, older, error);
    if (c->heads * c->head_width % 4)
        dit_json_fail(json, "attention_head_dim", error, "gives a width of %d; it must be a multiple of 4",
                      c->heads * c->head_width);
    if (c->sample_size < c->patch)
        dit_json_fail(json, "sample_size", error, "is %d, less than one patch of %d", c->sample_size, c->patch);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {
    {"hidden_states", true, 4, 4}, {"timestep", true, 1, 1}, {"class_labels", true, 1, 1}, {0}};

static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    dit_named_add(out, "sample",
                  dit_model_dit(g, config, dit_named_find(in, "hidden_states"), dit_named_find(in, "timestep"),
                                dit_named_find(in, "class_labels")));
}

const dit_model_class dit_model_class_dit = {
    .name = "DiTTransformer2DModel",
    .older_names = (const char *const[]){"Transformer2DModel", NULL},
    .config_bytes = sizeof(dit_dit_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
    .buffers = (const char *const[]){"pos_embed.pos_embed", NULL},
};
