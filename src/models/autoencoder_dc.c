// models/autoencoder_dc.c: the deep compression autoencoder, 32 or 64 pixels to a latent.
// Chen et al. 2024 (arXiv 2410.10733), sections 3.1 and 3.2; EfficientViT blocks: Cai et al. 2023 (arXiv 2205.14756),
// section 3.1. Weight names: diffusers AutoencoderDC.
#include "models/arguments.h"
#include "nn/nn.h"
#include <stdio.h>
#include <string.h>

enum { MOST_STAGES = 12, MOST_SCALES = 8 };

enum block_type { RESIDUAL, EFFICIENT_VIT };
enum norm_type { RMS_NORM, BATCH_NORM };

struct stage {
    int channels, blocks;
    enum block_type type;
    enum norm_type norm;
    nn_activation activation;
    int scales, kernel[MOST_SCALES]; // of the convolutions that widen what attention sees
};

struct config {
    int in_channels, latent_channels, head_width;
    int stages; // of both networks
    struct stage encoder[MOST_STAGES], decoder[MOST_STAGES];
    bool unshuffle, interpolate; // how the picture is halved and doubled
    bool out_shortcut, in_shortcut;
    nn_activation out_activation;
    double scaling_factor;
};

static const float EPS = 1e-5f;

// Norms
// ---------------------------------------------------------------------------------------------------------------

// Over the channels at each position; x: (B, C, H, W). Rounded formats round after the norm, the weight and the bias.
static dit_tensor rms_norm(dit_graph *g, dit_tensor x)
{
    int64_t C = dit_extent(g, x, 1);
    dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(C), DIT_INITIAL_ONES);
    dit_tensor bias = dit_parameter(g, "bias", DIT_SHAPE(C), DIT_INITIAL_ZEROS);
    dit_tensor y = dit_rms_norm(g, dit_permute(g, x, (int[]){0, 2, 3, 1}), DIT_NONE, EPS); // (B, H, W, C)
    y = dit_add(g, dit_mul(g, y, weight), bias);
    return dit_permute(g, y, (int[]){0, 3, 1, 2});
}

// Of training, in a file's own tensor of that name; (C).
static dit_tensor statistic(dit_graph *g, const char *name, int64_t C)
{
    dit_tensor t = dit_buffer(g, name, DIT_SHAPE(C));
    if (dit_is_none(t))
        dit_graph_fail(g, DIT_BAD_FILE, "%s is missing", name);
    return t;
}

// With the statistics of training, which are a factor and a shift of each channel.
static dit_tensor batch_norm(dit_graph *g, dit_tensor x)
{
    int64_t C = dit_extent(g, x, 1);
    dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(C), DIT_INITIAL_ONES);
    dit_tensor bias = dit_parameter(g, "bias", DIT_SHAPE(C), DIT_INITIAL_ZEROS);
    dit_tensor mean = statistic(g, "running_mean", C);
    dit_tensor variance = statistic(g, "running_var", C);
    dit_dtype dtype = dit_dtype_of(g, x);
    dit_tensor scale =
        dit_mul(g, dit_cast(g, weight, DIT_F32), dit_rsqrt(g, dit_affine(g, dit_cast(g, variance, DIT_F32), 1, EPS)));
    dit_tensor shift = dit_sub(g, dit_cast(g, bias, DIT_F32), dit_mul(g, dit_cast(g, mean, DIT_F32), scale));
    x = dit_mul(g, dit_cast(g, x, DIT_F32), dit_reshape(g, scale, DIT_SHAPE(C, 1, 1)));
    return dit_cast(g, dit_add(g, x, dit_reshape(g, shift, DIT_SHAPE(C, 1, 1))), dtype);
}

static dit_tensor norm(dit_graph *g, const char *name, dit_tensor x, enum norm_type type)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name)
        y = type == BATCH_NORM ? batch_norm(g, x) : rms_norm(g, x);
    return y;
}

// Blocks
// --------------------------------------------------------------------------------------------------------------

// x, result: (B, C, H, W).
static dit_tensor residual_block(dit_graph *g, const struct stage *s, dit_tensor x)
{
    dit_tensor h = nn_activate(g, nn_conv_2d(g, "conv1", x, s->channels, 3, 1), s->activation);
    h = nn_conv(g, "conv2", h, s->channels, &(nn_conv_options){.kernel = 3, .no_bias = true});
    return dit_add(g, norm(g, "norm", h, s->norm), x);
}

