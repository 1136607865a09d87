// models/qwen3.c: Qwen 3. Yang et al. 2025 (arXiv 2505.09388), section 2: queries and keys are normalised over a head.
#include "models/decoder.h"

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    dit_decoder_config *c = config;
    *c = (dit_decoder_config){.vocabulary = 151936,
                              .width = 4096,
                              .feed_forward = 22016,
                              .layers = 32,
                              .heads = 32,
                              .kv_heads = 32,
                              .head_width = 128,
                              .activation = DIT_TEXT_SILU,
                              .padding = DIT_TEXT_NO_PADDING,
                              .norm_eps = 1e-6f,
                              .qk_norm = true,
                              .rope = {.theta = 10000}};
    dit_decoder_read(c, json, "hidden_act", error);
    c->qkv_bias = c->output_bias = dit_json_bool_or(json, "attention_bias", false, error);
    dit_decoder_read_qwen_windows(c, json, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_qwen3 = {
    .name = "Qwen3Model",
    .older_names = (const char *const[]){"Qwen3ForCausalLM", NULL},
    .model_types = (const char *const[]){"qwen3", NULL},
    .config_bytes = sizeof(dit_decoder_config),
    .configure = configure,
    .method[DIT_FORWARD] = {dit_decoder_arguments, dit_decoder_describe},
    .buffers = (const char *const[]){"lm_head.weight", "rotary_emb.inv_freq", NULL},
};
