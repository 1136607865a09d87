// models/text_encoder.c: configurations, arguments and masks of the transformers library's text encoders.
#include "models/text_encoder.h"
#include "base/memory.h"
#include "models/arguments.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of every configuration: PreTrainedConfig of transformers 4 and 5.
static const char *const common[] = {
    // What the file is.
    "architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "tokenizer_class", "auto_map",
    "finetuning_task", "task_specific_params", "problem_type", "id2label", "label2id", "num_labels", "name_or_path",
    // Ids of special tokens, for generation and padding.
    "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id",
    "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id",
    // Training.
    "initializer_range", "initializer_factor", "attention_dropout", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "dropout", "dropout_rate", "classifier_dropout", "gradient_checkpointing",
    // How results are handed over, caching, what heads share.
    "use_cache", "cache_implementation", "return_dict", "output_hidden_states", "output_attentions", "torchscript",
    "use_bfloat16", "tf_legacy_loss", "output_past", "pruned_heads", "chunk_size_feed_forward", "tie_word_embeddings",
    "tie_encoder_decoder", "is_encoder_decoder", "cross_attention_hidden_size", "pretraining_tp", "prefix",
    // Generation of text.
    "max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores",
    "return_dict_in_generate", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
    "begin_suppress_tokens",
    // What published files say and no release reads.
    "scalable_attention", "use_mrope", NULL};

void dit_text_ignore(dit_json config, dit_error *error)
{
    dit_json_ignore(config, common, error);
}

int64_t dit_text_padding_id(dit_json config, int64_t otherwise, int64_t vocabulary, dit_error *error)
{
    if (json_is_null(json_object_get(config.value, "pad_token_id")))
        return DIT_TEXT_NO_PADDING;
    if (!dit_json_has(config, "pad_token_id"))
        return otherwise;
    int64_t id = dit_json_int(config, "pad_token_id", -vocabulary, vocabulary - 1, error);
    return id < 0 ? id + vocabulary : id;
}

// Names of the table ACT2FN.
static const struct {
    const char *name;
    dit_text_activation activation;
} activations[] = {
    {"gelu", DIT_TEXT_GELU_ERF},
    {"gelu_python", DIT_TEXT_GELU_ERF},
    {"gelu_new", DIT_TEXT_GELU_NEW},
    {"gelu_fast", DIT_TEXT_GELU_NEW},
    {"gelu_accurate", DIT_TEXT_GELU_NEW},
    {"gelu_pytorch_tanh", DIT_TEXT_GELU_TANH},
    {"gelu_python_tanh", DIT_TEXT_GELU_TANH},
    {"quick_gelu", DIT_TEXT_GELU_SIGMOID},
    {"relu", DIT_TEXT_RELU},
    {"silu", DIT_TEXT_SILU},
    {"swish", DIT_TEXT_SILU},
    {"sigmoid", DIT_TEXT_SIGMOID},
    {"tanh", DIT_TEXT_TANH},
};

bool dit_text_activation_named(const char *name, dit_text_activation *activation)
{
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (!strcmp(name, activations[i].name)) {
            *activation = activations[i].activation;
            return true;
        }
    return false;
}

dit_text_activation dit_text_activation_or(dit_json config, const char *key, dit_text_activation otherwise,
                                           dit_error *error)
{
    const char *name = dit_json_text_or(config, key, "", error);
    dit_text_activation activation = otherwise;
    if (*name && !dit_text_activation_named(name, &activation))
        dit_json_fail(config, key, error, "is \"%.40s\"; known are gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, %s",
                      name, "relu, silu, sigmoid, tanh");
    return activation;
}

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), written out by the reference: its roundings in bf16 are a
// hundredth of the result. torch takes bf16's third power in two products, f16's at once.
static dit_tensor gelu_new(dit_graph *g, dit_tensor x)
{
    dit_dtype dtype = dit_dtype_of(g, x);
    if (dtype == DIT_F32)
        return dit_gelu_tanh(g, x);
    dit_tensor wide = dtype == DIT_F16 ? dit_cast(g, x, DIT_F32) : x;
    dit_tensor cube = dit_mul(g, dit_square(g, wide), wide);
    if (dtype == DIT_F16)
        cube = dit_cast(g, cube, dtype);
    dit_tensor t = dit_affine(g, dit_add(g, x, dit_affine(g, cube, 0.044715f, 0)), 0.7978845608f, 0);
    return dit_mul(g, dit_affine(g, x, 0.5f, 0), dit_affine(g, dit_tanh(g, t), 1, 1));
}