// A linear layer without bias at every position: (B, C, H, W) -> (B, features, H, W).
static dit_tensor project(dit_graph *g, const char *name, dit_tensor x, int64_t features)
{
    const dit_window window = {.axes = 2, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    int64_t C = dit_extent(g, x, 1);
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor weight = dit_parameter(g, "weight", DIT_SHAPE(features, C), dit_initial_xavier(C, features));
        y = dit_conv(g, x, dit_reshape(g, weight, DIT_SHAPE(features, C, 1, 1)), DIT_NONE, &window);
    }
    return y;
}

// v (k^T q) over the sum of (k^T q): relu for exp, so that the product may be taken from the left. q, k, v: (B, heads,
// D, N), f32.
static dit_tensor linear_attention(dit_graph *g, dit_tensor q, dit_tensor k, dit_tensor v)
{
    dit_tensor scores = dit_matmul(g, v, dit_transpose(g, k, 2, 3));        // (B, heads, D, D)
    dit_tensor sums = dit_transpose(g, dit_sum(g, k, 1u << 3, true), 2, 3); // (B, heads, 1, D)
    dit_tensor weights = dit_affine(g, dit_matmul(g, sums, q), 1, 1e-15f);  // (B, heads, 1, N)
    return dit_div(g, dit_matmul(g, scores, q), weights);
}

// The same from the right, for fewer positions than features.
static dit_tensor quadratic_attention(dit_graph *g, dit_tensor q, dit_tensor k, dit_tensor v)
{
    dit_tensor scores = dit_cast(g, dit_matmul(g, dit_transpose(g, k, 2, 3), q), DIT_F32); // (B, heads, N, N)
    scores = dit_div(g, scores, dit_affine(g, dit_sum(g, scores, 1u << 2, true), 1, 1e-15f));
    return dit_matmul(g, v, dit_cast(g, scores, dit_dtype_of(g, v)));
}

// Queries, keys and values of the block's own scale, and of wider ones made from it by convolutions.
static dit_tensor multiscale_qkv(dit_graph *g, const struct config *c, const struct stage *s, dit_tensor x)
{
    int heads = s->channels / c->head_width;
    int64_t inner = (int64_t)heads * c->head_width;
    dit_tensor scale[1 + MOST_SCALES];
    dit_tensor own[3] = {project(g, "to_q", x, inner), project(g, "to_k", x, inner), project(g, "to_v", x, inner)};
    scale[0] = dit_concat(g, own, 3, 1); // (B, 3 inner, H, W)
    for (int i = 0; i < s->scales; i++)
        DIT_SCOPE (g, "to_qkv_multiscale.%d", i) {
            nn_conv_options depthwise = {.kernel = s->kernel[i], .groups = (int)(3 * inner), .no_bias = true};
            nn_conv_options heads_alone = {.kernel = 1, .groups = 3 * heads, .no_bias = true};
            dit_tensor h = nn_conv(g, "proj_in", scale[0], 3 * inner, &depthwise);
            scale[1 + i] = nn_conv(g, "proj_out", h, 3 * inner, &heads_alone);
        }
    return s->scales ? dit_concat(g, scale, 1 + s->scales, 1) : scale[0];
}

// x, result: (B, C, H, W). The channels of all scales are cut into heads of query, key and value after they were laid
// side by side, so that a head's three parts come from different projections: so the published weights were trained.
static dit_tensor attention(dit_graph *g, const struct config *c, const struct stage *s, dit_tensor x)
{
    int64_t B = dit_extent(g, x, 0), H = dit_extent(g, x, 2), W = dit_extent(g, x, 3), D = c->head_width;
    bool linear = H * W > D;
    dit_dtype dtype = dit_dtype_of(g, x);
    dit_tensor part[3], h = multiscale_qkv(g, c, s, x);
    int64_t channels = dit_extent(g, h, 1);
    h = dit_reshape(g, linear ? dit_cast(g, h, DIT_F32) : h, DIT_SHAPE(B, channels / (3 * D), 3 * D, H * W));
    nn_chunk(g, h, 2, 3, part);
    dit_tensor q = dit_relu(g, part[0]), k = dit_relu(g, part[1]);
    h = linear ? dit_cast(g, linear_attention(g, q, k, part[2]), dtype) : quadratic_attention(g, q, k, part[2]);
    h = project(g, "to_out", dit_reshape(g, h, DIT_SHAPE(B, channels / 3, H, W)), s->channels);
    return dit_add(g, norm(g, "norm_out", h, s->norm), x);
}

