// models/t5_encoder.c: the encoders of T5, T5 v1.1 and umT5. Raffel et al. 2020 (arXiv 1910.10683), section 2.1; gated
// feed-forward: Shazeer 2020 (arXiv 2002.05202); umT5, whose layers each have a position bias of their own: Chung et
// al. 2023 (arXiv 2304.09151). Attention has no scale, norms no mean and no bias. Weight names: transformers'
// T5EncoderModel.
#include "base/memory.h"
#include "models/text_encoder.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct config {
    int vocabulary, width, head_width, feed_forward, layers, heads;
    int buckets, max_distance; // of relative positions
    bool gated, own_bias;      // own_bias: of every layer
    dit_text_activation activation;
    float norm_eps;
};

// x: (..., C). The reference rounds before it multiplies by the weight, to the weight's dtype.
static dit_tensor norm(dit_graph *g, const struct config *c, const char *name, dit_tensor x, dit_dtype dtype)
{
    if (dtype == DIT_F32)
        return nn_rms_norm(g, name, x, c->norm_eps);
    dit_tensor y = dit_rms_norm(g, x, DIT_NONE, c->norm_eps);
    if (dit_dtype_of(g, y) != dtype)
        y = dit_cast(g, y, dtype);
    DIT_SCOPE (g, "%s", name)
        y = dit_mul(g, y, dit_parameter(g, "weight", DIT_SHAPE(dit_extent(g, x, -1)), DIT_INITIAL_ONES));
    return y;
}

// The bucket of a distance from query to key: half of them for keys that come later; in each half, small distances have
// one each, larger ones share logarithmically. Rounded to f32 where the reference is.
static int32_t bucket(const struct config *c, int64_t distance)
{
    int half = c->buckets / 2, exact = half / 2;
    int64_t size = distance < 0 ? -distance : distance, place = size;
    if (size >= exact) {
        float ratio = (float)log((double)((float)size / (float)exact));
        ratio = ratio / (float)log((double)c->max_distance / exact) * (float)(half - exact);
        place = exact + (int64_t)ratio;
        if (place > half - 1)
            place = half - 1;
    }
    return (int32_t)(place + (distance > 0 ? half : 0));
}

// Buckets of all pairs of tokens, (T, T) i32.
static dit_tensor buckets(dit_graph *g, const struct config *c, int64_t T)
{
    double count = (double)T * (double)T,
           bytes = count * (double)(2 * sizeof(int32_t) + (size_t)c->heads * sizeof(float));
    int32_t *pairs = NULL, *line = NULL; // line[d + T - 1]: of distance d
    dit_tensor t = DIT_NONE;
    if (dit_memory_check(bytes, "relative positions of the tokens", dit_graph_error(g)))
        return t;
    pairs = malloc((size_t)count * sizeof *pairs);
    line = malloc((size_t)(2 * T - 1) * sizeof *line);
    if (!pairs || !line) {
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory for the relative positions of %lld tokens", (long long)T);
        goto done;
    }
    for (int64_t d = 1 - T; d < T; d++)
        line[d + T - 1] = bucket(c, d);
    for (int64_t i = 0; i < T; i++)
        memcpy(pairs + i * T, line + T - 1 - i, (size_t)T * sizeof *pairs);
    t = dit_constant(g, DIT_I32, DIT_SHAPE(T, T), pairs);
done:
    free(pairs);
    free(line);
    return t;
}

// What is added to the scores of a layer, (1, H, T, T), or (B, H, T, T) where there is padding.
static dit_tensor position_bias(dit_graph *g, const struct config *c, dit_tensor buckets, dit_tensor padding,
                                dit_dtype dtype)
{
    dit_tensor bias = nn_embedding(g, "relative_attention_bias", c->buckets, c->heads, buckets); // (T, T, H)
    int64_t T = dit_extent(g, bias, 0);
    bias = dit_reshape(g, dit_permute(g, bias, (int[]){2, 0, 1}), DIT_SHAPE(1, c->heads, T, T));
    if (dit_dtype_of(g, bias) != DIT_F32)
        bias = dit_cast(g, bias, DIT_F32);
    return dit_text_bias(g, padding, bias, dtype);
}