dit_tensor dit_text_activate(dit_graph *g, dit_tensor x, dit_text_activation activation)
{
    switch (activation) {
    case DIT_TEXT_GELU_ERF:
        return dit_gelu_erf(g, x);
    case DIT_TEXT_GELU_TANH:
        return dit_gelu_tanh(g, x);
    case DIT_TEXT_GELU_NEW:
        return gelu_new(g, x);
    case DIT_TEXT_GELU_SIGMOID:
        return dit_mul(g, x, dit_sigmoid(g, dit_affine(g, x, 1.702f, 0)));
    case DIT_TEXT_RELU:
        return dit_relu(g, x);
    case DIT_TEXT_SILU:
        return dit_silu(g, x);
    case DIT_TEXT_SIGMOID:
        return dit_sigmoid(g, x);
    case DIT_TEXT_TANH:
        return dit_tanh(g, x);
    }
    return DIT_NONE;
}

const char *dit_text_prefix(dit_graph *g, const char *const *prefixes, const char *name)
{
    for (; prefixes[1]; prefixes++) {
        bool stored = false;
        DIT_SCOPE (g, "%s", *prefixes)
            stored = dit_parameter_stored(g, name);
        if (stored)
            break;
    }
    return *prefixes;
}

// Fails unless an argument is absent or integers (B, T); with `one_row`, (1, T) will do.
static void check_rows(dit_graph *g, const char *name, dit_tensor t, int64_t B, int64_t T, bool one_row)
{
    dit_dtype dtype = dit_dtype_of(g, t);
    int64_t rows = dit_extent(g, t, 0), columns = dit_extent(g, t, 1);
    if (dit_is_none(t))
        return;
    if (columns != T || (rows != B && !(one_row && rows == 1)))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is (%lld, %lld), input_ids (%lld, %lld)", name, (long long)rows,
                       (long long)columns, (long long)B, (long long)T);
    if (one_row && dtype != DIT_I32 && dtype != DIT_I64)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s holds %s; it must be i32 or i64", name, dit_dtype_name(dtype));
}

dit_text_inputs dit_text_inputs_of(dit_graph *g, const dit_named_tensors *in)
{
    dit_tensor ids = dit_named_find(in, "input_ids"), mask = dit_named_find(in, "attention_mask");
    int64_t B = dit_extent(g, ids, 0), T = dit_extent(g, ids, 1);
    int64_t lists_states = true;
    dit_named_integers(g, in, "output_hidden_states", &lists_states, 1);
    dit_text_inputs t = {.batch = B,
                         .length = T,
                         .dtype = in->dtype,
                         .ids = ids,
                         .positions = dit_named_find(in, "position_ids"),
                         .lists_states = lists_states != 0};
    check_rows(g, "input_ids", ids, B, T, true);
    check_rows(g, "attention_mask", mask, B, T, false);
    check_rows(g, "position_ids", t.positions, B, T, true);
    if (!dit_is_none(mask)) {
        if (dit_dtype_of(g, mask) != DIT_BOOL)
            mask = dit_cast(g, mask, DIT_BOOL);
        t.padding = dit_reshape(g, mask, DIT_SHAPE(B, 1, 1, T));
    }
    return t;
}