// Gated convolutions in the place of a feed-forward network: widen by 8, filter each channel, gate, narrow.
static dit_tensor gated_convolutions(dit_graph *g, const struct stage *s, dit_tensor x)
{
    int64_t wide = 8 * (int64_t)s->channels;
    dit_tensor half[2], h = dit_silu(g, nn_conv_2d(g, "conv_inverted", x, wide, 1, 1));
    h = nn_conv(g, "conv_depth", h, wide, &(nn_conv_options){.kernel = 3, .groups = (int)wide});
    nn_chunk(g, h, 1, 2, half);
    h = dit_mul(g, half[0], dit_silu(g, half[1]));
    h = nn_conv(g, "conv_point", h, s->channels, &(nn_conv_options){.kernel = 1, .no_bias = true});
    return dit_add(g, norm(g, "norm", h, RMS_NORM), x);
}

static dit_tensor block(dit_graph *g, const struct config *c, const struct stage *s, dit_tensor x)
{
    if (s->type == RESIDUAL)
        return dit_tap(g, "out", residual_block(g, s, x));
    DIT_SCOPE (g, "attn")
        x = attention(g, c, s, x);
    DIT_SCOPE (g, "conv_out")
        x = gated_convolutions(g, s, x);
    return dit_tap(g, "out", x);
}

// Halving and doubling
// ------------------------------------------------------------------------------------------------

// (B, C, H, W) -> (B, 4 C, H / 2, W / 2): each channel's four neighbours become channels side by side.
static dit_tensor unshuffle(dit_graph *g, dit_tensor x)
{
    int64_t B = dit_extent(g, x, 0), C = dit_extent(g, x, 1), H = dit_extent(g, x, 2) / 2, W = dit_extent(g, x, 3) / 2;
    if (dit_extent(g, x, 2) % 2 || dit_extent(g, x, 3) % 2)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%lldx%lld does not halve; the sides must be multiples of the compression",
                       (long long)dit_extent(g, x, 3), (long long)dit_extent(g, x, 2));
    x = dit_permute(g, dit_reshape(g, x, DIT_SHAPE(B, C, H, 2, W, 2)), (int[]){0, 1, 3, 5, 2, 4});
    return dit_reshape(g, x, DIT_SHAPE(B, 4 * C, H, W));
}

// The reverse: (B, 4 C, H, W) -> (B, C, 2 H, 2 W).
static dit_tensor shuffle(dit_graph *g, dit_tensor x)
{
    int64_t B = dit_extent(g, x, 0), C = dit_extent(g, x, 1) / 4, H = dit_extent(g, x, 2), W = dit_extent(g, x, 3);
    x = dit_permute(g, dit_reshape(g, x, DIT_SHAPE(B, C, 2, 2, H, W)), (int[]){0, 1, 4, 2, 5, 3});
    return dit_reshape(g, x, DIT_SHAPE(B, C, 2 * H, 2 * W));
}

static dit_tensor doubled(dit_graph *g, dit_tensor x)
{
    dit_shape shape = *dit_shape_of(g, x);
    for (int axis = 2; axis < shape.rank; axis++)
        shape.dim[axis] *= 2;
    return dit_resize(g, x, shape, DIT_NEAREST);
}

// Channels that follow each other, averaged in groups: (B, C, H, W) -> (B, features, H, W).
static dit_tensor average_channels(dit_graph *g, dit_tensor x, int64_t features)
{
    int64_t B = dit_extent(g, x, 0), C = dit_extent(g, x, 1), H = dit_extent(g, x, 2), W = dit_extent(g, x, 3);
    if (C % features) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%lld channels are no multiple of %lld", (long long)C, (long long)features);
        return DIT_NONE;
    }
    return dit_mean(g, dit_reshape(g, x, DIT_SHAPE(B, features, C / features, H, W)), 1u << 2, false);
}

// Every channel several times, one after the other: (B, C, H, W) -> (B, features, H, W).
static dit_tensor repeat_channels(dit_graph *g, dit_tensor x, int64_t features)
{
    int64_t B = dit_extent(g, x, 0), C = dit_extent(g, x, 1), H = dit_extent(g, x, 2), W = dit_extent(g, x, 3);
    if (features % C) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%lld channels are no multiple of %lld", (long long)features, (long long)C);
        return DIT_NONE;
    }
    x = dit_expand(g, dit_reshape(g, x, DIT_SHAPE(B, C, 1, H, W)), DIT_SHAPE(B, C, features / C, H, W));
    return dit_reshape(g, x, DIT_SHAPE(B, features, H, W));
}

