// models/lumina2.c: text-to-image diffusion transformer over one sequence of caption and picture.
// Lumina-Image 2.0: Qin et al. 2025 (arXiv 2503.21758), section 3.1, figure 4. Weight names: diffusers
// Lumina2Transformer2DModel.
#include "models/lumina.h"
#include "nn/sequence.h"

typedef struct lumina2_config {
    int heads, kv_heads, head_width, width;
    int in_channels, out_channels;
    int layers, refiner_layers, patch;
    int caption_features;
    int64_t feed_forward_width;
    float norm_eps;
    int split[3], lengths[3]; // features of a head that turn with an axis, and how many positions it has
} lumina2_config;

// Turned heads see a table of their own, and keys a mask; either may be none.
struct sight {
    dit_tensor rope; // (B, T, D/2, 2)
    dit_tensor mask; // (B, 1, 1, T) bool
};

// One block. x: (B, T, C); condition: (B, C'), or none for a block without modulation.
static dit_tensor block(dit_graph *g, const lumina2_config *c, dit_tensor x, dit_tensor condition,
                        const struct sight *sight)
{
    static const char *const feed_forward[] = {"linear_1", "linear_3", "linear_2"};
    const nn_attention_options attention = {.heads = c->heads,
                                            .head_width = c->head_width,
                                            .kv_heads = c->kv_heads,
                                            .no_qkv_bias = true,
                                            .no_output_bias = true,
                                            .qk_norm = NN_QK_RMS,
                                            .qk_norm_eps = 1e-5f,
                                            .rope = sight->rope,
                                            .rope_interleaved = true,
                                            .mask = sight->mask};
    dit_tensor m[4] = {DIT_NONE, DIT_NONE, DIT_NONE, DIT_NONE}; // (B, 1, C): scale, gate of attention, feed-forward
    if (!dit_is_none(condition))
        nn_adaptive_chunks(g, "norm1", condition, c->width, 4, m, true);

    dit_tensor h = lumina_norm(g, dit_is_none(condition) ? "norm1" : "norm1.norm", x, m[0], c->norm_eps);
    h = nn_attention(g, "attn", h, DIT_NONE, &attention);
    x = dit_tap(g, "attn.out", lumina_add(g, "norm2", x, m[1], h, c->norm_eps));

    h = lumina_norm(g, "ffn_norm1", x, m[2], c->norm_eps);
    h = nn_swiglu(g, "feed_forward", h, c->feed_forward_width, feed_forward);
    return dit_tap(g, "out", lumina_add(g, "ffn_norm2", x, m[3], h, c->norm_eps));
}

static dit_tensor blocks(dit_graph *g, const lumina2_config *c, const char *name, int count, dit_tensor x,
                         dit_tensor condition, const struct sight *sight)
{
    for (int i = 0; i < count; i++)
        DIT_SCOPE (g, "%s.%d", name, i)
            x = block(g, c, x, condition, sight);
    return x;
}

// The caption's length in tokens of each sample, (B, 1) f32, from its mask (B, S).
static dit_tensor caption_length(dit_graph *g, dit_tensor mask)
{
    enum { TOKENS = 1 << 1 };
    return dit_sum(g, dit_cast(g, mask, DIT_F32), TOKENS, true);
}

// first, first + 1, ...: (count) f32.
static dit_tensor count_up(dit_graph *g, int64_t count)
{
    const float origin[3] = {0, 0, 0};
    return dit_reshape(g, dit_slice(g, nn_grid_positions(g, 1, 1, count, origin), 1, 2, 1, 1), DIT_SHAPE(count));
}

// Positions (t, y, x): a caption's token i stands at (i, 0, 0), and its picture, right behind, at (length, y, x).
static void place(dit_graph *g, const lumina2_config *c, dit_tensor length, int64_t keys, int64_t rows, int64_t columns,
                  dit_tensor *caption, dit_tensor *picture)
{
    const float origin[3] = {0, 0, 0};
    int64_t B = dit_extent(g, length, 0), T = rows * columns;
    dit_tensor index = dit_reshape(g, count_up(g, keys), DIT_SHAPE(1, keys, 1));
    dit_tensor line[] = {index, dit_filled(g, DIT_SHAPE(1, keys, 2), 0)};
    dit_tensor grid = dit_slice(g, nn_grid_positions(g, 1, rows, columns, origin), 1, 1, 2, 1); // (T, 2)
    dit_tensor behind[] = {dit_expand(g, dit_reshape(g, length, DIT_SHAPE(B, 1, 1)), DIT_SHAPE(B, T, 1)),
                           dit_expand(g, dit_reshape(g, grid, DIT_SHAPE(1, T, 2)), DIT_SHAPE(B, T, 2))};
    *caption = dit_rope_table(g, dit_concat(g, line, 2, 2), 3, c->split, 10000, DIT_F64);   // (1, S, D/2, 2)
    *picture = dit_rope_table(g, dit_concat(g, behind, 2, 2), 3, c->split, 10000, DIT_F64); // (B, T, D/2, 2)
}

