// models/efficientnet_lite.c: EfficientNet-Lite, an image classifier whose features judge pictures.
// Tan and Le 2019 (arXiv 1905.11946), table 1; the Lite variant has no squeeze-and-excitation and relu6 for swish.
// Weight names: the PyPI package efficientnet-lite-pytorch 0.1.0; config.json is written by tools/data/judge.
#include "models/efficientnet_lite.h"
#include "graph/ops.h"

// Zeros around an image as TensorFlow's "SAME" puts them: extent / stride, rounded up, stays; the odd zero comes last.
static dit_tensor pad_same(dit_graph *g, dit_tensor x, int kernel, int stride)
{
    int64_t before[4] = {0}, after[4] = {0};
    bool any = false;
    for (int axis = 2; axis < 4; axis++) {
        int64_t extent = dit_extent(g, x, axis), steps = (extent + stride - 1) / stride;
        int64_t total = (steps - 1) * stride + kernel - extent;
        if (total <= 0)
            continue;
        before[axis] = total / 2;
        after[axis] = total - total / 2;
        any = true;
    }
    return any ? dit_pad(g, x, before, after, DIT_PAD_VALUE, 0) : x;
}

// Convolution and batch norm in one: the norm's statistics are fixed, so it is a factor and a shift of each channel,
// which a plan with frozen weights folds into the convolution's own. x: (B, C, H, W); each group has `inputs` channels.
static dit_tensor conv_norm(dit_graph *g, const dit_efficientnet_config *c, const char *conv, const char *norm,
                            dit_tensor x, int64_t inputs, int64_t outputs, int kernel, int stride)
{
    int groups = (int)(dit_extent(g, x, 1) / inputs);
    dit_tensor weight = DIT_NONE, scale = DIT_NONE, shift = DIT_NONE, mean = DIT_NONE, variance = DIT_NONE;
    DIT_SCOPE (g, "%s", conv)
        weight = dit_parameter(g, "weight", DIT_SHAPE(outputs, inputs, kernel, kernel), DIT_INITIAL_NORMAL(0.02f));
    DIT_SCOPE (g, "%s", norm) {
        scale = dit_parameter(g, "weight", DIT_SHAPE(outputs), DIT_INITIAL_ONES);
        shift = dit_parameter(g, "bias", DIT_SHAPE(outputs), DIT_INITIAL_ZEROS);
        mean = dit_parameter(g, "running_mean", DIT_SHAPE(outputs), DIT_INITIAL_ZEROS);
        variance = dit_parameter(g, "running_var", DIT_SHAPE(outputs), DIT_INITIAL_ONES);
    }
    scale = dit_mul(g, scale, dit_rsqrt(g, dit_affine(g, variance, 1, c->batch_norm_eps)));
    weight = dit_mul(g, weight, dit_reshape(g, scale, DIT_SHAPE(outputs, 1, 1, 1)));
    const dit_window window = {
        .axes = 2, .extent = {kernel, kernel}, .stride = {stride, stride}, .dilation = {1, 1}, .groups = groups};
    return dit_conv(g, pad_same(g, x, kernel, stride), weight, dit_sub(g, shift, dit_mul(g, mean, scale)), &window);
}

static dit_tensor relu6(dit_graph *g, dit_tensor x)
{
    return dit_clamp(g, x, 0, 6);
}

// Inverted residual: widen, filter each channel, narrow (Sandler et al. 2018, arXiv 1801.04381).
static dit_tensor block(dit_graph *g, const dit_efficientnet_config *c, const struct dit_efficientnet_stage *s,
                        dit_tensor x, int stride)
{
    int64_t inputs = dit_extent(g, x, 1), wide = inputs * s->expansion;
    dit_tensor h = x;
    if (s->expansion != 1)
        h = relu6(g, conv_norm(g, c, "_expand_conv", "_bn0", h, inputs, wide, 1, 1));
    h = relu6(g, conv_norm(g, c, "_depthwise_conv", "_bn1", h, 1, wide, s->kernel, stride));
    h = conv_norm(g, c, "_project_conv", "_bn2", h, wide, s->channels, 1, 1);
    return stride == 1 && inputs == s->channels ? dit_add(g, h, x) : h;
}