// (B, C, H, W) -> (B, features, H / 2, W / 2).
static dit_tensor downsample(dit_graph *g, const struct config *c, dit_tensor x, int64_t features, bool shortcut)
{
    dit_tensor y;
    if (c->unshuffle)
        y = unshuffle(g, nn_conv_2d(g, "conv", x, features / 4, 3, 1));
    else
        y = nn_conv_2d(g, "conv", x, features, 3, 2);
    return shortcut ? dit_add(g, y, average_channels(g, unshuffle(g, x), features)) : y;
}

// (B, C, H, W) -> (B, features, 2 H, 2 W).
static dit_tensor upsample(dit_graph *g, const struct config *c, dit_tensor x, int64_t features, bool shortcut)
{
    dit_tensor y;
    if (c->interpolate)
        y = nn_conv_2d(g, "conv", doubled(g, x), features, 3, 1);
    else
        y = shuffle(g, nn_conv_2d(g, "conv", x, 4 * features, 3, 1));
    if (!shortcut)
        return y;
    bool same = dit_extent(g, x, 1) == features; // then each channel becomes its own four neighbours
    return dit_add(g, y, same ? doubled(g, x) : shuffle(g, repeat_channels(g, x, 4 * features)));
}

// Networks
// ------------------------------------------------------------------------------------------------------------

// Pictures of a first stage without blocks begin one size down.
static bool begins_halved(const struct stage *stages)
{
    return stages[0].blocks == 0;
}

// pixels: (B, in_channels, H, W) -> (B, latent_channels, H / ratio, W / ratio).
static dit_tensor encode(dit_graph *g, const struct config *c, dit_tensor pixels)
{
    const struct stage *s = c->encoder;
    dit_tensor x = pixels;
    DIT_SCOPE (g, "encoder") {
        if (!begins_halved(s))
            x = nn_conv_2d(g, "conv_in", x, s[0].channels, 3, 1);
        else
            DIT_SCOPE (g, "conv_in")
                x = downsample(g, c, x, s[1].channels, false);
        for (int i = 0; i < c->stages; i++)
            DIT_SCOPE (g, "down_blocks.%d", i) {
                for (int k = 0; k < s[i].blocks; k++)
                    DIT_SCOPE (g, "%d", k)
                        x = block(g, c, &s[i], x);
                if (i < c->stages - 1 && s[i].blocks > 0)
                    DIT_SCOPE (g, "%d", s[i].blocks)
                        x = downsample(g, c, x, s[i + 1].channels, true);
            }
        dit_tensor y = nn_conv_2d(g, "conv_out", x, c->latent_channels, 3, 1);
        x = c->out_shortcut ? dit_add(g, y, average_channels(g, x, c->latent_channels)) : y;
    }
    return x;
}

// latents: (B, latent_channels, H, W) -> (B, in_channels, H ratio, W ratio).
static dit_tensor decode(dit_graph *g, const struct config *c, dit_tensor latents)
{
    const struct stage *s = c->decoder;
    int64_t widest = s[c->stages - 1].channels;
    dit_tensor x = DIT_NONE;
    DIT_SCOPE (g, "decoder") {
        x = nn_conv_2d(g, "conv_in", latents, widest, 3, 1);
        if (c->in_shortcut)
            x = dit_add(g, x, repeat_channels(g, latents, widest));
        for (int i = c->stages - 1; i >= 0; i--)
            DIT_SCOPE (g, "up_blocks.%d", i) {
                int layer = 0;
                if (i < c->stages - 1 && s[i].blocks > 0)
                    DIT_SCOPE (g, "%d", layer++)
                        x = upsample(g, c, x, s[i].channels, true);
                for (int k = 0; k < s[i].blocks; k++)
                    DIT_SCOPE (g, "%d", layer + k)
                        x = block(g, c, &s[i], x);
            }
        x = nn_activate(g, norm(g, "norm_out", x, RMS_NORM), c->out_activation);
        if (!begins_halved(s))
            x = nn_conv_2d(g, "conv_out", x, c->in_channels, 3, 1);
        else
            DIT_SCOPE (g, "conv_out")
                x = upsample(g, c, x, c->in_channels, false);
    }
    return x;
}

// Configuration
// -------------------------------------------------------------------------------------------------------

