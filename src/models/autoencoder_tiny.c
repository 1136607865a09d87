// models/autoencoder_tiny.c: a small autoencoder distilled from a large one, for previews and small machines.
// Bohan, TAESD (https://github.com/madebyollin/taesd). Weight names: diffusers AutoencoderTiny.
#include "models/arguments.h"
#include "nn/nn.h"
#include <stdio.h>
#include <string.h>

enum { MOST_STAGES = 12 };

struct stages {
    int count, channels; // every stage is equally wide: the convolutions between stages keep the width
    int blocks[MOST_STAGES];
};

struct config {
    int in_channels, out_channels, latent_channels;
    struct stages encoder, decoder;
    int factor; // of upsampling
    nn_activation activation;
    dit_resize_mode upsampling;
    float latent_magnitude, latent_shift;
    double scaling_factor, shift_factor;
};

// The layers of a network are numbered one after the other, activations included.
static dit_tensor conv(dit_graph *g, int *layer, dit_tensor x, int64_t features, int stride, bool bias)
{
    const nn_conv_options options = {.kernel = 3, .stride = stride, .no_bias = !bias};
    char name[32];
    snprintf(name, sizeof name, "layers.%d", (*layer)++);
    return nn_conv(g, name, x, features, &options);
}

// Three convolutions around a shortcut. x, result: (B, C, H, W).
static dit_tensor blocks(dit_graph *g, const struct config *c, int *layer, dit_tensor x, int count)
{
    int64_t features = dit_extent(g, x, 1);
    for (int i = 0; i < count; i++)
        DIT_SCOPE (g, "layers.%d", (*layer)++) {
            dit_tensor h = nn_activate(g, nn_conv_2d(g, "conv.0", x, features, 3, 1), c->activation);
            h = nn_activate(g, nn_conv_2d(g, "conv.2", h, features, 3, 1), c->activation);
            h = nn_conv_2d(g, "conv.4", h, features, 3, 1);
            x = dit_tap(g, "out", dit_relu(g, dit_add(g, h, x)));
        }
    return x;
}

// pixels: (B, in_channels, H, W) in -1..1 -> (B, latent_channels, H / ratio, W / ratio), rounded up.
static dit_tensor encode(dit_graph *g, const struct config *c, dit_tensor pixels)
{
    dit_tensor x = dit_affine(g, pixels, 0.5f, 0.5f);
    DIT_SCOPE (g, "encoder") {
        int layer = 0;
        for (int i = 0; i < c->encoder.count; i++) {
            x = conv(g, &layer, x, c->encoder.channels, i ? 2 : 1, i == 0);
            x = blocks(g, c, &layer, x, c->encoder.blocks[i]);
        }
        x = conv(g, &layer, x, c->latent_channels, 1, true);
    }
    return x;
}

static dit_tensor upsample(dit_graph *g, const struct config *c, dit_tensor x)
{
    dit_shape shape = *dit_shape_of(g, x);
    for (int axis = 2; axis < shape.rank; axis++)
        shape.dim[axis] *= c->factor;
    return dit_resize(g, x, shape, c->upsampling);
}

// latents: (B, latent_channels, H, W) -> (B, out_channels, H ratio, W ratio) in about -1..1.
static dit_tensor decode(dit_graph *g, const struct config *c, dit_tensor latents)
{
    dit_tensor x = dit_affine(g, dit_tanh(g, dit_affine(g, latents, 1.0f / 3, 0)), 3, 0);
    DIT_SCOPE (g, "decoder") {
        int layer = 0;
        x = nn_activate(g, conv(g, &layer, x, c->decoder.channels, 1, true), c->activation);
        layer++; // the activation
        for (int i = 0; i < c->decoder.count; i++) {
            bool last = i == c->decoder.count - 1;
            x = blocks(g, c, &layer, x, c->decoder.blocks[i]);
            if (!last) {
                x = upsample(g, c, x);
                layer++;
            }
            x = conv(g, &layer, x, last ? c->out_channels : c->decoder.channels, 1, last);
        }
    }
    return dit_affine(g, x, 2, -1);
}

