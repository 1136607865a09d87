// models/autoencoder_kl.c: the convolutional autoencoder of latent diffusion, regularised by a KL divergence.
// Rombach et al. 2022 (arXiv 2112.10752), sections 3.1 and D.1. Weight names: diffusers AutoencoderKL.
#include "models/arguments.h"
#include "nn/nn.h"
#include <math.h>
#include <string.h>

enum { MOST_BLOCKS = 12 };

struct config {
    int in_channels, out_channels, latent_channels;
    int blocks, channels[MOST_BLOCKS];
    bool down_attention[MOST_BLOCKS], up_attention[MOST_BLOCKS]; // after every residual block of a stage
    int layers, groups;
    nn_activation activation;
    bool quant_conv, post_quant_conv, mid_attention;
    int sample_size;
    double scaling_factor, shift_factor;
};

static const float EPS = 1e-6f;

// Norm, activation, 3x3 convolution. x: (B, C, H, W) -> (B, features, H, W).
static dit_tensor norm_act_conv(dit_graph *g, const struct config *c, nn_activation activation, const char *norm,
                                const char *conv, dit_tensor x, int64_t features)
{
    x = nn_activate(g, nn_group_norm(g, norm, x, c->groups, EPS), activation);
    return nn_conv_2d(g, conv, x, features, 3, 1);
}

// x: (B, C, H, W) -> (B, features, H, W).
static dit_tensor residual_block(dit_graph *g, const struct config *c, dit_tensor x, int64_t features)
{
    // The shortcut comes first: the norm is then x's last reader and takes over its memory.
    dit_tensor shortcut = x;
    if (dit_extent(g, x, 1) != features)
        shortcut = nn_conv_2d(g, "conv_shortcut", x, features, 1, 1);
    dit_tensor h = norm_act_conv(g, c, c->activation, "norm1", "conv1", x, features);
    h = norm_act_conv(g, c, c->activation, "norm2", "conv2", h, features);
    return dit_tap(g, "out", dit_add(g, shortcut, h));
}

// Attention of all positions to all, one head as wide as the picture has channels. x, result: (B, C, H, W).
static dit_tensor attention(dit_graph *g, const struct config *c, dit_tensor x)
{
    int64_t B = dit_extent(g, x, 0), C = dit_extent(g, x, 1), N = dit_extent(g, x, 2) * dit_extent(g, x, 3);
    dit_tensor h = dit_reshape(g, nn_group_norm(g, "group_norm", x, c->groups, EPS), DIT_SHAPE(B, C, N));
    h = dit_transpose(g, h, 1, 2);                                                          // (B, N, C)
    dit_tensor q = dit_reshape(g, nn_linear_apart(g, "to_q", h, C), DIT_SHAPE(B, N, 1, C)); // one head
    dit_tensor k = dit_reshape(g, nn_linear_apart(g, "to_k", h, C), DIT_SHAPE(B, N, 1, C));
    dit_tensor v = dit_reshape(g, nn_linear_apart(g, "to_v", h, C), DIT_SHAPE(B, N, 1, C));
    h = dit_attention(g, q, k, v, DIT_NONE, 1 / sqrtf((float)C), false);
    h = nn_linear(g, "to_out.0", dit_reshape(g, h, DIT_SHAPE(B, N, C)), C, true); // (B, N, C)
    h = dit_reshape(g, dit_transpose(g, h, 1, 2), *dit_shape_of(g, x));           // (B, C, H, W)
    return dit_tap(g, "out", dit_add(g, h, x));
}

// Residual blocks, each followed by attention where the stage has it.
static dit_tensor stage(dit_graph *g, const struct config *c, dit_tensor x, int layers, int64_t features, bool attends)
{
    for (int i = 0; i < layers; i++) {
        DIT_SCOPE (g, "resnets.%d", i)
            x = residual_block(g, c, x, features);
        if (attends)
            DIT_SCOPE (g, "attentions.%d", i)
                x = attention(g, c, x);
    }
    return x;
}

static dit_tensor mid_block(dit_graph *g, const struct config *c, dit_tensor x)
{
    int64_t features = dit_extent(g, x, 1);
    DIT_SCOPE (g, "mid_block") {
        DIT_SCOPE (g, "resnets.0")
            x = residual_block(g, c, x, features);
        if (c->mid_attention)
            DIT_SCOPE (g, "attentions.0")
                x = attention(g, c, x);
        DIT_SCOPE (g, "resnets.1")
            x = residual_block(g, c, x, features);
    }
    return x;
}