// A text for all stages, or one for each: index into `names` by stage.
static void read_choices(dit_json json, const char *key, const char *const *names, int otherwise, int count,
                         int *choice, dit_error *error)
{
    const json_t *value = json_object_get(json.value, key);
    for (int i = 0; i < count; i++)
        choice[i] = otherwise;
    if (!json_is_array(value)) {
        int all = dit_json_choice_or(json, key, names, otherwise, error);
        for (int i = 0; i < count; i++)
            choice[i] = all;
        return;
    }
    dit_json list = dit_json_list(json, key, error);
    if (dit_json_count(list) != (size_t)count)
        dit_json_fail(json, key, error, "has %zu entries for %d stages", dit_json_count(list), count);
    for (int i = 0; i < count && !error->status; i++) {
        const char *text = json_string_value(json_array_get(list.value, (size_t)i));
        int found = 0;
        while (text && names[found] && strcmp(names[found], text))
            found++;
        if (!text || !names[found])
            dit_json_fail(json, key, error, "has %.60s in place %d, which is not known", text ? text : "no text", i);
        choice[i] = found;
    }
}

// A list of odd kernel sides for every stage.
static void read_scales(dit_json json, const char *key, int count, struct stage *stages, dit_error *error)
{
    if (!dit_json_has(json, key)) { // the class's default, which is for six stages
        for (int i = 3; i < count; i++) {
            stages[i].scales = 1;
            stages[i].kernel[0] = 5;
        }
        if (count != 6 && !error->status)
            dit_json_fail(json, key, error, "is missing; its default is for 6 stages, not %d", count);
        return;
    }
    dit_json list = dit_json_list(json, key, error);
    if (!error->status && dit_json_count(list) != (size_t)count)
        dit_json_fail(json, key, error, "has %zu entries for %d stages", dit_json_count(list), count);
    for (int i = 0; i < count && !error->status; i++) {
        const json_t *sides = json_array_get(list.value, (size_t)i);
        stages[i].scales = (int)json_array_size(sides);
        bool good = json_is_array(sides) && stages[i].scales <= MOST_SCALES;
        for (int k = 0; good && k < stages[i].scales; k++) {
            const json_t *side = json_array_get(sides, (size_t)k);
            json_int_t n = json_is_integer(side) ? json_integer_value(side) : 0;
            good = n >= 1 && n <= 63 && n % 2 == 1;
            stages[i].kernel[k] = (int)(good ? n : 1);
        }
        if (!good)
            dit_json_fail(json, key, error, "has no list of up to %d odd sides below 64 in place %d", MOST_SCALES, i);
    }
}

static const int64_t USUAL_CHANNELS[] = {128, 256, 512, 512, 1024, 1024};

