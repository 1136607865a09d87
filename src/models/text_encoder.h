// models/text_encoder.h: what the text encoders of the transformers library have in common: keys of their
// configurations, activations by name, tensor names with and without a prefix, arguments, masks, lists of hidden
// states.
#ifndef DIT_MODELS_TEXT_ENCODER_H
#define DIT_MODELS_TEXT_ENCODER_H

#include "models/model.h"
#include "nn/nn.h"

enum { DIT_TEXT_MOST_LAYERS = 240 }; // so that every hidden state has room among the outputs

// Configurations
// -------------------------------------------------------------------------------------------------------

// Marks as known what every configuration of that library may hold and no forward pass uses: names, versions, dtypes,
// ids of special tokens, dropout, starts of new weights, settings of text generation, labels of classifiers.
void dit_text_ignore(dit_json config, dit_error *error);

// The id whose row of the table of embeddings is not trained, from `pad_token_id`; DIT_TEXT_NO_PADDING when it is null.
// `otherwise` where the key is absent. A negative id counts from the end of the `vocabulary`.
int64_t dit_text_padding_id(dit_json config, int64_t otherwise, int64_t vocabulary, dit_error *error);

typedef enum dit_text_activation {
    DIT_TEXT_GELU_ERF,
    DIT_TEXT_GELU_TANH,
    DIT_TEXT_GELU_NEW,     // the same; in halves every step of it is rounded
    DIT_TEXT_GELU_SIGMOID, // x sigmoid(1.702 x)
    DIT_TEXT_RELU,
    DIT_TEXT_SILU,
    DIT_TEXT_SIGMOID,
    DIT_TEXT_TANH,
} dit_text_activation;
// By the library's name ("gelu_new", "quick_gelu", ...); false when it is not known here.
bool dit_text_activation_named(const char *name, dit_text_activation *activation);
// The same of a key that may be absent.
dit_text_activation dit_text_activation_or(dit_json config, const char *key, dit_text_activation otherwise,
                                           dit_error *error);
dit_tensor dit_text_activate(dit_graph *g, dit_tensor x, dit_text_activation activation);

// Graphs
// ---------------------------------------------------------------------------------------------------------------

// The first of `prefixes` (NULL-ended) for which PREFIX.name is stored, else the last. "" stands for no prefix.
const char *dit_text_prefix(dit_graph *g, const char *const *prefixes, const char *name);

// The arguments, checked. What was not given is none.
typedef struct dit_text_inputs {
    int64_t batch, length;
    dit_dtype dtype;
    dit_tensor ids;       // (B, T)
    dit_tensor padding;   // (B, 1, 1, T) bool: true for a token that may be attended to
    dit_tensor positions; // (B, T) or (1, T)
    bool lists_states;    // output_hidden_states, true where it is not given
} dit_text_inputs;
// From input_ids (B, T), attention_mask (B, T) of any dtype (what is not zero is a token), position_ids, and the number
// output_hidden_states.
dit_text_inputs dit_text_inputs_of(dit_graph *g, const dit_named_tensors *in);

// NAME.weight (count, width) looked up at the ids (B, T) -> (B, T, width), in the network's dtype whatever the table is
// stored in. The row of the id `padding` (DIT_TEXT_NO_PADDING: none) gets no gradient, as torch's padding_idx has it.
enum { DIT_TEXT_NO_PADDING = -1 };
dit_tensor dit_text_embedding(dit_graph *g, const char *name, int64_t count, int64_t width, int64_t padding,
                              const dit_text_inputs *in);
// Rows of NAME.weight (count, width) at positions (B, T), or its first `length` rows -> (B or 1, T, width). `count` is
// the configuration's max_position_embeddings.
dit_tensor dit_text_positions(dit_graph *g, const char *name, int64_t count, int64_t width, const dit_text_inputs *in);
// NAME of x (B, T, C), split into heads -> (B, T, heads, head_width).
dit_tensor dit_text_heads(dit_graph *g, const char *name, dit_tensor x, int64_t heads, int64_t head_width, bool bias);

// Masks of attention, true where a query may attend to a key. Either may be none, and none is none.
dit_tensor dit_text_both(dit_graph *g, dit_tensor a, dit_tensor b);
// (1, 1, T, T): keys that are no later than the query and, with `window` > 0, less than `window` tokens before it.
dit_tensor dit_text_causal(dit_graph *g, int64_t length, int64_t window);
// `bias` (f32, or none for zeros) where `mask` allows, elsewhere the least number of `dtype`, as the reference adds it
// to the scores. It is far below them and rounds them away, but for f16: a query that may attend to nothing gets the
// mean of all values.
dit_tensor dit_text_bias(dit_graph *g, dit_tensor mask, dit_tensor bias, dit_dtype dtype);

// Adds last_hidden_state and, where they are asked for, hidden_states.0, ..., hidden_states.(count - 1).
void dit_text_outputs(dit_graph *g, const dit_text_inputs *in, dit_named_tensors *out, dit_tensor last,
                      const dit_tensor *states, int count);

#endif
