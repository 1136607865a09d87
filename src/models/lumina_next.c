// models/lumina_next.c: text-to-image diffusion transformer whose blocks attend to picture and caption side by side.
// Lumina-Next: Zhuo et al. 2024 (arXiv 2406.18583), section 2.1, figure 3. Weight names: diffusers
// LuminaNextDiT2DModel.
#include "models/lumina.h"
#include <math.h>

typedef struct lumina_next_config {
    int heads, kv_heads, head_width, width;
    int in_channels, out_channels;
    int layers, patch;
    int caption_features;
    int64_t feed_forward_width;
    bool qk_norm;
    float norm_eps;
} lumina_next_config;

struct condition {
    dit_tensor embedded;   // (B, C') of time and caption
    dit_tensor text, mask; // (B, S, K); (B, 1, 1, S) bool
    dit_tensor rope;       // (T, D/2, 2)
    float scale;           // of the scores between patches; 0 for the usual one
};

// Attention to the picture, plus tanh(gate) times attention to the caption, head by head. x: (B, T, C), normed.
static dit_tensor attention(dit_graph *g, const lumina_next_config *c, dit_tensor x, const struct condition *on)
{
    nn_attention_options o = {.heads = c->heads,
                              .head_width = c->head_width,
                              .kv_heads = c->kv_heads,
                              .no_qkv_bias = true,
                              .no_output = true,
                              .qk_norm = c->qk_norm ? NN_QK_LAYER_ALL : NN_QK_NONE,
                              .qk_norm_eps = 1e-5f,
                              .rope = on->rope,
                              .rope_interleaved = true,
                              .scale = on->scale};
    dit_tensor to_picture = nn_attention(g, "attn1", x, DIT_NONE, &o);

    o.rope_queries_only = true, o.mask = on->mask, o.scale = 0;
    dit_tensor text = nn_rms_norm(g, "norm1_context", on->text, c->norm_eps);
    dit_tensor to_text = nn_attention(g, "attn2", x, text, &o);

    dit_shape heads = DIT_SHAPE(dit_extent(g, x, 0), dit_extent(g, x, 1), c->heads, c->head_width);
    dit_tensor gate = dit_parameter(g, "gate", DIT_SHAPE(c->heads), DIT_INITIAL_ZEROS);
    gate = dit_reshape(g, dit_tanh(g, dit_cast(g, gate, dit_dtype_of(g, x))), DIT_SHAPE(1, 1, c->heads, 1));
    dit_tensor y = dit_mul(g, dit_reshape(g, to_text, heads), gate);
    y = dit_add(g, dit_reshape(g, to_picture, heads), y);
    y = dit_reshape(g, y, DIT_SHAPE(heads.dim[0], heads.dim[1], (int64_t)c->heads * c->head_width));
    return nn_linear(g, "attn2.to_out.0", y, c->width, false);
}

// One block. x: (B, T, C).
static dit_tensor block(dit_graph *g, const lumina_next_config *c, dit_tensor x, const struct condition *on)
{
    static const char *const feed_forward[] = {"linear_1", "linear_3", "linear_2"};
    dit_tensor m[4]; // (B, 1, C) each: scale, gate of attention, then of the feed-forward
    nn_adaptive_chunks(g, "norm1", on->embedded, c->width, 4, m, true);

    dit_tensor h = attention(g, c, lumina_norm(g, "norm1.norm", x, m[0], c->norm_eps), on);
    x = dit_tap(g, "attn.out", lumina_add(g, "norm2", x, m[1], h, c->norm_eps));

    h = lumina_norm(g, "ffn_norm1", x, m[2], c->norm_eps);
    h = nn_swiglu(g, "feed_forward", h, c->feed_forward_width, feed_forward);
    return dit_tap(g, "out", lumina_add(g, "ffn_norm2", x, m[3], h, c->norm_eps));
}