// x: (B, T, C) -> (B, T, C). Where *bias is none it is made from this layer's table.
static dit_tensor attention(dit_graph *g, const struct config *c, dit_tensor x, dit_tensor buckets, dit_tensor padding,
                            dit_tensor *bias)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "SelfAttention") {
        if (dit_is_none(*bias))
            *bias = position_bias(g, c, buckets, padding, dit_dtype_of(g, x));
        dit_tensor q = dit_text_heads(g, "q", x, c->heads, c->head_width, false); // (B, T, H, D)
        dit_tensor k = dit_text_heads(g, "k", x, c->heads, c->head_width, false);
        dit_tensor v = dit_text_heads(g, "v", x, c->heads, c->head_width, false);
        y = dit_attention(g, q, k, v, *bias, 1, false); // (B, T, H, D)
        y = dit_reshape(g, y, DIT_SHAPE(dit_extent(g, y, 0), dit_extent(g, y, 1), (int64_t)c->heads * c->head_width));
        y = nn_linear(g, "o", y, c->width, false);
    }
    return y;
}

// x: (B, T, C) -> (B, T, C). In f16 the last product is taken in f32, as the reference keeps that weight: the sums
// leave f16's range in published models.
static dit_tensor feed_forward(dit_graph *g, const struct config *c, dit_tensor x)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "DenseReluDense") {
        y = nn_linear(g, c->gated ? "wi_0" : "wi", x, c->feed_forward, false);
        y = dit_text_activate(g, y, c->activation);
        if (c->gated)
            y = dit_mul(g, y, nn_linear(g, "wi_1", x, c->feed_forward, false)); // (B, T, F)
        if (dit_dtype_of(g, y) == DIT_F16)
            y = dit_cast(g, y, DIT_F32);
        y = nn_linear(g, "wo", y, c->width, false);
    }
    return y;
}

// residual + y, in the wider dtype of the two.
static dit_tensor add_wider(dit_graph *g, dit_tensor residual, dit_tensor y)
{
    return dit_dtype_of(g, y) == DIT_F32 ? dit_add(g, y, residual) : dit_add(g, residual, y);
}

static void describe(dit_graph *g, const void *config, const dit_named_tensors *arguments, dit_named_tensors *out)
{
    static const char *const tables[] = {"shared", "encoder.embed_tokens", NULL}; // one table under two names
    const struct config *c = config;
    const dit_text_inputs in = dit_text_inputs_of(g, arguments);
    const dit_tensor pairs = buckets(g, c, in.length);
    dit_tensor states[DIT_TEXT_MOST_LAYERS + 1], bias = DIT_NONE;
    const char *table = dit_text_prefix(g, tables, "weight");
    dit_tensor x = dit_text_embedding(g, table, c->vocabulary, c->width, DIT_TEXT_NO_PADDING, &in); // (B, T, C)
    for (int i = 0; i < c->layers; i++) {
        states[i] = x;
        if (c->own_bias)
            bias = DIT_NONE;
        DIT_SCOPE (g, "encoder.block.%d", i) {
            DIT_SCOPE (g, "layer.0")
                x = add_wider(g, x, attention(g, c, norm(g, c, "layer_norm", x, in.dtype), pairs, in.padding, &bias));
            DIT_SCOPE (g, "layer.1")
                x = add_wider(g, x, feed_forward(g, c, norm(g, c, "layer_norm", x, in.dtype)));
            x = dit_tap(g, "out", x);
        }
    }
    states[c->layers] = norm(g, c, "encoder.final_layer_norm", x, in.dtype);
    dit_text_outputs(g, &in, out, states[c->layers], states, c->layers + 1);
}

// "relu", "gated-gelu", "gated-silu": the last word is the activation. Files say the same again in two other keys,
// which count where they differ.
static void read_feed_forward(struct config *c, dit_json json, const char *otherwise, dit_error *error)
{
    const char *kind = dit_json_text_or(json, "feed_forward_proj", otherwise, error);
    c->gated = !strncmp(kind, "gated-", 6);
    const char *name = c->gated ? kind + 6 : kind;
    if (!error->status && !dit_text_activation_named(name, &c->activation))
        dit_json_fail(json, "feed_forward_proj", error, "is \"%.40s\"; known are relu, gated-gelu, gated-silu and such",
                      kind);
    if (!strcmp(kind, "gated-gelu")) // always the approximation
        c->activation = DIT_TEXT_GELU_NEW;
    c->activation = dit_text_activation_or(json, "dense_act_fn", c->activation, error);
    c->gated = dit_json_bool_or(json, "is_gated_act", c->gated, error);
}

