// tests/models/text_encoder_test.c: configurations of text encoders that are refused, by the key at fault, and those
// that older releases wrote, which are read.
#include "models/component.h"
#include "models/model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static dit_error configure(const char *class_name, const char *text)
{
    dit_error error = {0};
    dit_json_file *json = NULL;
    const dit_model_class *class = dit_model_class_find(class_name);
    assert_non_null(class);
    void *config = calloc(1, class->config_bytes);
    assert_non_null(config);
    if (!dit_json_parse(&json, "config.json", text, strlen(text), 0, &error))
        class->configure(config, dit_json_root(json), &error);
    dit_json_close(json);
    free(config);
    return error;
}

static void a_refused_configuration_names_its_key(void **state)
{
    static const struct {
        const char *class_name, *config, *key;
    } cases[] = {
        {"CLIPTextModel", "{\"num_attention_heads\": 0}", "num_attention_heads"},
        {"CLIPTextModel", "{\"num_attention_heads\": 7}", "num_attention_heads"},
        {"CLIPTextModel", "{\"hidden_size\": 4611686018427387904}", "hidden_size"},
        {"CLIPTextModel", "{\"num_hidden_layers\": 100000}", "num_hidden_layers"},
        {"CLIPTextModel", "{\"hidden_act\": \"mexican_hat\"}", "hidden_act"},
        {"CLIPTextModel", "{\"eos_token_id\": [1, 2]}", "eos_token_id"},
        {"CLIPTextModel", "{\"layer_norm_eps\": true}", "layer_norm_eps"},
        {"CLIPTextModel", "{\"quantization_config\": {}}", "quantization_config"},
        {"T5EncoderModel", "{\"is_decoder\": true}", "is_decoder"},
        {"T5EncoderModel", "{\"feed_forward_proj\": \"gated-what\"}", "feed_forward_proj"},
        {"T5EncoderModel", "{\"relative_attention_num_buckets\": 2}", "relative_attention_num_buckets"},
        {"T5EncoderModel", "{\"relative_attention_max_distance\": 8}", "relative_attention_max_distance"},
        {"UMT5EncoderModel", "{\"d_kv\": -1}", "d_kv"},
        {"BertModel", "{\"position_embedding_type\": \"relative_key\"}", "position_embedding_type"},
        {"BertModel", "{\"add_cross_attention\": true}", "add_cross_attention"},
        {"BertModel", "{\"type_vocab_size\": 0}", "type_vocab_size"},
        {"LlamaModel", "{\"num_key_value_heads\": 5}", "num_key_value_heads"},
        {"LlamaModel", "{\"num_attention_heads\": 3}", "num_attention_heads"},
        {"LlamaModel", "{\"head_dim\": 5}", "head_dim"},
        {"LlamaModel", "{\"pad_token_id\": 32000}", "pad_token_id"},
        {"LlamaModel", "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4}}", "rope_scaling.type"},
        {"LlamaModel", "{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8}}",
         "rope_scaling.low_freq_factor"},
        {"LlamaModel",
         "{\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4,"
         " \"high_freq_factor\": 1}}",
         "rope_parameters.high_freq_factor"},
        {"LlamaModel", "{\"rope_parameters\": {\"turns\": 1}}", "rope_parameters.turns"},
        {"LlamaModel", "{\"partial_rotary_factor\": 0.5}", "partial_rotary_factor"},
        {"LlamaModel", "{\"rope_theta\": 0}", "rope_theta"},
        {"GemmaModel", "{\"use_bidirectional_attention\": true}", "use_bidirectional_attention"},
        {"Gemma2Model", "{\"sliding_window\": null}", "sliding_window"},
        {"Gemma2Model", "{\"layer_types\": [\"full_attention\"]}", "layer_types"},
        {"Gemma2Model", "{\"num_hidden_layers\": 1, \"layer_types\": [\"linear_attention\"]}", "layer_types"},
        {"Gemma2Model", "{\"attn_logit_softcapping\": 0}", "attn_logit_softcapping"},
        {"Qwen2Model", "{\"use_sliding_window\": 1}", "use_sliding_window"},
        {"Qwen2_5_VLForConditionalGeneration", "{\"text_config\": {\"hidden_size\": 0}}", "text_config.hidden_size"},
        {"Qwen2_5_VLForConditionalGeneration", "{\"text_config\": {\"depth\": 0}}", "text_config.depth"},
        {"Qwen3Model", "{\"attention_bias\": \"yes\"}", "attention_bias"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char quoted[80];
        snprintf(quoted, sizeof quoted, "\"%s\"", cases[i].key);
        dit_error error = configure(cases[i].class_name, cases[i].config);
        if (!error.status || !strstr(error.message, quoted))
            print_error("%s %s: %s\n", cases[i].class_name, cases[i].config, error.message);
        assert_int_equal(error.status, DIT_BAD_FILE);
        assert_non_null(strstr(error.message, quoted));
    }
}

// Keys of configurations as they are published, on which nothing here depends.
static void published_configurations_are_read(void **state)
{
    static const struct {
        const char *class_name, *config;
    } cases[] = {
        {"CLIPTextModel",
         "{\"_name_or_path\": \"openai/clip-vit-large-patch14\", \"architectures\": [\"CLIPTextModel\"],"
         " \"attention_dropout\": 0.0, \"bos_token_id\": 0, \"dropout\": 0.0, \"eos_token_id\": 2,"
         " \"hidden_act\": \"quick_gelu\", \"hidden_size\": 768, \"initializer_factor\": 1.0,"
         " \"initializer_range\": 0.02, \"intermediate_size\": 3072, \"layer_norm_eps\": 1e-05,"
         " \"max_position_embeddings\": 77, \"model_type\": \"clip_text_model\","
         " \"num_attention_heads\": 12, \"num_hidden_layers\": 12, \"pad_token_id\": 1,"
         " \"projection_dim\": 768, \"torch_dtype\": \"bfloat16\","
         " \"transformers_version\": \"4.43.3\", \"vocab_size\": 49408}"},
        {"T5EncoderModel", "{\"architectures\": [\"T5EncoderModel\"], \"classifier_dropout\": 0.0, \"d_ff\": 10240,"
                           " \"d_kv\": 64, \"d_model\": 4096, \"decoder_start_token_id\": 0,"
                           " \"dense_act_fn\": \"gelu_new\", \"dropout_rate\": 0.1, \"eos_token_id\": 1,"
                           " \"feed_forward_proj\": \"gated-gelu\", \"initializer_factor\": 1.0,"
                           " \"is_encoder_decoder\": true, \"is_gated_act\": true, \"layer_norm_epsilon\": 1e-06,"
                           " \"model_type\": \"t5\", \"num_decoder_layers\": 24, \"num_heads\": 64, \"num_layers\": 24,"
                           " \"output_past\": true, \"pad_token_id\": 0, \"relative_attention_max_distance\": 128,"
                           " \"relative_attention_num_buckets\": 32, \"tie_word_embeddings\": false,"
                           " \"torch_dtype\": \"bfloat16\", \"use_cache\": true, \"vocab_size\": 32128}"},
        {"BertModel", "{\"architectures\": [\"BertModel\"], \"attention_probs_dropout_prob\": 0.1,"
                      " \"bos_token_id\": 0, \"classifier_dropout\": null, \"directionality\": \"bidi\","
                      " \"gradient_checkpointing\": false, \"hidden_act\": \"gelu\", \"hidden_dropout_prob\": 0.1,"
                      " \"hidden_size\": 1024, \"num_attention_heads\": 16, \"output_past\": true, \"pad_token_id\": 0,"
                      " \"pooler_fc_size\": 768, \"position_embedding_type\": \"absolute\", \"use_cache\": true,"
                      " \"vocab_size\": 47020}"},
        {"LlamaForCausalLM",
         "{\"bos_token_id\": 128000, \"eos_token_id\": [128001, 128008, 128009],"
         " \"attention_bias\": false, \"pretraining_tp\": 1, \"hidden_size\": 4096,"
         " \"num_key_value_heads\": 8, \"rope_scaling\": {\"factor\": 8.0, \"low_freq_factor\": 1.0,"
         " \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192,"
         " \"rope_type\": \"llama3\"}, \"rope_theta\": 500000.0, \"vocab_size\": 128256}"},
        {"Gemma2Model", "{\"cache_implementation\": \"hybrid\", \"hidden_act\": \"gelu_pytorch_tanh\","
                        " \"hidden_activation\": \"gelu_pytorch_tanh\", \"rope_theta\": 10000.0,"
                        " \"sliding_window_size\": 4096, \"sliding_window\": 4096}"},
        {"Qwen2_5_VLForConditionalGeneration",
         "{\"architectures\": [\"Qwen2_5_VLForConditionalGeneration\"], \"hidden_size\": 3584,"
         " \"image_token_id\": 151655, \"num_attention_heads\": 28, \"num_key_value_heads\": 4,"
         " \"rope_scaling\": {\"mrope_section\": [16, 24, 24], \"rope_type\": \"default\", \"type\": \"default\"},"
         " \"rope_theta\": 1000000.0, \"sliding_window\": 32768, \"use_sliding_window\": false,"
         " \"max_window_layers\": 28, \"vision_config\": {\"depth\": 32}, \"vision_token_id\": 151654}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = configure(cases[i].class_name, cases[i].config);
        if (error.status)
            print_error("%s\n", error.message);
        assert_int_equal(error.status, DIT_OK);
    }
}

// A folder with `config` alone, opened: what is wrong with it is said before weights are missed.
static dit_error open_folder(const char *config)
{
    char folder[] = "/tmp/text_encoder_test_XXXXXX", path[64];
    dit_component component;
    dit_error error = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(config, file);
    fclose(file);
    dit_component_open(&component, folder, DIT_F32, &error);
    dit_component_close(&component);
    unlink(path);
    rmdir(folder);
    return error;
}

static void a_class_is_named_by_either_library(void **state)
{
    (void)state;
    static const char *const lacks_weights[] = {
        "{\"architectures\": [\"CLIPTextModel\"], \"model_type\": \"bert\"}",
        "{\"model_type\": \"t5\"}",
        "{\"model_type\": \"qwen2_5_vl_text\"}",
        "{\"_class_name\": \"LlamaForCausalLM\"}",
    };
    static const char *const refused[] = {
        "{\"architectures\": [\"MambaModel\"], \"model_type\": \"bert\"}",
        "{\"architectures\": []}",
        "{\"architectures\": \"CLIPTextModel\"}",
    };
    for (size_t i = 0; i < sizeof lacks_weights / sizeof *lacks_weights; i++)
        assert_non_null(strstr(open_folder(lacks_weights[i]).message, "holds no weights"));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_non_null(strstr(open_folder(refused[i]).message, "\"architectures\""));
    assert_non_null(strstr(open_folder("{\"model_type\": \"mamba\"}").message, "\"model_type\""));
    assert_non_null(strstr(open_folder("{}").message, "\"_class_name\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_configuration_names_its_key),
        cmocka_unit_test(published_configurations_are_read),
        cmocka_unit_test(a_class_is_named_by_either_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
