// models/qwen2.c: Qwen 2 and 2.5. Yang et al. 2024 (arXiv 2407.10671): queries, keys and values have biases. The text
// part of Qwen 2.5 VL (arXiv 2502.13923) is the same network: its positions have three axes, which are one for text.
#include "models/decoder.h"

static void read_text(dit_decoder_config *c, dit_json json, dit_error *error)
{
    c->activation = DIT_TEXT_SILU;
    c->qkv_bias = true;
    dit_decoder_read(c, json, "hidden_act", error);
    dit_decoder_read_qwen_windows(c, json, error);
}

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    dit_decoder_config *c = config;
    *c = (dit_decoder_config){.vocabulary = 151936,
                              .width = 4096,
                              .feed_forward = 22016,
                              .layers = 32,
                              .heads = 32,
                              .kv_heads = 32,
                              .padding = DIT_TEXT_NO_PADDING,
                              .norm_eps = 1e-6f,
                              .rope = {.theta = 10000}};
    read_text(c, json, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

// The text's configuration is an object of its own, or lies flat beside the pictures', as first published.
static dit_status configure_vl(void *config, dit_json json, dit_error *error)
{
    static const char *const pictures[] = {
        "vision_config",       "image_token_id",  "video_token_id", "vision_start_token_id",
        "vision_end_token_id", "vision_token_id", "text_config",    NULL};
    dit_decoder_config *c = config;
    *c = (dit_decoder_config){.vocabulary = 152064,
                              .width = 8192,
                              .feed_forward = 29568,
                              .layers = 80,
                              .heads = 64,
                              .kv_heads = 8,
                              .padding = DIT_TEXT_NO_PADDING,
                              .norm_eps = 1e-5f,
                              .rope = {.theta = 1000000}};
    bool nested = dit_json_has(json, "text_config");
    dit_json text = nested ? dit_json_object(json, "text_config", error) : json;
    read_text(c, text, error);
    c->packed_positions = false;
    dit_text_ignore(json, error);
    dit_json_ignore(json, pictures, error);
    dit_json_ignore(text, pictures, error);
    dit_json_refuse_unread(text, error);
    if (!nested)
        return error->status;
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_qwen2 = {
    .name = "Qwen2Model",
    .older_names = (const char *const[]){"Qwen2ForCausalLM", NULL},
    .model_types = (const char *const[]){"qwen2", NULL},
    .config_bytes = sizeof(dit_decoder_config),
    .configure = configure,
    .method[DIT_FORWARD] = {dit_decoder_arguments, dit_decoder_describe},
    .buffers = (const char *const[]){"lm_head.weight", "rotary_emb.inv_freq", NULL},
};

const dit_model_class dit_model_class_qwen2_5_vl = {
    .name = "Qwen2_5_VLForConditionalGeneration",
    .older_names = (const char *const[]){"Qwen2_5_VLModel", "Qwen2_5_VLTextModel", NULL},
    .model_types = (const char *const[]){"qwen2_5_vl", "qwen2_5_vl_text", NULL},
    .config_bytes = sizeof(dit_decoder_config),
    .configure = configure_vl,
    .method[DIT_FORWARD] = {dit_decoder_arguments, dit_decoder_describe},
    .buffers = (const char *const[]){"lm_head.weight", "rotary_emb.inv_freq", "visual.*", "model.visual.*", NULL},
};
