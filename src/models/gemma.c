// models/gemma.c: Gemma. Gemma team 2024 (arXiv 2403.08295). Scales of norms are 1 + weight, embeddings are multiplied
// by the root of their width.
#include "models/decoder.h"
#include <math.h>
#include <string.h>

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    static const char *const ignored[] = {"hidden_activation", NULL}; // of transformers 4, never another one
    dit_decoder_config *c = config;
    *c = (dit_decoder_config){.vocabulary = 256000,
                              .width = 3072,
                              .feed_forward = 24576,
                              .layers = 28,
                              .heads = 16,
                              .kv_heads = 16,
                              .head_width = 256,
                              .activation = DIT_TEXT_GELU_TANH,
                              .norm_eps = 1e-6f,
                              .unit_offset_norm = true,
                              .rope = {.theta = 10000}};
    dit_decoder_read(c, json, "hidden_act", error);
    if (!strcmp(dit_json_text_or(json, "hidden_act", "", error), "gelu")) // in the first files: the approximation
        c->activation = DIT_TEXT_GELU_TANH;
    c->embedding_scale = sqrtf((float)c->width);
    c->qkv_bias = c->output_bias = dit_json_bool_or(json, "attention_bias", false, error);
    if (dit_json_bool_or(json, "use_bidirectional_attention", false, error))
        dit_json_fail(json, "use_bidirectional_attention", error, "is true; tokens see those before them here");
    dit_json_ignore(json, ignored, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_gemma = {
    .name = "GemmaModel",
    .older_names = (const char *const[]){"GemmaForCausalLM", NULL},
    .model_types = (const char *const[]){"gemma", NULL},
    .config_bytes = sizeof(dit_decoder_config),
    .configure = configure,
    .method[DIT_FORWARD] = {dit_decoder_arguments, dit_decoder_describe},
    .buffers = (const char *const[]){"lm_head.weight", "rotary_emb.inv_freq", NULL},
};