// Stages of one network: "encoder_..." or "decoder_...". Returns how many.
static int read_stages(dit_json json, const char *network, const int64_t *usual_blocks, int head_width,
                       struct stage *stages, dit_error *error)
{
    static const char *const types[] = {"ResBlock", "EfficientViTBlock", NULL};
    char channels_key[64], blocks_key[64], types_key[64], scales_key[64];
    int64_t channels[MOST_STAGES], blocks[MOST_STAGES];
    int type[MOST_STAGES];
    size_t count = 6, depths = 6;
    snprintf(channels_key, sizeof channels_key, "%s_block_out_channels", network);
    snprintf(blocks_key, sizeof blocks_key, "%s_layers_per_block", network);
    snprintf(types_key, sizeof types_key, "%s_block_types", network);
    snprintf(scales_key, sizeof scales_key, "%s_qkv_multiscales", network);
    memcpy(channels, USUAL_CHANNELS, sizeof USUAL_CHANNELS);
    memcpy(blocks, usual_blocks, sizeof USUAL_CHANNELS);
    if (dit_json_has(json, channels_key))
        count = dit_json_ints(json, channels_key, channels, 1, MOST_STAGES, 1, 1 << 16, error);
    if (dit_json_has(json, blocks_key))
        depths = dit_json_ints(json, blocks_key, blocks, 1, MOST_STAGES, 0, 1000, error);
    if (!error->status && (depths != count || (count == 1 && !blocks[0])))
        dit_json_fail(json, blocks_key, error, "has %zu entries, and %s %zu; there are blocks for each", depths,
                      channels_key, count);
    read_choices(json, types_key, types, 0, (int)count, type, error);
    read_scales(json, scales_key, (int)count, stages, error);
    for (size_t i = 0; i < count && !error->status; i++) {
        stages[i].channels = (int)channels[i];
        stages[i].blocks = (int)blocks[i];
        stages[i].type = (enum block_type)type[i];
        if (stages[i].type == EFFICIENT_VIT && stages[i].channels < head_width)
            dit_json_fail(json, channels_key, error, "has %d, less than attention_head_dim, %d", stages[i].channels,
                          head_width);
    }
    return (int)count;
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const int64_t down[] = {2, 2, 2, 3, 3, 3}, up[] = {3, 3, 3, 3, 3, 3};
    static const char *const halving[] = {"pixel_unshuffle", "conv", "Conv", NULL}; // as published files write it
    static const char *const doubling[] = {"pixel_shuffle", "interpolate", NULL};
    static const char *const norms[] = {"rms_norm", "batch_norm", NULL};
    struct config *c = config;
    int norm[MOST_STAGES], activation[MOST_STAGES];
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 3, 1, 1 << 16, error);
    c->latent_channels = (int)dit_json_int_or(json, "latent_channels", 32, 1, 1 << 16, error);
    c->head_width = (int)dit_json_int_or(json, "attention_head_dim", 32, 1, 1 << 16, error);
    if (error->status)
        return error->status;
    c->stages = read_stages(json, "decoder", up, c->head_width, c->decoder, error);
    int stages = read_stages(json, "encoder", down, c->head_width, c->encoder, error);
    if (!error->status && stages != c->stages)
        dit_json_fail(json, "encoder_block_out_channels", error, "has %d stages, and the decoder %d", stages,
                      c->stages);
    read_choices(json, "decoder_norm_types", norms, RMS_NORM, c->stages, norm, error);
    read_choices(json, "decoder_act_fns", nn_activation_names, NN_ACT_SILU, c->stages, activation, error);
    for (int i = 0; i < c->stages; i++) {
        c->encoder[i].norm = RMS_NORM;
        c->encoder[i].activation = NN_ACT_SILU;
        c->decoder[i].norm = (enum norm_type)norm[i];
        c->decoder[i].activation = (nn_activation)activation[i];
    }
    c->unshuffle = dit_json_choice_or(json, "downsample_block_type", halving, 0, error) == 0;
    c->interpolate = dit_json_choice_or(json, "upsample_block_type", doubling, 0, error) == 1;
    c->out_shortcut = dit_json_switch_or(json, "encoder_out_shortcut", true, error);
    c->in_shortcut = dit_json_switch_or(json, "decoder_in_shortcut", true, error);
    c->out_activation =
        (nn_activation)dit_json_choice_or(json, "decoder_conv_act_fn", nn_activation_names, NN_ACT_RELU, error);
    c->scaling_factor = dit_json_number_or(json, "scaling_factor", 1, -1e30, 1e30, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static void facts(const void *config, dit_autoencoder_facts *facts)
{
    const struct config *c = config;
    int halvings = begins_halved(c->decoder) ? 1 : 0;
    for (int i = 0; i < c->stages - 1; i++)
        halvings += c->decoder[i].blocks > 0;
    *facts = (dit_autoencoder_facts){.in_channels = c->in_channels,
                                     .out_channels = c->in_channels,
                                     .latent_channels = c->latent_channels,
                                     .ratio = 1 << halvings,
                                     .tile = 512,
                                     .tile_overlap = 0.125,
                                     .scaling_factor = c->scaling_factor};
}

static void describe_encode(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const struct config *c = config;
    dit_named_add(out, "latent", encode(g, c, dit_autoencoder_argument(g, in, c->in_channels, 1)));
}

static void describe_decode(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const struct config *c = config;
    dit_named_add(out, "sample", decode(g, c, dit_autoencoder_argument(g, in, c->latent_channels, 1)));
}

static void describe_forward(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const struct config *c = config;
    dit_named_add(out, "sample", decode(g, c, encode(g, c, dit_autoencoder_argument(g, in, c->in_channels, 1))));
}

static const dit_argument forward_arguments[] = {{"sample", true, 4, 4}, {0}};
static const dit_argument encode_arguments[] = {{"x", false, 4, 4}, {"sample", false, 4, 4}, {0}};
static const dit_argument decode_arguments[] = {{"z", false, 4, 4}, {"latents", false, 4, 4}, {0}};

const dit_model_class dit_model_class_autoencoder_dc = {
    .name = "AutoencoderDC",
    .config_bytes = sizeof(struct config),
    .configure = configure,
    .method[DIT_FORWARD] = {forward_arguments, describe_forward},
    .method[DIT_ENCODE] = {encode_arguments, describe_encode},
    .method[DIT_DECODE] = {decode_arguments, describe_decode},
    .autoencoder = facts,
    .buffers = (const char *const[]){"num_batches_tracked", NULL},
};
