// models/decoder_config.c: the configurations of decoder-only language models, as transformers 4 and 5 write them.
#include "models/decoder.h"
#include <math.h>
#include <string.h>

static void read_llama3(dit_decoder_rope *rope, dit_json json, int longest, dit_error *error)
{
    rope->low = dit_json_number(json, "low_freq_factor", 1e-6, 1e6, error);
    rope->high = dit_json_number(json, "high_freq_factor", 1e-6, 1e6, error);
    rope->original_length =
        (double)dit_json_int_or(json, "original_max_position_embeddings", longest, 1, 1 << 30, error);
    if (!error->status && rope->high <= rope->low)
        dit_json_fail(json, "high_freq_factor", error, "is %g; it must be above low_freq_factor, %g", rope->high,
                      rope->low);
}

// `factors`: what the frequency of each pair of a head's features is divided by. No published config.json has this
// kind; it stands for the tensor `rope_freqs` of GGUF files.
static void read_factors(dit_decoder_rope *rope, dit_json json, int head_width, dit_error *error)
{
    dit_json list = dit_json_list(json, "factors", error);
    size_t count = (size_t)head_width / 2;
    if (!error->status && dit_json_count(list) != count)
        dit_json_fail(json, "factors", error, "has %zu numbers for heads of %d features", dit_json_count(list),
                      head_width);
    for (size_t i = 0; i < count && !error->status; i++) {
        double factor = json_number_value(json_array_get(list.value, i));
        if (!(factor >= 1e-6 && factor <= 1e6))
            dit_json_fail(json, "factors", error, "has %g at place %zu; it divides a frequency", factor, i);
        rope->factors[i] = (float)factor;
    }
}

// One object holds everything (transformers 5), or `rope_theta` stands beside the object `rope_scaling` (4), whose
// kind was once called `type`.
static void read_rope(dit_decoder_rope *rope, dit_json config, int longest, int head_width, dit_error *error)
{
    static const char *const kinds[] = {"default", "linear", "llama3", "mrope", "factors", NULL};
    static const char *const sections[] = {"mrope_section", NULL}; // which axis turns what: all axes are one for text
    const char *name = dit_json_has(config, "rope_scaling") ? "rope_scaling" : "rope_parameters";
    dit_json json = dit_json_object_or_empty(config, name, error);
    dit_json_ignore(config, (const char *const[]){"rope_scaling", "rope_parameters", NULL}, error);
    int kind = dit_json_choice_or(json, "type", kinds, 0, error);
    kind = dit_json_choice_or(json, "rope_type", kinds, kind, error);
    rope->kind = kind == 1   ? DIT_ROPE_LINEAR
                 : kind == 2 ? DIT_ROPE_LLAMA3
                 : kind == 4 ? DIT_ROPE_FACTORS
                             : DIT_ROPE_PLAIN;
    double theta = dit_json_number_or(config, "rope_theta", (double)rope->theta, 1, 1e12, error);
    rope->theta = (float)dit_json_number_or(json, "rope_theta", theta, 1, 1e12, error);
    if (dit_json_number_or(config, "partial_rotary_factor", 1, 0, 1, error) < 1)
        dit_json_fail(config, "partial_rotary_factor", error, "is not 1; whole heads turn here");
    if (dit_json_number_or(json, "partial_rotary_factor", 1, 0, 1, error) < 1)
        dit_json_fail(json, "partial_rotary_factor", error, "is not 1; whole heads turn here");
    if (rope->kind == DIT_ROPE_LINEAR || rope->kind == DIT_ROPE_LLAMA3)
        rope->factor = dit_json_number(json, "factor", 1e-3, 1e6, error);
    if (rope->kind == DIT_ROPE_LLAMA3)
        read_llama3(rope, json, longest, error);
    if (rope->kind == DIT_ROPE_FACTORS && !error->status)
        read_factors(rope, json, head_width, error);
    dit_json_ignore(json, sections, error);
    dit_json_refuse_unread(json, error);
}