// (B, C, H, W) -> (B, C, H / 2, W / 2), rounded down: zeros stand right of and below the picture, none before it.
static dit_tensor downsample(dit_graph *g, dit_tensor x)
{
    x = dit_pad(g, x, (int64_t[DIT_MAX_RANK]){0}, (int64_t[DIT_MAX_RANK]){0, 0, 1, 1}, DIT_PAD_VALUE, 0);
    const nn_conv_options options = {.kernel = 3, .stride = 2, .no_padding = true};
    return nn_conv(g, "downsamplers.0.conv", x, dit_extent(g, x, 1), &options);
}

// (B, C, H, W) -> (B, C, 2 H, 2 W).
static dit_tensor upsample(dit_graph *g, dit_tensor x)
{
    dit_shape shape = *dit_shape_of(g, x);
    if (shape.rank == 4) { // not so after an error
        shape.dim[2] *= 2;
        shape.dim[3] *= 2;
    }
    return nn_conv_2d(g, "upsamplers.0.conv", dit_resize(g, x, shape, DIT_NEAREST), shape.dim[1], 3, 1);
}

// pixels: (B, in_channels, H, W) -> (B, 2 latent_channels, H / ratio, W / ratio), means and log-variances.
static dit_tensor encode(dit_graph *g, const struct config *c, dit_tensor pixels)
{
    dit_tensor x = DIT_NONE;
    DIT_SCOPE (g, "encoder") {
        x = nn_conv_2d(g, "conv_in", pixels, c->channels[0], 3, 1);
        for (int i = 0; i < c->blocks; i++)
            DIT_SCOPE (g, "down_blocks.%d", i) {
                x = stage(g, c, x, c->layers, c->channels[i], c->down_attention[i]);
                if (i < c->blocks - 1)
                    x = downsample(g, x);
            }
        x = mid_block(g, c, x);
        x = norm_act_conv(g, c, NN_ACT_SILU, "conv_norm_out", "conv_out", x, 2 * (int64_t)c->latent_channels);
    }
    return c->quant_conv ? nn_conv_2d(g, "quant_conv", x, 2 * (int64_t)c->latent_channels, 1, 1) : x;
}

// latents: (B, latent_channels, H, W) -> (B, out_channels, H ratio, W ratio).
static dit_tensor decode(dit_graph *g, const struct config *c, dit_tensor latents)
{
    dit_tensor x = c->post_quant_conv ? nn_conv_2d(g, "post_quant_conv", latents, c->latent_channels, 1, 1) : latents;
    DIT_SCOPE (g, "decoder") {
        x = nn_conv_2d(g, "conv_in", x, c->channels[c->blocks - 1], 3, 1);
        x = mid_block(g, c, x);
        for (int i = 0; i < c->blocks; i++)
            DIT_SCOPE (g, "up_blocks.%d", i) {
                x = stage(g, c, x, c->layers + 1, c->channels[c->blocks - 1 - i], c->up_attention[i]);
                if (i < c->blocks - 1)
                    x = upsample(g, x);
            }
        x = norm_act_conv(g, c, NN_ACT_SILU, "conv_norm_out", "conv_out", x, c->out_channels);
    }
    return x;
}

// A block type for each stage: `plain`, or the one with attention after it in `names`.
static void read_block_types(struct config *c, dit_json json, const char *key, const char *const *names, bool *attends,
                             dit_error *error)
{
    dit_json list = dit_json_list_or_empty(json, key, error);
    size_t count = dit_json_count(list);
    if (error->status)
        return;
    if (!count && c->blocks == 1) // the class's default
        return;
    if (count != (size_t)c->blocks) {
        dit_json_fail(json, key, error, "has %zu entries for %d entries of block_out_channels", count, c->blocks);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list.value, i));
        attends[i] = name && !strcmp(name, names[1]);
        if (!name || (!attends[i] && strcmp(name, names[0]))) {
            dit_json_fail(json, key, error, "has %.60s in place %zu; what is known is %s and %s",
                          name ? name : "no text", i, names[0], names[1]);
            return;
        }
    }
}

// One size, or height and width, of which the height counts.
static int read_sample_size(dit_json json, dit_error *error)
{
    int64_t size[2];
    if (!json_is_array(json_object_get(json.value, "sample_size")))
        return (int)dit_json_int_or(json, "sample_size", 32, 1, 1 << 20, error);
    return dit_json_ints(json, "sample_size", size, 2, 2, 1, 1 << 20, error) == 2 ? (int)size[0] : 1;
}