dit_tensor dit_text_embedding(dit_graph *g, const char *name, int64_t count, int64_t width, int64_t padding,
                              const dit_text_inputs *in)
{
    dit_tensor x = nn_embedding(g, name, count, width, in->ids);
    if (dit_dtype_of(g, x) != in->dtype)
        x = dit_cast(g, x, in->dtype);
    if (padding == DIT_TEXT_NO_PADDING)
        return x;
    dit_tensor pads = dit_equal(g, dit_cast(g, in->ids, DIT_I64), dit_constant(g, DIT_I64, DIT_SCALAR, &padding));
    pads = dit_reshape(g, pads, DIT_SHAPE(in->batch, in->length, 1));
    return dit_where(g, pads, dit_detach(g, x), x);
}

dit_tensor dit_text_positions(dit_graph *g, const char *name, int64_t count, int64_t width, const dit_text_inputs *in)
{
    dit_tensor table = DIT_NONE;
    if (in->length > count)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "input_ids has %lld tokens; max_position_embeddings is %lld",
                       (long long)in->length, (long long)count);
    if (!dit_is_none(in->positions))
        return nn_embedding(g, name, count, width, in->positions);
    DIT_SCOPE (g, "%s", name)
        table = dit_parameter(g, "weight", DIT_SHAPE(count, width), DIT_INITIAL_NORMAL(0.02f));
    return dit_reshape(g, dit_slice(g, table, 0, 0, in->length, 1), DIT_SHAPE(1, in->length, width));
}

dit_tensor dit_text_heads(dit_graph *g, const char *name, dit_tensor x, int64_t heads, int64_t head_width, bool bias)
{
    dit_tensor y = nn_linear(g, name, x, heads * head_width, bias);
    return dit_reshape(g, y, DIT_SHAPE(dit_extent(g, y, 0), dit_extent(g, y, 1), heads, head_width));
}

dit_tensor dit_text_both(dit_graph *g, dit_tensor a, dit_tensor b)
{
    const uint8_t no = 0;
    if (dit_is_none(a) || dit_is_none(b))
        return dit_is_none(a) ? b : a;
    return dit_where(g, a, b, dit_constant(g, DIT_BOOL, DIT_SCALAR, &no));
}

dit_tensor dit_text_causal(dit_graph *g, int64_t length, int64_t window)
{
    double pairs = (double)length * (double)length;
    uint8_t *open = NULL;
    // It is copied into the graph, and joined there with others and made floats.
    if (!dit_memory_check(8 * pairs, "a mask over the tokens", dit_graph_error(g)) &&
        !(open = calloc((size_t)pairs, 1)))
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory for a mask over %lld tokens", (long long)length);
    if (!open)
        return DIT_NONE;
    for (int64_t i = 0; i < length; i++) {
        int64_t first = window > 0 && i >= window ? i - window + 1 : 0;
        memset(open + i * length + first, 1, (size_t)(i + 1 - first));
    }
    dit_tensor mask = dit_constant(g, DIT_BOOL, DIT_SHAPE(1, 1, length, length), open);
    free(open);
    return mask;
}

dit_tensor dit_text_bias(dit_graph *g, dit_tensor mask, dit_tensor bias, dit_dtype dtype)
{
    // For the least float; times log2(e) that would be an infinity.
    const float shut = dtype == DIT_F16 ? -65504.0f : -1e30f;
    if (dit_is_none(mask))
        return bias;
    return dit_where(g, mask, dit_is_none(bias) ? dit_scalar(g, 0) : bias, dit_scalar(g, shut));
}

void dit_text_outputs(dit_graph *g, const dit_text_inputs *in, dit_named_tensors *out, dit_tensor last,
                      const dit_tensor *states, int count)
{
    dit_named_add(out, "last_hidden_state", last);
    DIT_SCOPE (g, "hidden_states")
        for (int i = 0; in->lists_states && i < count; i++) {
            char number[16];
            snprintf(number, sizeof number, "%d", i);
            dit_named_add(out, dit_scope_name(g, number), states[i]);
        }
}
