// models/gemma2.c: Gemma 2. Gemma team 2024 (arXiv 2408.00118), section 2: every other layer sees a window of tokens,
// scores are soft-capped, norms stand before and after attention and feed-forward. Its public implementation adds a
// large negative number to the scores of what is masked, so a token that may attend to nothing gets the mean of all.
#include "models/decoder.h"
#include <math.h>

static dit_status configure(void *config, dit_json json, dit_error *error)
{
    // The softening of logits comes after all that an encoder gives.
    static const char *const ignored[] = {"hidden_act", "final_logit_softcapping", "sliding_window_size", NULL};
    dit_decoder_config *c = config;
    *c = (dit_decoder_config){.vocabulary = 256000,
                              .width = 2304,
                              .feed_forward = 9216,
                              .layers = 26,
                              .heads = 8,
                              .kv_heads = 4,
                              .head_width = 256,
                              .activation = DIT_TEXT_GELU_TANH,
                              .norm_eps = 1e-6f,
                              .unit_offset_norm = true,
                              .outer_norms = true,
                              .mean_of_shut = true,
                              .window = 4096,
                              .rope = {.theta = 10000}};
    dit_decoder_read(c, json, "hidden_activation", error);
    c->embedding_scale = sqrtf((float)c->width);
    c->qkv_bias = c->output_bias = dit_json_bool_or(json, "attention_bias", false, error);
    c->query_scale = 1 / sqrtf((float)dit_json_int_or(json, "query_pre_attn_scalar", 256, 1, 1 << 24, error));
    bool null = json_is_null(json_object_get(json.value, "attn_logit_softcapping"));
    c->soft_cap = (float)dit_json_number_or(json, "attn_logit_softcapping", null ? 0 : 50, 1e-3, 1e6, error);
    for (int i = 0; i < c->layers; i += 2)
        c->windowed[i] = true;
    dit_decoder_read_windows(c, json, error);
    if (dit_json_bool_or(json, "use_bidirectional_attention", false, error))
        dit_json_fail(json, "use_bidirectional_attention", error, "is true; tokens see those before them here");
    dit_json_ignore(json, ignored, error);
    dit_json_refuse_unread(json, error);
    return error->status;
}

const dit_model_class dit_model_class_gemma2 = {
    .name = "Gemma2Model",
    .older_names = (const char *const[]){"Gemma2ForCausalLM", NULL},
    .model_types = (const char *const[]){"gemma2", NULL},
    .config_bytes = sizeof(dit_decoder_config),
    .configure = configure,
    .method[DIT_FORWARD] = {dit_decoder_arguments, dit_decoder_describe},
    .buffers = (const char *const[]){"lm_head.weight", "rotary_emb.inv_freq", NULL},
};
