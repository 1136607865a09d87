// models/bert.c: BERT. Devlin et al. 2018 (arXiv 1810.04805), section 3; norms follow the sums. Weight names:
// transformers' BertModel. HunyuanDiT's first text encoder, and the MiniLM sentence encoders.
#include "models/text_encoder.h"
#include <math.h>

struct config {
    int vocabulary, width, feed_forward, layers, heads, positions, types;
    int64_t padding; // id whose embedding is not trained
    float norm_eps;
    dit_text_activation activation;
};

// x: (B, T, C) -> (B, T, C)
static dit_tensor attention(dit_graph *g, const struct config *c, dit_tensor x, dit_tensor padding)
{
    int head_width = c->width / c->heads;
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "attention") {
        dit_tensor q = dit_text_heads(g, "self.query", x, c->heads, head_width, true); // (B, T, H, D)
        dit_tensor k = dit_text_heads(g, "self.key", x, c->heads, head_width, true);
        dit_tensor v = dit_text_heads(g, "self.value", x, c->heads, head_width, true);
        y = dit_attention(g, q, k, v, padding, 1 / sqrtf((float)head_width), false);
        y = nn_linear(g, "output.dense", dit_reshape(g, y, *dit_shape_of(g, x)), c->width, true);
        y = nn_layer_norm(g, "output.LayerNorm", dit_add(g, y, x), c->norm_eps);
    }
    return y;
}

static dit_tensor layer(dit_graph *g, const struct config *c, dit_tensor x, dit_tensor padding)
{
    x = attention(g, c, x, padding);
    dit_tensor y = dit_text_activate(g, nn_linear(g, "intermediate.dense", x, c->feed_forward, true), c->activation);
    y = nn_linear(g, "output.dense", y, c->width, true); // (B, T, C)
    return dit_tap(g, "out", nn_layer_norm(g, "output.LayerNorm", dit_add(g, y, x), c->norm_eps));
}

// types: (B, T), or none for all zeros.
static dit_tensor embed(dit_graph *g, const struct config *c, const dit_text_inputs *in, dit_tensor types)
{
    dit_tensor x = DIT_NONE;
    if (dit_is_none(types)) {
        int64_t zero = 0;
        types = dit_constant(g, DIT_I64, DIT_SHAPE(1, 1), &zero);
    } else if (!dit_shape_equal(dit_shape_of(g, types), dit_shape_of(g, in->ids))) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "token_type_ids does not have the shape of input_ids");
    }
    DIT_SCOPE (g, "embeddings") {
        x = dit_text_embedding(g, "word_embeddings", c->vocabulary, c->width, c->padding, in); // (B, T, C)
        x = dit_add(g, x, nn_embedding(g, "token_type_embeddings", c->types, c->width, types));
        x = dit_add(g, x, dit_text_positions(g, "position_embeddings", c->positions, c->width, in));
        x = nn_layer_norm(g, "LayerNorm", x, c->norm_eps);
    }
    return x;
}

// The first token's state through one more layer, (B, C); a file may lack it.
static void add_pooled(dit_graph *g, const struct config *c, dit_tensor x, dit_named_tensors *out)
{
    if (!dit_parameter_stored(g, "pooler.dense.weight"))
        return;
    dit_tensor first = dit_reshape(g, dit_slice(g, x, 1, 0, 1, 1), DIT_SHAPE(dit_extent(g, x, 0), c->width));
    dit_named_add(out, "pooler_output", dit_tanh(g, nn_linear(g, "pooler.dense", first, c->width, true)));
}

static void describe(dit_graph *g, const void *config, const dit_named_tensors *arguments, dit_named_tensors *out)
{
    static const char *const prefixes[] = {"bert", "", NULL};
    const struct config *c = config;
    const dit_text_inputs in = dit_text_inputs_of(g, arguments);
    const char *prefix = dit_text_prefix(g, prefixes, "embeddings.word_embeddings.weight");
    dit_tensor states[DIT_TEXT_MOST_LAYERS + 1], x = DIT_NONE;
    DIT_SCOPE (g, "%s", prefix) {
        states[0] = x = embed(g, c, &in, dit_named_find(arguments, "token_type_ids"));
        for (int i = 0; i < c->layers; i++)
            DIT_SCOPE (g, "encoder.layer.%d", i)
                states[i + 1] = x = layer(g, c, x, in.padding);
    }
    dit_text_outputs(g, &in, out, x, states, c->layers + 1);
    DIT_SCOPE (g, "%s", prefix)
        add_pooled(g, c, x, out);
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const char *const position_kinds[] = {"absolute", NULL};
    struct config *c = config;
    dit_text_ignore(json, error);
    c->vocabulary = (int)dit_json_int_or(json, "vocab_size", 30522, 1, 1 << 24, error);
    c->padding = dit_text_padding_id(json, 0, c->vocabulary, error);
    c->width = (int)dit_json_int_or(json, "hidden_size", 768, 1, 1 << 16, error);
    c->feed_forward = (int)dit_json_int_or(json, "intermediate_size", 3072, 1, 1 << 20, error);
    c->layers = (int)dit_json_int_or(json, "num_hidden_layers", 12, 1, DIT_TEXT_MOST_LAYERS, error);
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", 12, 1, 1024, error);
    c->positions = (int)dit_json_int_or(json, "max_position_embeddings", 512, 1, 1 << 20, error);
    c->types = (int)dit_json_int_or(json, "type_vocab_size", 2, 1, 1 << 20, error);
    c->activation = dit_text_activation_or(json, "hidden_act", DIT_TEXT_GELU_ERF, error);
    c->norm_eps = (float)dit_json_number_or(json, "layer_norm_eps", 1e-12, 0, 1, error);
    dit_json_choice_or(json, "position_embedding_type", position_kinds, 0, error);
    if (!error->status && c->width % c->heads)
        dit_json_fail(json, "num_attention_heads", error, "is %d; it must divide hidden_size, %d", c->heads, c->width);
    if (dit_json_bool_or(json, "is_decoder", false, error))
        dit_json_fail(json, "is_decoder", error, "is true; this is an encoder");
    if (dit_json_bool_or(json, "add_cross_attention", false, error))
        dit_json_fail(json, "add_cross_attention", error, "is true; this is an encoder");
    // Of multilingual BERT: a pooler that was never part of the class.
    dit_json_ignore(json,
                    (const char *const[]){"directionality", "pooler_fc_size", "pooler_num_attention_heads",
                                          "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", NULL},
                    error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

static const dit_argument arguments[] = {{"input_ids", DIT_REQUIRED, 2, 2},
                                         {"attention_mask", DIT_OPTIONAL, 2, 2},
                                         {"token_type_ids", DIT_OPTIONAL, 2, 2},
                                         {"position_ids", DIT_OPTIONAL, 2, 2},
                                         {"output_hidden_states", DIT_CONSTANT, 0, 1},
                                         {0}};

const dit_model_class dit_model_class_bert = {
    .name = "BertModel",
    .older_names = (const char *const[]){"BertForMaskedLM", "BertForPreTraining", NULL},
    .model_types = (const char *const[]){"bert", NULL},
    .config_bytes = sizeof(struct config),
    .configure = configure,
    .method[DIT_FORWARD] = {arguments, describe},
    .buffers = (const char *const[]){"embeddings.position_ids", "embeddings.token_type_ids", "cls.*", NULL},
};