static void read_channels(struct config *c, dit_json json, dit_error *error)
{
    int64_t channels[MOST_BLOCKS] = {64};
    c->blocks = 1;
    if (dit_json_has(json, "block_out_channels"))
        c->blocks = (int)dit_json_ints(json, "block_out_channels", channels, 1, MOST_BLOCKS, 1, 1 << 16, error);
    for (int i = 0; i < c->blocks; i++) {
        c->channels[i] = (int)channels[i];
        if (!error->status && channels[i] % c->groups)
            dit_json_fail(json, "block_out_channels", error, "has %d, which is no multiple of norm_num_groups, %d",
                          c->channels[i], c->groups);
    }
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const char *const down[] = {"DownEncoderBlock2D", "AttnDownEncoderBlock2D", NULL};
    static const char *const up[] = {"UpDecoderBlock2D", "AttnUpDecoderBlock2D", NULL};
    // Statistics that pipelines apply, and when they compute in f32.
    static const char *const ignored[] = {"latents_mean", "latents_std", NULL};
    struct config *c = config;
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 3, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(json, "out_channels", 3, 1, 1 << 16, error);
    c->latent_channels = (int)dit_json_int_or(json, "latent_channels", 4, 1, 1 << 15, error);
    c->layers = (int)dit_json_int_or(json, "layers_per_block", 1, 1, 1000, error);
    c->groups = (int)dit_json_int_or(json, "norm_num_groups", 32, 1, 1 << 16, error);
    if (error->status)
        return error->status;
    read_channels(c, json, error);
    read_block_types(c, json, "down_block_types", down, c->down_attention, error);
    read_block_types(c, json, "up_block_types", up, c->up_attention, error);
    c->activation = (nn_activation)dit_json_choice_or(json, "act_fn", nn_activation_names, NN_ACT_SILU, error);
    c->quant_conv = dit_json_switch_or(json, "use_quant_conv", true, error);
    c->post_quant_conv = dit_json_switch_or(json, "use_post_quant_conv", true, error);
    c->mid_attention = dit_json_switch_or(json, "mid_block_add_attention", true, error);
    c->sample_size = read_sample_size(json, error);
    c->scaling_factor = dit_json_number_or(json, "scaling_factor", 0.18215, -1e30, 1e30, error);
    c->shift_factor = dit_json_number_or(json, "shift_factor", 0, -1e30, 1e30, error);
    dit_json_bool_or(json, "force_upcast", true, error); // a pipeline's choice of dtype
    dit_json_ignore(json, ignored, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static void facts(const void *config, dit_autoencoder_facts *facts)
{
    const struct config *c = config;
    *facts = (dit_autoencoder_facts){.in_channels = c->in_channels,
                                     .out_channels = c->out_channels,
                                     .latent_channels = c->latent_channels,
                                     .ratio = 1 << (c->blocks - 1),
                                     .tile = c->sample_size,
                                     .tile_overlap = 0.25,
                                     .scaling_factor = c->scaling_factor,
                                     .shift_factor = c->shift_factor};
}

static void describe_encode(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const struct config *c = config;
    dit_tensor half[2], x = dit_autoencoder_argument(g, in, c->in_channels, 1 << (c->blocks - 1));
    nn_chunk(g, encode(g, c, x), 1, 2, half);
    dit_named_add(out, "mean", half[0]);
    dit_named_add(out, "logvar", dit_clamp(g, half[1], -30, 20));
}

static void describe_decode(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const struct config *c = config;
    dit_named_add(out, "sample", decode(g, c, dit_autoencoder_argument(g, in, c->latent_channels, 1)));
}

// There and back through the mean, as the class's forward goes with `sample_posterior` false.
static void describe_forward(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const struct config *c = config;
    dit_tensor half[2], x = dit_autoencoder_argument(g, in, c->in_channels, 1 << (c->blocks - 1));
    nn_chunk(g, encode(g, c, x), 1, 2, half);
    dit_named_add(out, "sample", decode(g, c, half[0]));
}

static const dit_argument forward_arguments[] = {{"sample", true, 4, 4}, {0}};
static const dit_argument encode_arguments[] = {{"x", false, 4, 4}, {"sample", false, 4, 4}, {0}};
static const dit_argument decode_arguments[] = {{"z", false, 4, 4}, {"latents", false, 4, 4}, {0}};

const dit_model_class dit_model_class_autoencoder_kl = {
    .name = "AutoencoderKL",
    .config_bytes = sizeof(struct config),
    .configure = configure,
    .method[DIT_FORWARD] = {forward_arguments, describe_forward},
    .method[DIT_ENCODE] = {encode_arguments, describe_encode},
    .method[DIT_DECODE] = {decode_arguments, describe_decode},
    .autoencoder = facts,
    .older_weights = (const char *const[]){".query.", ".to_q.", ".key.", ".to_k.", ".value.", ".to_v.", ".proj_attn.",
                                           ".to_out.0.", NULL},
};