static dit_tensor always(dit_graph *g, dit_shape shape)
{
    uint8_t yes = 1;
    return dit_expand(g, dit_constant(g, DIT_BOOL, DIT_SCALAR, &yes), shape);
}

// The joint sequence holds captions at their full extent, masked behind their lengths; the published class moves the
// pictures forward instead, at the same positions.
static dit_tensor transform(dit_graph *g, const lumina2_config *c, dit_tensor x, dit_tensor text, dit_tensor mask,
                            dit_tensor condition, int64_t rows, int64_t columns)
{
    int64_t B = dit_extent(g, x, 0), T = rows * columns, S = dit_extent(g, text, 1);
    dit_tensor length = caption_length(g, mask);                                              // (B, 1)
    dit_tensor inside = dit_less(g, dit_reshape(g, count_up(g, S), DIT_SHAPE(1, S)), length); // (B, S)
    struct sight caption, picture = {0};
    place(g, c, length, S, rows, columns, &caption.rope, &picture.rope);
    // Tokens behind a caption's length are turned by nothing at all: their queries and keys are zero.
    caption.rope = dit_mul(g, caption.rope, dit_reshape(g, dit_cast(g, inside, DIT_F32), DIT_SHAPE(B, S, 1, 1)));
    caption.mask = dit_reshape(g, dit_cast(g, mask, DIT_BOOL), DIT_SHAPE(B, 1, 1, S));
    text = blocks(g, c, "context_refiner", c->refiner_layers, text, DIT_NONE, &caption);
    x = blocks(g, c, "noise_refiner", c->refiner_layers, x, condition, &picture);

    struct sight joint = {
        .rope = dit_concat(g, (dit_tensor[]){caption.rope, picture.rope}, 2, 1),
        .mask = dit_concat(g, (dit_tensor[]){inside, always(g, DIT_SHAPE(B, T))}, 2, 1),
    };
    joint.mask = dit_reshape(g, joint.mask, DIT_SHAPE(B, 1, 1, S + T));
    dit_tensor y = dit_concat(g, (dit_tensor[]){text, x}, 2, 1); // (B, S + T, C)
    y = blocks(g, c, "layers", c->layers, y, condition, &joint);
    return dit_slice(g, y, 1, S, T, 1); // (B, T, C)
}

static void check_arguments(dit_graph *g, const lumina2_config *c, const dit_named_tensors *in)
{
    dit_tensor latents = dit_named_find(in, "hidden_states"), text = dit_named_find(in, "encoder_hidden_states"),
               mask = dit_named_find(in, "encoder_attention_mask");
    int64_t B = dit_extent(g, latents, 0);
    dit_check_extent(g, "hidden_states", latents, 1, c->in_channels, "in_channels");
    for (int axis = 1; axis < 3; axis++) {
        int64_t extent = dit_extent(g, latents, axis + 1);
        if (extent % c->patch || extent / c->patch > c->lengths[axis])
            dit_graph_fail(g, DIT_BAD_ARGUMENT,
                           "hidden_states has an extent of %lld; patches of %d and axes_lens take "
                           "multiples of it up to %d patches",
                           (long long)extent, c->patch, c->lengths[axis]);
    }
    dit_check_extent(g, "encoder_hidden_states", text, 0, B, "a text for each sample");
    dit_check_extent(g, "encoder_hidden_states", text, 2, c->caption_features, "cap_feat_dim");
    dit_check_extent(g, "encoder_attention_mask", mask, 0, B, "a row for each text");
    dit_check_extent(g, "encoder_attention_mask", mask, 1, dit_extent(g, text, 1), "a value for each token");
    dit_check_batch(g, "timestep", dit_named_find(in, "timestep"), B);
}

static const dit_argument arguments[] = {{"hidden_states", true, 4, 4},
                                         {"timestep", true, 1, 1},
                                         {"encoder_hidden_states", true, 3, 3},
                                         {"encoder_attention_mask", true, 2, 2},
                                         {0}};