static void read_stages(struct stages *s, dit_json json, const char *channels_key, const char *blocks_key,
                        const int64_t *usual, dit_error *error)
{
    int64_t channels[MOST_STAGES] = {64, 64, 64, 64}, blocks[MOST_STAGES];
    size_t count = 4, widths = 4;
    memcpy(blocks, usual, count * sizeof *blocks);
    if (dit_json_has(json, channels_key))
        widths = dit_json_ints(json, channels_key, channels, 1, MOST_STAGES, 1, 1 << 16, error);
    if (dit_json_has(json, blocks_key))
        count = dit_json_ints(json, blocks_key, blocks, 1, MOST_STAGES, 0, 1000, error);
    if (!error->status && count != widths)
        dit_json_fail(json, blocks_key, error, "has %zu entries for %zu entries of %s", count, widths, channels_key);
    s->count = (int)count;
    s->channels = (int)channels[0];
    for (size_t i = 0; i < count && !error->status; i++) {
        s->blocks[i] = (int)blocks[i];
        if (channels[i] != channels[0])
            dit_json_fail(json, channels_key, error, "has %d and %d; the convolutions between stages keep the width",
                          (int)channels[0], (int)channels[i]);
    }
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const int64_t down[] = {1, 3, 3, 3}, up[] = {3, 3, 3, 1};
    static const char *const upsampling[] = {"nearest", "bilinear", NULL};
    static const char *const ignored[] = {"block_out_channels", NULL}; // decoder_block_out_channels once more
    struct config *c = config;
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 3, 1, 1 << 16, error);
    c->out_channels = (int)dit_json_int_or(json, "out_channels", 3, 1, 1 << 16, error);
    c->latent_channels = (int)dit_json_int_or(json, "latent_channels", 4, 1, 1 << 16, error);
    read_stages(&c->encoder, json, "encoder_block_out_channels", "num_encoder_blocks", down, error);
    read_stages(&c->decoder, json, "decoder_block_out_channels", "num_decoder_blocks", up, error);
    c->activation = (nn_activation)dit_json_choice_or(json, "act_fn", nn_activation_names, NN_ACT_RELU, error);
    c->upsampling = dit_json_choice_or(json, "upsample_fn", upsampling, 0, error) ? DIT_BILINEAR : DIT_NEAREST;
    c->factor = (int)dit_json_int_or(json, "upsampling_scaling_factor", 2, 1, 16, error);
    c->latent_magnitude = (float)dit_json_number_or(json, "latent_magnitude", 3, 1e-6, 1e6, error);
    c->latent_shift = (float)dit_json_number_or(json, "latent_shift", 0.5, -1e6, 1e6, error);
    c->scaling_factor = dit_json_number_or(json, "scaling_factor", 1, -1e30, 1e30, error);
    c->shift_factor = dit_json_number_or(json, "shift_factor", 0, -1e30, 1e30, error);
    dit_json_bool_or(json, "force_upcast", false, error); // a pipeline's choice of dtype
    dit_json_ignore(json, ignored, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static int ratio_of(int factor, int stages)
{
    int ratio = 1;
    for (int i = 1; i < stages && ratio < 1 << 20; i++)
        ratio *= factor;
    return ratio;
}

static void facts(const void *config, dit_autoencoder_facts *facts)
{
    const struct config *c = config;
    *facts = (dit_autoencoder_facts){.in_channels = c->in_channels,
                                     .out_channels = c->out_channels,
                                     .latent_channels = c->latent_channels,
                                     .ratio = ratio_of(c->factor, c->decoder.count),
                                     .tile = 512,
                                     .tile_overlap = 0.125,
                                     .scaling_factor = c->scaling_factor,
                                     .shift_factor = c->shift_factor};
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

// There and back through 8 bits a latent, as if the latents were stored in a picture.
static void describe_forward(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const struct config *c = config;
    dit_tensor x = encode(g, c, dit_autoencoder_argument(g, in, c->in_channels, 1));
    dit_dtype dtype = dit_dtype_of(g, x);
    x = dit_clamp(g, dit_affine(g, dit_cast(g, x, DIT_F32), 0.5f / c->latent_magnitude, c->latent_shift), 0, 1);
    // To the nearest integer, ties to even: beside 1.5 * 2^23 a float has no fraction. No gradient passes.
    x = dit_affine(g, dit_affine(g, x, 255, 0), 1, 0x1.8p23f);
    x = dit_affine(g, dit_detach(g, dit_affine(g, x, 1, -0x1.8p23f)), 1 / 255.0f, 0);
    x = dit_affine(g, dit_affine(g, x, 1, -c->latent_shift), 2 * c->latent_magnitude, 0);
    dit_named_add(out, "sample", decode(g, c, dit_cast(g, x, dtype)));
}

static const dit_argument forward_arguments[] = {{"sample", true, 4, 4}, {0}};
static const dit_argument encode_arguments[] = {{"x", false, 4, 4}, {"sample", false, 4, 4}, {0}};
static const dit_argument decode_arguments[] = {{"x", false, 4, 4}, {"z", false, 4, 4}, {"latents", false, 4, 4}, {0}};

const dit_model_class dit_model_class_autoencoder_tiny = {
    .name = "AutoencoderTiny",
    .config_bytes = sizeof(struct config),
    .configure = configure,
    .method[DIT_FORWARD] = {forward_arguments, describe_forward},
    .method[DIT_ENCODE] = {encode_arguments, describe_encode},
    .method[DIT_DECODE] = {decode_arguments, describe_decode},
    .autoencoder = facts,
};
