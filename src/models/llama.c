// models/llama.c: Llama 2, 3 and 3.1. Grattafiori et al. 2024 (arXiv 2407.21783). HiDream-I1 reads all its layers.
#include "models/decoder.h"

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    dit_decoder_config *c = config;
    *c = (dit_decoder_config){.vocabulary = 32000,
                              .width = 4096,
                              .feed_forward = 11008,
                              .layers = 32,
                              .heads = 32,
                              .activation = DIT_TEXT_SILU,
                              .padding = DIT_TEXT_NO_PADDING,
                              .norm_eps = 1e-6f,
                              .rope = {.theta = 10000}};
    dit_decoder_read(c, json, "hidden_act", error);
    c->qkv_bias = c->output_bias = dit_json_bool_or(json, "attention_bias", false, error);
    c->feed_forward_bias = dit_json_bool_or(json, "mlp_bias", false, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_llama = {
    .name = "LlamaModel",
    .older_names = (const char *const[]){"LlamaForCausalLM", NULL},
    .model_types = (const char *const[]){"llama", NULL},
    .config_bytes = sizeof(dit_decoder_config),
    .configure = configure,
    .method[DIT_FORWARD] = {dit_decoder_arguments, dit_decoder_describe},
    .buffers = (const char *const[]){"lm_head.weight", "rotary_emb.inv_freq", NULL},
};