static void read_sizes(struct config *c, dit_json json, dit_error *error)
{
    static const char *const decoder[] = {"num_decoder_layers", "scale_decoder_outputs", "n_positions", NULL};
    dit_text_ignore(json, error);
    dit_json_ignore(json, decoder, error);
    c->vocabulary = (int)dit_json_int_or(json, "vocab_size", c->vocabulary, 1, 1 << 24, error);
    c->width = (int)dit_json_int_or(json, "d_model", 512, 1, 1 << 16, error);
    c->head_width = (int)dit_json_int_or(json, "d_kv", 64, 1, 4096, error);
    c->feed_forward = (int)dit_json_int_or(json, "d_ff", c->feed_forward, 1, 1 << 20, error);
    c->layers = (int)dit_json_int_or(json, "num_layers", c->layers, 1, DIT_TEXT_MOST_LAYERS, error);
    c->heads = (int)dit_json_int_or(json, "num_heads", c->heads, 1, 1024, error);
    c->buckets = (int)dit_json_int_or(json, "relative_attention_num_buckets", 32, 4, 1 << 16, error);
    c->max_distance = (int)dit_json_int_or(json, "relative_attention_max_distance", 128, 2, 1 << 24, error);
    c->norm_eps = (float)dit_json_number_or(json, "layer_norm_epsilon", 1e-6, 0, 1, error);
    if (!error->status && c->max_distance <= c->buckets / 4)
        dit_json_fail(json, "relative_attention_max_distance", error, "is %d; %d buckets reach further",
                      c->max_distance, c->buckets);
    if (dit_json_bool_or(json, "is_decoder", false, error))
        dit_json_fail(json, "is_decoder", error, "is true; this is an encoder");
}

static dit_status configure_t5(void *config, dit_json json, dit_error *error)
{
    struct config *c = config;
    *c = (struct config){.vocabulary = 32128, .feed_forward = 2048, .layers = 6, .heads = 8};
    read_sizes(c, json, error);
    read_feed_forward(c, json, "relu", error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static dit_status configure_umt5(void *config, dit_json json, dit_error *error)
{
    struct config *c = config;
    *c = (struct config){.vocabulary = 250112, .feed_forward = 1024, .layers = 8, .heads = 6, .own_bias = true};
    read_sizes(c, json, error);
    read_feed_forward(c, json, "gated-gelu", error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"input_ids", DIT_REQUIRED, 2, 2},
                                         {"attention_mask", DIT_OPTIONAL, 2, 2},
                                         {"output_hidden_states", DIT_CONSTANT, 0, 1},
                                         {0}};

// The decoder of a whole model, and the second name of the table.
static const char *const buffers[] = {"encoder.embed_tokens.weight", "shared.weight", "lm_head.weight", "decoder.*",
                                      NULL};

const dit_model_class dit_model_class_t5_encoder = {
    .name = "T5EncoderModel",
    .older_names = (const char *const[]){"T5ForConditionalGeneration", "T5Model", "T5WithLMHeadModel",
                                         "MT5EncoderModel", "MT5ForConditionalGeneration", NULL},
    .model_types = (const char *const[]){"t5", "mt5", NULL},
    .config_bytes = sizeof(struct config),
    .configure = configure_t5,
    .method[DIT_FORWARD] = {arguments, describe},
    .buffers = buffers,
};

const dit_model_class dit_model_class_umt5_encoder = {
    .name = "UMT5EncoderModel",
    .older_names = (const char *const[]){"UMT5ForConditionalGeneration", "UMT5Model", NULL},
    .model_types = (const char *const[]){"umt5", NULL},
    .config_bytes = sizeof(struct config),
    .configure = configure_umt5,
    .method[DIT_FORWARD] = {arguments, describe},
    .buffers = buffers,
};
