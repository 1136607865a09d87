// models/image_classifier.c: a small residual network that says what a picture shows: the judge of class-conditional
// models. He et al. 2016 (arXiv 1603.05027, figure 4e: norm and activation before each convolution), with group norm
// (Wu and He 2018, arXiv 1803.08494) and silu.
//
// The class is dit's own; its configuration and the names of its weights are in the style of diffusers' autoencoders.
#include "models/image_classifier.h"
#include "nn/nn.h"

static dit_tensor norm_act_conv(dit_graph *g, const dit_image_classifier_config *c, dit_tensor x, const char *norm,
                                const char *conv, int64_t features)
{
    x = dit_silu(g, nn_group_norm(g, norm, x, c->groups, c->norm_eps));
    return nn_conv_2d(g, conv, x, features, 3, 1);
}

// x: (B, C, H, W) -> (B, features, H, W).
static dit_tensor residual_block(dit_graph *g, const dit_image_classifier_config *c, dit_tensor x, int64_t features)
{
    dit_tensor h = norm_act_conv(g, c, x, "norm1", "conv1", features);
    h = norm_act_conv(g, c, h, "norm2", "conv2", features);
    if (dit_extent(g, x, 1) != features)
        x = nn_conv_2d(g, "conv_shortcut", x, features, 1, 1);
    return dit_add(g, x, h);
}

// (B, C, H, W) -> (B, C, H / 2, W / 2), rounded down.
static dit_tensor halve(dit_graph *g, dit_tensor x)
{
    const dit_window window = {.axes = 2, .extent = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}, .groups = 1};
    return dit_avg_pool(g, x, &window);
}

dit_tensor dit_model_image_classifier(dit_graph *g, const dit_image_classifier_config *c, dit_tensor pixels)
{
    if (dit_extent(g, pixels, 1) != c->in_channels)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "pixel_values has %lld channels, the model takes %d",
                       (long long)dit_extent(g, pixels, 1), c->in_channels);
    dit_tensor x = nn_conv_2d(g, "conv_in", pixels, c->channels[0], 3, 1);
    for (int i = 0; i < c->stages; i++)
        DIT_SCOPE (g, "blocks.%d", i) {
            if (i > 0)
                x = halve(g, x);
            for (int k = 0; k < c->layers; k++)
                DIT_SCOPE (g, "resnets.%d", k)
                    x = residual_block(g, c, x, c->channels[i]);
            x = dit_tap(g, "out", x);
        }
    x = dit_silu(g, nn_group_norm(g, "conv_norm_out", x, c->groups, c->norm_eps));
    x = dit_mean(g, x, 1u << 2 | 1u << 3, false); // (B, C)
    return nn_linear(g, "classifier", x, c->classes, true);
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    dit_image_classifier_config *c = config;
    int64_t channels[DIT_CLASSIFIER_STAGES];
    c->in_channels = (int)dit_json_int_or(json, "in_channels", 3, 1, 1 << 16, error);
    c->sample_size = (int)dit_json_int_or(json, "sample_size", 32, 1, 1 << 16, error);
    c->classes = (int)dit_json_int(json, "num_classes", 1, 1 << 20, error);
    c->layers = (int)dit_json_int_or(json, "layers_per_block", 1, 1, 1000, error);
    c->groups = (int)dit_json_int_or(json, "norm_num_groups", 8, 1, 1 << 16, error);
    c->norm_eps = (float)dit_json_number_or(json, "norm_eps", 1e-5, 0, 1, error);
    c->stages = (int)dit_json_ints(json, "block_out_channels", channels, 1, DIT_CLASSIFIER_STAGES, 1, 1 << 16, error);
    for (int i = 0; i < c->stages; i++) {
        c->channels[i] = (int)channels[i];
        if (c->channels[i] % c->groups)
            dit_json_fail(json, "block_out_channels", error, "has %d, which is no multiple of norm_num_groups, %d",
                          c->channels[i], c->groups);
    }
    if (c->stages > 0 && c->sample_size >> (c->stages - 1) < 1)
        dit_json_fail(json, "sample_size", error, "is %d, which is not halved %d times", c->sample_size, c->stages - 1);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"pixel_values", true, 4, 4}, {0}};

static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    dit_named_add(out, "logits", dit_model_image_classifier(g, config, dit_named_find(in, "pixel_values")));
}

const dit_model_class dit_model_class_image_classifier = {
    .name = "ImageClassifier",
    .config_bytes = sizeof(dit_image_classifier_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
};