dit_tensor dit_model_efficientnet_lite(dit_graph *g, const dit_efficientnet_config *c, dit_tensor pixels)
{
    if (dit_extent(g, pixels, 1) != 3)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "pixel_values has %lld channels; pictures here have 3",
                       (long long)dit_extent(g, pixels, 1));
    dit_tensor x = relu6(g, conv_norm(g, c, "_conv_stem", "_bn0", pixels, 3, c->stem_channels, 3, 2));
    int number = 0;
    for (int i = 0; i < c->stages; i++)
        for (int k = 0; k < c->stage[i].repeats; k++)
            DIT_SCOPE (g, "_blocks.%d", number++)
                x = block(g, c, &c->stage[i], x, k == 0 ? c->stage[i].stride : 1);
    x = relu6(g, conv_norm(g, c, "_conv_head", "_bn1", x, dit_extent(g, x, 1), c->head_channels, 1, 1));
    return dit_tap(g, "features", dit_mean(g, x, 1 << 2 | 1 << 3, false)); // (B, head_channels)
}

// "stages": [[repeats, kernel, stride, expansion, channels], ...]
static void configure_stages(dit_efficientnet_config *c, dit_json json, dit_error *error)
{
    dit_json list = dit_json_list(json, "stages", error);
    size_t count = dit_json_count(list);
    if (!error->status && (count < 1 || count > DIT_EFFICIENTNET_STAGES)) {
        dit_json_fail(json, "stages", error, "has %zu entries; a network has 1 to %d", count, DIT_EFFICIENTNET_STAGES);
        return;
    }
    for (size_t i = 0; i < count && !error->status; i++) {
        static const int most[5] = {64, 15, 4, 64, 1 << 14};
        int *field[5] = {&c->stage[i].repeats, &c->stage[i].kernel, &c->stage[i].stride, &c->stage[i].expansion,
                         &c->stage[i].channels};
        json_t *row = json_array_get(list.value, i);
        bool good = json_array_size(row) == 5;
        for (size_t k = 0; k < 5 && good; k++) {
            json_t *value = json_array_get(row, k);
            json_int_t n = json_is_integer(value) ? json_integer_value(value) : 0;
            good = n >= 1 && n <= most[k];
            *field[k] = (int)(good ? n : 1);
        }
        if (!good)
            dit_json_fail(json, "stages", error, "has no five sizes in place %zu", i);
    }
    c->stages = (int)count;
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    dit_efficientnet_config *c = config;
    c->image_size = (int)dit_json_int(json, "image_size", 1, 4096, error);
    c->pixel_mean = (float)dit_json_number(json, "pixel_mean", 0, 255, error);
    c->pixel_std = (float)dit_json_number(json, "pixel_std", 1e-3, 255, error);
    c->batch_norm_eps = (float)dit_json_number(json, "batch_norm_eps", 0, 1, error);
    c->stem_channels = (int)dit_json_int(json, "stem_channels", 1, 1 << 14, error);
    c->head_channels = (int)dit_json_int(json, "head_channels", 1, 1 << 14, error);
    c->classes = (int)dit_json_int(json, "num_classes", 1, 1 << 20, error);
    configure_stages(c, json, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"pixel_values", true, 4, 4}, {0}};

static void describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const dit_efficientnet_config *c = config;
    dit_tensor features = dit_model_efficientnet_lite(g, c, dit_named_find(in, "pixel_values"));
    dit_named_add(out, "features", features);
    dit_named_add(out, "logits", nn_linear(g, "_fc", features, c->classes, true)); // (B, num_classes)
}

const dit_model_class dit_model_class_efficientnet_lite = {
    .name = "EfficientNetLite",
    .config_bytes = sizeof(dit_efficientnet_config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
    .buffers = (const char *const[]){"num_batches_tracked", NULL},
};
