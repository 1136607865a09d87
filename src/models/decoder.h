// models/decoder.h: the decoder-only language models that serve as text encoders. Llama, Gemma, Gemma 2, Qwen 2 and
// Qwen 3 are one network with different fields; each has a file that sets them.
#ifndef DIT_MODELS_DECODER_H
#define DIT_MODELS_DECODER_H

#include "models/text_encoder.h"

enum { DIT_DECODER_MOST_HEAD_WIDTH = 4096 };

// How fast rotary positions turn. Su et al. 2021 (arXiv 2104.09864), and what stretches them to longer texts.
typedef struct dit_decoder_rope {
    enum {
        DIT_ROPE_PLAIN,
        DIT_ROPE_LINEAR,  // every frequency divided by `factor`: Chen et al. 2023 (arXiv 2306.15595)
        DIT_ROPE_LLAMA3,  // low frequencies divided, high ones kept, a ramp between: Llama 3.1 (arXiv 2407.21783)
        DIT_ROPE_FACTORS, // each frequency divided by a number of its own: the same as GGUF files have it
    } kind;
    float theta;
    double factor, low, high, original_length; // low, high: in turns over the original length
    float factors[DIT_DECODER_MOST_HEAD_WIDTH / 2];
} dit_decoder_rope;

typedef struct dit_decoder_config {
    int vocabulary, width, feed_forward, layers, heads;
    int kv_heads;    // 0: as many as heads
    int head_width;  // 0: width / heads
    int64_t padding; // id whose embedding is not trained
    dit_text_activation activation;
    float norm_eps;
    float query_scale;     // 0: 1 / sqrt(head_width)
    float embedding_scale; // 0: 1
    float soft_cap;        // scores become cap * tanh(score / cap); 0: they stay
    bool qkv_bias, output_bias, feed_forward_bias;
    bool qk_norm;          // RMS norm of queries and keys over a head
    bool unit_offset_norm; // the scale of a norm is 1 + weight, multiplied in f32
    bool outer_norms;      // norms after attention and feed-forward as well as before
    bool mean_of_shut;     // a query that may attend to nothing gets the mean of all values, not zeros
    bool packed_positions; // position_ids that start anew within a row are separate texts, where no mask is given
    int window;            // of the layers that have one, in tokens
    bool windowed[DIT_TEXT_MOST_LAYERS];
    dit_decoder_rope rope;
} dit_decoder_config;

// Reads the keys that all families have, in the shapes that transformers 4 (`rope_theta`, `rope_scaling`) and 5
// (`rope_parameters`) write. What `c` holds before is the family's default.
void dit_decoder_read(dit_decoder_config *c, dit_json config, const char *activation_key, dit_error *error);
// Reads `sliding_window` and which layers have it: those that `layer_types` lists, and where the key is absent those
// for which `windowed` is true already.
void dit_decoder_read_windows(dit_decoder_config *c, dit_json config, dit_error *error);
// Reads `sliding_window`, `use_sliding_window` and `max_window_layers`, as Qwen has them.
void dit_decoder_read_qwen_windows(dit_decoder_config *c, dit_json config, dit_error *error);

// input_ids, attention_mask, position_ids.
extern const dit_argument dit_decoder_arguments[];
// Adds last_hidden_state, which is normalised, and all hidden_states, the last of which is the same. Weight names begin
// with `model.` or not, as the files have them.
void dit_decoder_describe(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out);

#endif
