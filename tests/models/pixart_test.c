// tests/models/pixart_test.c: PixArt-alpha as it was published, under the name of a class that is no more. What the
// network computes is in parity_test.c.
#define _GNU_SOURCE // memmem
#include "../io/support.h"
#include "models/component.h"

#define FIXTURE DIT_SOURCE_DIR "/tests/fixtures/models/pixart/alpha/"
enum { CONFIG, WEIGHTS, FILES };
static const char *const files[FILES] = {"config.json", "diffusion_pytorch_model.safetensors"};

// The fixture under another class's name, which is not longer than its own.
static void copy_renamed(scratch *s, const char *from, const char *to)
{
    for (int i = 0; i < FILES; i++) {
        char path[800];
        size_t size;
        snprintf(path, sizeof path, FIXTURE "%s", files[i]);
        char *bytes = read_file(path, &size);
        if (i == CONFIG) {
            char *name = memmem(bytes, size, from, strlen(from));
            assert_non_null(name);
            memcpy(name, to, strlen(to));
            memmove(name + strlen(to), name + strlen(from), (size_t)(bytes + size - name) - strlen(from));
            size -= strlen(from) - strlen(to);
        }
        write_file(scratch_path(s, files[i]), bytes, size);
        free(bytes);
    }
}

static void opens_under_its_first_name(void **state)
{
    (void)state;
    scratch s;
    dit_component c;
    dit_error error = {0};
    scratch_make(&s);
    copy_renamed(&s, "\"PixArtTransformer2DModel\"", "\"Transformer2DModel\"");
    dit_component_open(&c, scratch_path(&s, "."), DIT_F32, &error);
    assert_int_equal(error.status, DIT_OK);
    assert_string_equal(c.class->name, "PixArtTransformer2DModel");
    dit_component_close(&c);
    scratch_remove(&s);
}

static void the_same_name_with_other_norms_is_another_network(void **state)
{
    (void)state;
    scratch s;
    dit_component c;
    dit_error error = {0};
    scratch_make(&s);
    copy_renamed(&s, "\"PixArtTransformer2DModel\"", "\"Transformer2DModel\"");
    char path[800];
    size_t size;
    snprintf(path, sizeof path, "%s", scratch_path(&s, "config.json"));
    char *bytes = read_file(path, &size), *norm = memmem(bytes, size, "ada_norm_single", 15);
    assert_non_null(norm);
    memcpy(norm, "ada_norm_other!", 15);
    write_file(path, bytes, size);
    free(bytes);
    dit_component_open(&c, scratch_path(&s, "."), DIT_F32, &error);
    assert_refused(&error, DIT_BAD_FILE, "config.json", "norm_type");
    dit_component_close(&c);
    scratch_remove(&s);
}

static void a_compression_of_keys_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config, *key;
    } cases[] = {
        {"{\"kv_compress_config\": 2}", "kv_compress_config"},
        {"{\"kv_compress_config\": {\"sampling\": \"ave\", \"scale_factor\": 2, \"kv_compress_layer\": [1]}}",
         "sampling"},
        {"{\"kv_compress_config\": {\"scale_factor\": 0, \"kv_compress_layer\": [1]}}", "scale_factor"},
        {"{\"kv_compress_config\": {\"scale_factor\": 65, \"kv_compress_layer\": [1]}}", "scale_factor"},
        {"{\"kv_compress_config\": {\"scale_factor\": 2}}", "kv_compress_layer"},
        {"{\"kv_compress_config\": {\"scale_factor\": 2, \"kv_compress_layer\": [28]}}", "kv_compress_layer"},
        {"{\"kv_compress_config\": {\"scale_factor\": 2, \"kv_compress_layer\": [-1]}}", "kv_compress_layer"},
        {"{\"kv_compress_config\": {\"scale_factor\": 2, \"kv_compress_layer\": [0.5]}}", "kv_compress_layer"},
        {"{\"kv_compress_config\": {\"scale_factor\": 2, \"kv_compress_layer\": [1], \"x\": 1}}",
         "\"kv_compress_config.x\""},
    };
    const dit_model_class *class = dit_model_class_find("PixArtTransformer2DModel");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        dit_json_file *json;
        void *config = calloc(1, class->config_bytes);
        assert_non_null(config);
        dit_json_parse(&json, "config.json", cases[i].config, strlen(cases[i].config), 0, &error);
        assert_int_equal(error.status, DIT_OK);
        class->configure(config, dit_json_root(json), &error);
        assert_refused(&error, DIT_BAD_FILE, "config.json", cases[i].key);
        dit_json_close(json);
        free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_under_its_first_name),
        cmocka_unit_test(the_same_name_with_other_norms_is_another_network),
        cmocka_unit_test(a_compression_of_keys_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