// Time plus the mean of the caption's features, (B, C').
static dit_tensor embed_condition(dit_graph *g, const lumina_next_config *c, dit_tensor timestep, dit_tensor text,
                                  dit_tensor mask)
{
    enum { TOKENS = 1 << 1 };
    dit_dtype dtype = dit_dtype_of(g, text);
    const nn_time_options time = {.frequencies = 256, .flip = true, .dtype = dtype};
    int64_t B = dit_extent(g, text, 0), S = dit_extent(g, text, 1), width = c->width < 1024 ? c->width : 1024;
    dit_tensor y = DIT_NONE, weight = dit_reshape(g, dit_cast(g, mask, DIT_F32), DIT_SHAPE(B, S, 1));
    dit_tensor mean = dit_sum(g, dit_mul(g, dit_cast(g, text, DIT_F32), weight), TOKENS, false); // (B, K)
    mean = dit_div(g, mean, dit_sum(g, weight, TOKENS, false));
    DIT_SCOPE (g, "time_caption_embed") {
        y = nn_time_embedding(g, "timestep_embedder", timestep, width, &time);
        mean = nn_layer_norm(g, "caption_embedder.0", dit_cast(g, mean, dtype), 1e-5f);
        y = dit_add(g, y, nn_linear(g, "caption_embedder.1", mean, width, true));
    }
    return y;
}

// The table's part for the picture's grid: (R, C, D/2, 2) -> (rows * columns, D/2, 2).
static dit_tensor crop_rope(dit_graph *g, const lumina_next_config *c, dit_tensor table, int64_t rows, int64_t columns)
{
    int64_t pairs = c->head_width / 2;
    if (dit_extent(g, table, 0) < rows || dit_extent(g, table, 1) < columns || dit_extent(g, table, 2) != pairs ||
        dit_extent(g, table, 3) != 2) {
        char text[160];
        dit_graph_fail(g, DIT_BAD_ARGUMENT,
                       "image_rotary_emb is %s; the picture takes (%lld, %lld, %lld, 2) or more rows "
                       "and columns",
                       dit_shape_text(dit_shape_of(g, table), text), (long long)rows, (long long)columns,
                       (long long)pairs);
        return DIT_NONE;
    }
    table = dit_slice(g, dit_slice(g, table, 0, 0, rows, 1), 1, 0, columns, 1);
    return dit_reshape(g, table, DIT_SHAPE(rows * columns, pairs, 2));
}

// Scores are scaled with the logarithm of the sequence's length to that of the training pictures', when it is given:
// "proportional attention" (Jin et al. 2023, arXiv 2306.08645, equation 7).
static float score_scale(dit_graph *g, const lumina_next_config *c, const dit_named_tensors *in, int64_t tokens)
{
    const char *name = "cross_attention_kwargs.base_sequence_length";
    int64_t base;
    if (!dit_named_integers(g, in, name, &base, 1))
        return 0;
    if (base < 2) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is %lld; it must be above 1", name, (long long)base);
        return 0;
    }
    return (float)(sqrt(log((double)tokens) / log((double)base)) / sqrt((double)c->head_width));
}

static void check_arguments(dit_graph *g, const lumina_next_config *c, const dit_named_tensors *in)
{
    dit_tensor latents = dit_named_find(in, "hidden_states"), text = dit_named_find(in, "encoder_hidden_states"),
               mask = dit_named_find(in, "encoder_mask");
    int64_t B = dit_extent(g, latents, 0);
    dit_check_extent(g, "hidden_states", latents, 1, c->in_channels, "in_channels");
    for (int axis = 2; axis < 4; axis++)
        if (dit_extent(g, latents, axis) % c->patch)
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "hidden_states has an extent of %lld, which patches of %d do not fill",
                           (long long)dit_extent(g, latents, axis), c->patch);
    dit_check_extent(g, "encoder_hidden_states", text, 0, B, "a text for each sample");
    dit_check_extent(g, "encoder_hidden_states", text, 2, c->caption_features, "cross_attention_dim");
    dit_check_extent(g, "encoder_mask", mask, 0, B, "a row for each text");
    dit_check_extent(g, "encoder_mask", mask, 1, dit_extent(g, text, 1), "a value for each token");
    dit_check_batch(g, "timestep", dit_named_find(in, "timestep"), B);
}