static void read_heads(dit_decoder_config *c, dit_json json, dit_error *error)
{
    bool null = json_is_null(json_object_get(json.value, "num_key_value_heads"));
    c->heads = (int)dit_json_int_or(json, "num_attention_heads", c->heads, 1, 1024, error);
    c->kv_heads = (int)dit_json_int_or(json, "num_key_value_heads", c->kv_heads && !null ? c->kv_heads : c->heads, 1,
                                       1024, error);
    bool stated = c->head_width || dit_json_has(json, "head_dim");
    c->head_width = (int)dit_json_int_or(json, "head_dim", c->head_width ? c->head_width : 2, 1,
                                         DIT_DECODER_MOST_HEAD_WIDTH, error);
    if (error->status)
        return;
    if (c->heads % c->kv_heads)
        dit_json_fail(json, "num_key_value_heads", error, "is %d; it must divide num_attention_heads, %d", c->kv_heads,
                      c->heads);
    if (!stated && c->width % c->heads)
        dit_json_fail(json, "num_attention_heads", error, "is %d; it must divide hidden_size, %d", c->heads, c->width);
    if (!stated)
        c->head_width = c->width / c->heads;
    if (c->head_width % 2 || c->head_width < 2)
        dit_json_fail(json, stated ? "head_dim" : "hidden_size", error,
                      "gives heads of %d features; rotary positions need an even number", c->head_width);
}

void dit_decoder_read(dit_decoder_config *c, dit_json json, const char *activation_key, dit_error *error)
{
    dit_text_ignore(json, error);
    c->vocabulary = (int)dit_json_int_or(json, "vocab_size", c->vocabulary, 1, 1 << 24, error);
    c->padding = dit_text_padding_id(json, c->padding, c->vocabulary, error);
    c->width = (int)dit_json_int_or(json, "hidden_size", c->width, 1, 1 << 16, error);
    c->feed_forward = (int)dit_json_int_or(json, "intermediate_size", c->feed_forward, 1, 1 << 20, error);
    c->layers = (int)dit_json_int_or(json, "num_hidden_layers", c->layers, 1, DIT_TEXT_MOST_LAYERS, error);
    c->activation = dit_text_activation_or(json, activation_key, c->activation, error);
    c->norm_eps = (float)dit_json_number_or(json, "rms_norm_eps", (double)c->norm_eps, 0, 1, error);
    int longest = (int)dit_json_int_or(json, "max_position_embeddings", 1 << 11, 1, 1 << 30, error);
    read_heads(c, json, error);
    read_rope(&c->rope, json, longest, c->head_width, error);
    // The reference looks for texts side by side where it keeps no cache.
    c->packed_positions = !dit_json_bool_or(json, "use_cache", true, error);
}

// Which layers `layer_types` lists as having a window, where the key is there.
static void read_layer_types(dit_decoder_config *c, dit_json json, dit_error *error)
{
    dit_json types = dit_json_list_or_empty(json, "layer_types", error);
    if (!types.value)
        return;
    if (json_array_size(types.value) != (size_t)c->layers) {
        dit_json_fail(json, "layer_types", error, "is a list of %zu for %d layers", json_array_size(types.value),
                      c->layers);
        return;
    }
    for (int i = 0; i < c->layers; i++) {
        const char *type = json_string_value(json_array_get(types.value, (size_t)i));
        c->windowed[i] = type && !strcmp(type, "sliding_attention");
        if (!c->windowed[i] && (!type || strcmp(type, "full_attention"))) {
            dit_json_fail(json, "layer_types", error, "has \"%.40s\"; known are full_attention, sliding_attention",
                          type ? type : "");
            return;
        }
    }
}

static void check_windows(dit_decoder_config *c, dit_json json, dit_error *error)
{
    read_layer_types(c, json, error);
    for (int i = 0; i < c->layers && !error->status; i++)
        if (c->windowed[i] && c->window == 0) {
            dit_json_fail(json, "sliding_window", error, "is missing; layer %d slides", i);
            return;
        }
}

void dit_decoder_read_windows(dit_decoder_config *c, dit_json json, dit_error *error)
{
    bool null = json_is_null(json_object_get(json.value, "sliding_window"));
    c->window = (int)dit_json_int_or(json, "sliding_window", null ? 0 : c->window, 1, 1 << 30, error);
    check_windows(c, json, error);
}

void dit_decoder_read_qwen_windows(dit_decoder_config *c, dit_json json, dit_error *error)
{
    bool null = json_is_null(json_object_get(json.value, "sliding_window"));
    bool used = dit_json_bool_or(json, "use_sliding_window", false, error);
    int first = (int)dit_json_int_or(json, "max_window_layers", 28, 0, 1 << 20, error);
    c->window = (int)dit_json_int_or(json, "sliding_window", null ? 0 : 4096, 1, 1 << 30, error);
    if (!used)
        c->window = 0;
    for (int i = 0; i < c->layers; i++)
        c->windowed[i] = c->window > 0 && i >= first;
    check_windows(c, json, error);
}
