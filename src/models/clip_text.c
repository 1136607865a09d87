// models/clip_text.c: the text encoder of CLIP, with and without the projection into the space that pictures share.
// Radford et al. 2021 (arXiv 2103.00020), section 2.4. Weight names: transformers' CLIPTextModel.
#include "models/text_encoder.h"
#include <math.h>

struct config {
    int vocabulary, width, feed_forward, layers, heads, positions;
    int projection; // features of the space that pictures share; 0: the pooled state itself is in it
    int64_t eos;    // end of text; 2 in old files, where it is wrong and the largest id is taken instead
    float norm_eps;
    dit_text_activation activation;
};

// x: (B, T, C) -> (B, T, C)
static dit_tensor attention(dit_graph *g, const struct config *c, dit_tensor x, dit_tensor padding)
{
    int head_width = c->width / c->heads;
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "self_attn") {
        dit_tensor q = dit_text_heads(g, "q_proj", x, c->heads, head_width, true); // (B, T, H, D)
        dit_tensor k = dit_text_heads(g, "k_proj", x, c->heads, head_width, true);
        dit_tensor v = dit_text_heads(g, "v_proj", x, c->heads, head_width, true);
        y = dit_attention(g, q, k, v, padding, 1 / sqrtf((float)head_width), true);
        y = dit_reshape(g, y, *dit_shape_of(g, x));
        y = nn_linear(g, "out_proj", y, c->width, true);
    }
    return y;
}

static dit_tensor feed_forward(dit_graph *g, const struct config *c, dit_tensor x)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "mlp") {
        y = dit_text_activate(g, nn_linear(g, "fc1", x, c->feed_forward, true), c->activation); // (B, T, F)
        y = nn_linear(g, "fc2", y, c->width, true);
    }
    return y;
}

static dit_tensor layer(dit_graph *g, const struct config *c, dit_tensor x, dit_tensor padding)
{
    x = dit_add(g, x, attention(g, c, nn_layer_norm(g, "layer_norm1", x, c->norm_eps), padding));
    return dit_tap(g, "out", dit_add(g, x, feed_forward(g, c, nn_layer_norm(g, "layer_norm2", x, c->norm_eps))));
}

// The state of each row's end of text: x (B, T, C) -> (B, C). It is the first end, and the first token where there is
// none.
static dit_tensor pool(dit_graph *g, const struct config *c, dit_tensor x, const dit_text_inputs *in)
{
    const int64_t old_eos = 2;
    dit_tensor mark = in->ids; // (B, T), largest at the end of text
    if (c->eos != old_eos) {
        int64_t eos = c->eos;
        mark = dit_cast(g, mark, DIT_I64);
        mark = dit_equal(g, mark, dit_constant(g, DIT_I64, DIT_SCALAR, &eos));
    }
    dit_tensor at = dit_sibling(g, dit_top_k(g, dit_cast(g, mark, DIT_F32), 1), 1); // (B, 1), the first of equal ones
    at = dit_expand(g, dit_reshape(g, at, DIT_SHAPE(in->batch, 1, 1)), DIT_SHAPE(in->batch, 1, c->width));
    return dit_reshape(g, dit_gather(g, x, at, 1), DIT_SHAPE(in->batch, c->width));
}

// Adds last_hidden_state and all hidden_states, which the final norm is not applied to, and returns the pooled state.
static dit_tensor describe(dit_graph *g, const struct config *c, const dit_named_tensors *arguments,
                           dit_named_tensors *out)
{
    static const char *const prefixes[] = {"text_model", "", NULL};
    const dit_text_inputs in = dit_text_inputs_of(g, arguments);
    dit_tensor states[DIT_TEXT_MOST_LAYERS + 1], x = DIT_NONE;
    DIT_SCOPE (g, "%s", dit_text_prefix(g, prefixes, "embeddings.token_embedding.weight")) {
        DIT_SCOPE (g, "embeddings") {
            x = dit_text_embedding(g, "token_embedding", c->vocabulary, c->width, DIT_TEXT_NO_PADDING,
                                   &in); // (B, T, C)
            x = dit_add(g, x, dit_text_positions(g, "position_embedding", c->positions, c->width, &in));
        }
        states[0] = x;
        for (int i = 0; i < c->layers; i++)
            DIT_SCOPE (g, "encoder.layers.%d", i)
                states[i + 1] = x = layer(g, c, x, in.padding);
        x = nn_layer_norm(g, "final_layer_norm", x, c->norm_eps);
    }
    dit_text_outputs(g, &in, out, x, states, c->layers + 1);
    return pool(g, c, x, &in);
}

static void describe_plain(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    dit_tensor pooled = describe(g, config, in, out); // (B, C)
    dit_named_add(out, "pooler_output", pooled);
}

static void describe_projected(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out)
{
    const struct config *c = config;
    dit_tensor pooled = describe(g, c, in, out); // (B, C)
    dit_named_add(out, "text_embeds",
                  c->projection ? nn_linear(g, "text_projection", pooled, c->projection, false) : pooled);
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    struct config *c = config;
    dit_text_ignore(json, error);
    c->vocabulary = (int)dit_json_int_or(json, "vocab_size", 49408, 1, 1 << 24, error);
    c->width = (int)dit_json_int_or(json, "hidden_size", 512, 1, 1 << 16, error);
    c->feed_forward = (int)dit_json_int_or(json, "intermediate_size", 2048, 1, 1 << 20, error);
    c->projection = (int)dit_json_int_or(json, "projection_dim", 512, 0, 1 << 16, error);
    c->layers = (int)dit_json_int_or(json, "num_hidden_layers", 12, 1, DIT_TEXT_MOST_LAYERS, error);
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 8, 1, 1024, error);
    c->positions = (int)dit_json_int_or(json, "max_position_embeddings", 77, 1, 1 << 20, error);
    c->activation = dit_text_activation_or(json, "hidden_act", DIT_TEXT_GELU_SIGMOID, error);
    c->norm_eps = (float)dit_json_number_or(json, "layer_norm_eps", 1e-5, 0, 1, error);
    c->eos = dit_json_int_or(json, "eos_token_id", 49407, 0, INT32_MAX, error);
    if (!error->status && c->width % c->heads)
        dit_json_fail(json, "num_attention_heads", error, "is %d; it must divide hidden_size, %d", c->heads, c->width);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"input_ids", DIT_REQUIRED, 2, 2},
                                         {"attention_mask", DIT_OPTIONAL, 2, 2},
                                         {"position_ids", DIT_OPTIONAL, 2, 2},
                                         {"output_hidden_states", DIT_CONSTANT, 0, 1},
                                         {0}};

const dit_model_class dit_model_class_clip_text = {
    .name = "CLIPTextModel",
    .model_types = (const char *const[]){"clip_text_model", NULL},
    .config_bytes = sizeof(struct config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe_plain},
    .buffers = (const char *const[]){"position_ids", "text_projection.weight", NULL},
};

const dit_model_class dit_model_class_clip_text_projection = {
    .name = "CLIPTextModelWithProjection",
    .config_bytes = sizeof(struct config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe_projected},
    .buffers = (const char *const[]){"position_ids", NULL},
};