static const dit_argument arguments[] = {{"hidden_states", true, 4, 4},
                                         {"timestep", true, 1, 1},
                                         {"encoder_hidden_states", true, 3, 3},
                                         {"encoder_mask", true, 2, 2},
                                         {"image_rotary_emb", DIT_COMPLEX, 4, 4},
                                         {"cross_attention_kwargs.base_sequence_length", DIT_CONSTANT, 0, 1},
                                         {0}};

// hidden_states: (B, C_in, H, W); timestep: (B); encoder_hidden_states: (B, S, K); encoder_mask: (B, S);
// image_rotary_emb: (R, C, D/2, 2), complex numbers for a grid of at least the picture's. Gives (B, C_out, H, W).
static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const lumina_next_config *c = config;
    dit_tensor latents = dit_named_find(in, "hidden_states"), mask = dit_named_find(in, "encoder_mask");
    int64_t rows = dit_extent(g, latents, 2) / c->patch, columns = dit_extent(g, latents, 3) / c->patch;
    check_arguments(g, c, in);
    struct condition on = {.text = dit_named_find(in, "encoder_hidden_states")};
    on.embedded = embed_condition(g, c, dit_named_find(in, "timestep"), on.text, mask);
    on.mask =
        dit_reshape(g, dit_cast(g, mask, DIT_BOOL), DIT_SHAPE(dit_extent(g, mask, 0), 1, 1, dit_extent(g, mask, 1)));
    on.rope = crop_rope(g, c, dit_named_find(in, "image_rotary_emb"), rows, columns);
    on.scale = score_scale(g, c, in, rows * columns);

    dit_parameter(g, "pad_token", DIT_SHAPE(c->width), DIT_INITIAL_ZEROS); // of pictures of several sizes; unused here

    dit_tensor x = dit_patchify(g, latents, (int[]){1, c->patch, c->patch}, DIT_PATCH_CHANNEL_FIRST);
    x = nn_patch_projection(g, "patch_embedder.proj", x, c->patch, c->width); // (B, T, C)
    for (int i = 0; i < c->layers; i++)
        DIT_SCOPE (g, "layers.%d", i)
            x = block(g, c, x, &on);
    x = lumina_output(g, "norm_out", x, on.embedded, (int64_t)c->patch * c->patch * c->out_channels);
    dit_named_add(out, "sample", nn_unpatchify_2d(g, x, c->patch, c->out_channels, rows, columns));
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    // Nothing is computed with it, here or in diffusers.
    static const char *const ignored[] = {"scaling_factor", NULL};
    lumina_next_config *c = config;
    c->width = (int)dit_json_int_or(json, "hidden_size", 2304, 1, 1 << 20, error);
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 32, 1, 1024, error);
    c->kv_heads = (int)dit_json_int_or(json, "num_kv_heads", c->heads, 1, 1024, error);
    c->head_width = c->width / c->heads;
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 4, 1, 1 << 16, error);
    c->out_channels = c->in_channels * (dit_json_switch_or(json, "learn_sigma", true, error) ? 2 : 1);
    c->layers = (int)dit_json_int_or(json, "num_layers", 32, 1, 4096, error);
    c->patch = (int)dit_json_int_or(json, "patch_size", 2, 1, 1024, error);
    c->caption_features = (int)dit_json_int_or(json, "cross_attention_dim", 2048, 1, 1 << 20, error);
    c->qk_norm = dit_json_switch_or(json, "qk_norm", true, error);
    c->norm_eps = (float)dit_json_number_or(json, "norm_eps", 1e-5, 0, 1, error);
    c->feed_forward_width = lumina_feed_forward_width(json, (int64_t)(8 * (double)c->width / 3), error);
    dit_json_int_or(json, "sample_size", 128, 1, 1 << 16, error); // the pipeline's
    dit_json_ignore(json, ignored, error);
    if (c->heads % c->kv_heads)
        dit_json_fail(json, "num_kv_heads", error, "is %d, which does not divide %d heads", c->kv_heads, c->heads);
    if (c->head_width < 4 || c->head_width % 4)
        dit_json_fail(json, "num_attention_heads", error, "gives heads of %d features; two axes take a multiple of 4",
                      c->head_width);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_lumina_next = {
    .name = "LuminaNextDiT2DModel",
    .config_bytes = sizeof(lumina_next_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