// hidden_states: (B, C_in, H, W); timestep: (B); encoder_hidden_states: (B, S, K); encoder_attention_mask: (B, S),
// whose sum is a caption's length. Gives (B, C_out, H, W).
static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const lumina2_config *c = config;
    dit_tensor latents = dit_named_find(in, "hidden_states"), text = dit_named_find(in, "encoder_hidden_states");
    int64_t rows = dit_extent(g, latents, 2) / c->patch, columns = dit_extent(g, latents, 3) / c->patch;
    const nn_time_options time = {.frequencies = 256, .flip = true, .dtype = dit_dtype_of(g, latents)};
    dit_tensor condition = DIT_NONE;
    check_arguments(g, c, in);
    DIT_SCOPE (g, "time_caption_embed") {
        condition = nn_time_embedding(g, "timestep_embedder", dit_named_find(in, "timestep"),
                                      c->width < 1024 ? c->width : 1024, &time); // (B, C')
        text = nn_rms_norm(g, "caption_embedder.0", text, c->norm_eps);
        text = nn_linear(g, "caption_embedder.1", text, c->width, true); // (B, S, C)
    }
    dit_tensor x = dit_patchify(g, latents, (int[]){1, c->patch, c->patch}, DIT_PATCH_CHANNEL_LAST);
    x = nn_patch_projection(g, "x_embedder", x, c->patch, c->width); // (B, T, C)
    x = transform(g, c, x, text, dit_named_find(in, "encoder_attention_mask"), condition, rows, columns);
    x = lumina_output(g, "norm_out", x, condition, (int64_t)c->patch * c->patch * c->out_channels);
    dit_named_add(out, "sample", nn_unpatchify_2d(g, x, c->patch, c->out_channels, rows, columns));
}

// Three integers, or `otherwise` where the key is absent.
static void read_axes(dit_json json, const char *key, const int otherwise[3], int64_t least, int axes[3],
                      dit_error *error)
{
    int64_t values[3] = {otherwise[0], otherwise[1], otherwise[2]};
    if (dit_json_has(json, key) && dit_json_ints(json, key, values, 3, 3, least, 1 << 20, error) != 3)
        return;
    for (int i = 0; i < 3; i++)
        axes[i] = (int)values[i];
}

static void check(const lumina2_config *c, dit_json json, dit_error *error)
{
    if (c->heads % c->kv_heads)
        dit_json_fail(json, "num_kv_heads", error, "is %d, which does not divide %d heads", c->kv_heads, c->heads);
    if (c->head_width < 1)
        dit_json_fail(json, "num_attention_heads", error, "is %d, more than hidden_size", c->heads);
    for (int i = 0; i < 3; i++)
        if (c->split[i] % 2)
            dit_json_fail(json, "axes_dim_rope", error, "holds %d; features turn in pairs", c->split[i]);
    if (c->split[0] + c->split[1] + c->split[2] != c->head_width)
        dit_json_fail(json, "axes_dim_rope", error, "adds up to %d; a head has %d features",
                      c->split[0] + c->split[1] + c->split[2], c->head_width);
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    // Nothing is computed with it, here or in diffusers.
    static const char *const ignored[] = {"scaling_factor", NULL};
    lumina2_config *c = config;
    c->width = (int)dit_json_int_or(json, "hidden_size", 2304, 1, 1 << 20, error);
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 24, 1, 1024, error);
    c->kv_heads = (int)dit_json_int_or(json, "num_kv_heads",
                                       dit_json_is_null(json, "num_kv_heads", error) ? c->heads : 8, 1, 1024, error);
    c->head_width = c->width / c->heads;
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 16, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(json, "out_channels", c->in_channels, 1, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_layers", 26, 0, 4096, error);
    c->refiner_layers = (int)dit_json_int_or(json, "num_refiner_layers", 2, 0, 4096, error);
    c->patch = (int)dit_json_int_or(json, "patch_size", 2, 1, 1024, error);
    c->caption_features = (int)dit_json_int_or(json, "cap_feat_dim", 1024, 1, 1 << 20, error);
    c->norm_eps = (float)dit_json_number_or(json, "norm_eps", 1e-5, 0, 1, error);
    c->feed_forward_width = lumina_feed_forward_width(json, 4 * (int64_t)c->width, error);
    read_axes(json, "axes_dim_rope", (const int[]){32, 32, 32}, 0, c->split, error);
    read_axes(json, "axes_lens", (const int[]){300, 512, 512}, 1, c->lengths, error);
    dit_json_int_or(json, "sample_size", 128, 1, 1 << 16, error); // the pipeline's
    dit_json_ignore(json, ignored, error);
    check(c, json, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_lumina2 = {
    .name = "Lumina2Transformer2DModel",
    .config_bytes = sizeof(lumina2_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
