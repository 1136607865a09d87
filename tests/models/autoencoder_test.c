// tests/models/autoencoder_test.c: batches through autoencoders, whole, sliced and in tiles blended as diffusers blends
// them (tools/fixtures/autoencoders.py); bounds on memory; what configurations and arguments are refused.
#include "base/random.h"
#include "models/autoencoder.h"
#include "models/distance.h"
#include <stdlib.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/models/"

static dit_component open_case(const char *name)
{
    char folder[512];
    dit_error error = {0};
    dit_component c;
    snprintf(folder, sizeof folder, FIXTURES "%s", name);
    dit_component_open(&c, folder, DIT_F32, &error);
    assert_fine(error);
    return c;
}

static dit_array tensor_of(dit_safetensors *file, const char *name)
{
    dit_error error = {0};
    dit_array array;
    dit_safetensors_get(file, name, &array, &error);
    assert_fine(error);
    return array;
}

static dit_array noise(dit_shape shape)
{
    dit_error error = {0};
    dit_array array;
    dit_array_alloc(&array, DIT_F32, shape, &error);
    assert_fine(error);
    for (int64_t i = 0; i < dit_shape_count(&shape); i++)
        ((float *)array.data)[i] = (float)dit_counter_normal(7, 0, (uint64_t)i);
    return array;
}

static void hold_to(const char *what, const char *name, const dit_array *found, const dit_array *wanted, double bound)
{
    assert_true(dit_shape_equal(&found->shape, &wanted->shape));
    struct distance d = distance_of(found, wanted, 0);
    print_message("%s: %s within %.2g\n", name, what, d.largest);
    hold(what, name, d.largest, bound);
}

static const char *const tiled[] = {"autoencoder_kl/older-names", "autoencoder_dc/sana"};
enum { TILED = sizeof tiled / sizeof *tiled };

static void tiles_are_blended_as_diffusers_blends_them(void **state)
{
    (void)state;
    for (int i = 0; i < TILED; i++) {
        char path[512];
        dit_error error = {0};
        dit_safetensors *file;
        dit_component c = open_case(tiled[i]);
        dit_array mean, logvar, sample;
        snprintf(path, sizeof path, FIXTURES "%s/tiled.safetensors", tiled[i]);
        dit_safetensors_open(&file, path, &error);
        assert_fine(error);
        dit_array pixels = tensor_of(file, "pixels"), latents = tensor_of(file, "latents"),
                  tile = tensor_of(file, "tile"), wanted_mean = tensor_of(file, "mean"),
                  wanted_sample = tensor_of(file, "sample");
        const dit_autoencoder_options options = {.tile = (int)dit_element_get(tile.dtype, tile.data, 0)};
        dit_autoencoder_encode(&c, &pixels, &options, &mean, &logvar, &error);
        assert_fine(error);
        dit_autoencoder_decode(&c, &latents, &options, &sample, &error);
        assert_fine(error);
        hold_to("mean in tiles", tiled[i], &mean, &wanted_mean, 1e-5);
        hold_to("sample in tiles", tiled[i], &sample, &wanted_sample, 1e-5);
        free(mean.data);
        free(logvar.data);
        free(sample.data);
        dit_safetensors_close(file);
        dit_component_close(&c);
    }
}

static void whole_and_sliced_batches_are_the_networks_own(void **state)
{
    (void)state;
    char path[512];
    dit_error error = {0};
    dit_safetensors *in, *out;
    dit_component c = open_case("autoencoder_kl/quant-convs");
    snprintf(path, sizeof path, "%s/inputs.encode.safetensors", c.folder);
    dit_safetensors_open(&in, path, &error);
    snprintf(path, sizeof path, "%s/outputs.encode.safetensors", c.folder);
    dit_safetensors_open(&out, path, &error);
    assert_fine(error);
    dit_array pixels = tensor_of(in, "x"), wanted_mean = tensor_of(out, "mean"),
              wanted_logvar = tensor_of(out, "logvar");
    assert_true(pixels.shape.dim[0] > 1);
    for (int slice = 0; slice < 2; slice++) {
        dit_array mean, logvar;
        dit_autoencoder_encode(&c, &pixels, &(dit_autoencoder_options){.slice = slice}, &mean, &logvar, &error);
        assert_fine(error);
        hold_to(slice ? "mean in slices" : "mean", "quant-convs", &mean, &wanted_mean, 1e-5);
        hold_to(slice ? "logvar in slices" : "logvar", "quant-convs", &logvar, &wanted_logvar, 1e-5);
        free(mean.data);
        free(logvar.data);
    }
    dit_safetensors_close(in);
    dit_safetensors_close(out);
    dit_component_close(&c);
}

struct watcher {
    uint64_t total, stop_after;
    int reports;
};

static int report(void *context, const dit_progress *progress)
{
    struct watcher *w = context;
    w->total = progress->total;
    w->reports++;
    return progress->done >= w->stop_after;
}

// How many tiles a decode under a bound takes; the result is left in `sample`.
static uint64_t tiles_under(const dit_component *c, const dit_array *latents, size_t memory, dit_array *sample)
{
    struct watcher w = {.stop_after = UINT64_MAX};
    const dit_watch watch = {report, &w};
    dit_error error = {0};
    dit_autoencoder_decode(c, latents, &(dit_autoencoder_options){.memory = memory, .watch = &watch}, sample, &error);
    assert_fine(error);
    assert_true(w.reports > 0);
    return w.total;
}

static void a_bound_on_memory_slices_and_cuts_into_tiles(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_component c = open_case("autoencoder_kl/older-names");
    dit_array latents = noise(DIT_SHAPE(2, 4, 60, 40)), whole, sliced, cut, none;
    assert_int_equal(tiles_under(&c, &latents, 1 << 30, &whole), 1);
    assert_int_equal(tiles_under(&c, &latents, 8 << 20, &sliced), 2);
    assert_true(tiles_under(&c, &latents, 2 << 20, &cut) > 4);
    hold_to("sample in slices", "older-names", &sliced, &whole, 1e-6);
    assert_true(dit_shape_equal(&cut.shape, &whole.shape));
    dit_autoencoder_decode(&c, &latents, &(dit_autoencoder_options){.memory = 1000}, &none, &error);
    assert_refused(&error, DIT_NO_MEMORY, "older-names", "tile");
    assert_null(none.data);
    free(whole.data);
    free(sliced.data);
    free(cut.data);
    free(latents.data);
    dit_component_close(&c);
}

static void a_watcher_stops_between_tiles(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_component c = open_case("autoencoder_kl/older-names");
    struct watcher w = {.stop_after = 2};
    const dit_watch watch = {report, &w};
    dit_array latents = noise(DIT_SHAPE(1, 4, 12, 12)), sample;
    dit_autoencoder_decode(&c, &latents, &(dit_autoencoder_options){.tile = 16, .watch = &watch}, &sample, &error);
    assert_int_equal(error.status, DIT_CANCELLED);
    free(sample.data);
    free(latents.data);
    dit_component_close(&c);
}

static void arguments_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    dit_component c = open_case("autoencoder_kl/older-names");
    const struct {
        dit_shape shape;
        dit_autoencoder_options options;
    } faults[] = {
        {DIT_SHAPE(1, 3, 4, 4), {0}},
        {DIT_SHAPE(4, 4, 4), {0}},
        {DIT_SHAPE(1, 4, 4, 4), {.tile = 7}},
        {DIT_SHAPE(1, 4, 4, 4), {.tile = -1}},
        {DIT_SHAPE(1, 4, 4, 4), {.tile = 16, .overlap = 0.75}},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        dit_error error = {0};
        dit_array latents = noise(faults[i].shape), sample;
        dit_autoencoder_decode(&c, &latents, &faults[i].options, &sample, &error);
        assert_int_equal(error.status, DIT_BAD_ARGUMENT);
        assert_null(sample.data);
        free(latents.data);
    }
    dit_component_close(&c);
}

static dit_status configure(const char *class_name, const char *text, dit_autoencoder_facts *facts, dit_error *error)
{
    dit_json_file *file;
    const dit_model_class *class = dit_model_class_find(class_name);
    assert_non_null(class);
    void *config = calloc(1, class->config_bytes);
    if (!dit_json_parse(&file, "config.json", text, strlen(text), 0, error) &&
        !class->configure(config, dit_json_root(file), error))
        class->autoencoder(config, facts);
    dit_json_close(file);
    free(config);
    return error->status;
}

static void impossible_configurations_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *class_name, *text, *word;
    } faults[] = {
        {"AutoencoderKL", "{\"block_out_channels\": []}", "block_out_channels"},
        {"AutoencoderKL", "{\"block_out_channels\": [32, 40]}", "40"},
        {"AutoencoderKL", "{\"block_out_channels\": [32, 64], \"down_block_types\": [\"DownEncoderBlock2D\"]}",
         "down_block"},
        {"AutoencoderKL", "{\"up_block_types\": [\"UpBlock2D\"]}", "UpBlock2D"},
        {"AutoencoderKL", "{\"up_block_types\": [3]}", "up_block_types"},
        {"AutoencoderKL", "{\"norm_num_groups\": 0}", "norm_num_groups"},
        {"AutoencoderKL", "{\"layers_per_block\": 1.5}", "layers_per_block"},
        {"AutoencoderKL", "{\"act_fn\": \"tanh\"}", "act_fn"},
        {"AutoencoderKL", "{\"sample_size\": [32]}", "sample_size"},
        {"AutoencoderKL", "{\"use_quant_conv\": 1}", "use_quant_conv"},
        {"AutoencoderKL", "{\"norm_type\": \"spatial\"}", "norm_type"},
        {"AutoencoderDC", "{\"encoder_block_out_channels\": [8, 8]}", "encoder_layers_per_block"},
        {"AutoencoderDC", "{\"decoder_block_types\": [\"ResBlock\"]}", "decoder_block_types"},
        {"AutoencoderDC", "{\"decoder_block_types\": \"Block\"}", "decoder_block_types"},
        {"AutoencoderDC", "{\"decoder_norm_types\": \"layer_norm\"}", "decoder_norm_types"},
        {"AutoencoderDC", "{\"encoder_qkv_multiscales\": [5]}", "encoder_qkv_multiscales"},
        {"AutoencoderDC", "{\"encoder_qkv_multiscales\": [[], [], [4], [], [], []]}", "encoder_qkv_multiscales"},
        {"AutoencoderDC", "{\"attention_head_dim\": 2000, \"decoder_block_types\": \"EfficientViTBlock\"}", "2000"},
        {"AutoencoderDC", "{\"upsample_block_type\": \"bicubic\"}", "upsample_block_type"},
        {"AutoencoderTiny", "{\"num_encoder_blocks\": [1, 1]}", "num_encoder_blocks"},
        {"AutoencoderTiny", "{\"decoder_block_out_channels\": [64, 64, 64, 32]}", "32"},
        {"AutoencoderTiny", "{\"upsample_fn\": \"bicubic\"}", "upsample_fn"},
        {"AutoencoderTiny", "{\"upsampling_scaling_factor\": 0}", "upsampling_scaling_factor"},
        {"AutoencoderTiny", "{\"latent_magnitude\": 0}", "latent_magnitude"},
    };
    dit_autoencoder_facts facts;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        dit_error error = {0};
        configure(faults[i].class_name, faults[i].text, &facts, &error);
        assert_refused(&error, DIT_BAD_FILE, "config.json", faults[i].word);
    }
}

static void facts_are_those_of_the_configuration(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_autoencoder_facts facts;
    configure("AutoencoderKL",
              "{\"block_out_channels\": [128, 256, 512, 512], \"latent_channels\": 16, \"scaling_factor\": 0.3611,"
              "\"shift_factor\": 0.1159, \"sample_size\": 1024, \"down_block_types\": [\"DownEncoderBlock2D\","
              "\"DownEncoderBlock2D\", \"DownEncoderBlock2D\", \"DownEncoderBlock2D\"], \"up_block_types\":"
              "[\"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]}",
              &facts, &error);
    assert_fine(error);
    assert_int_equal(facts.ratio, 8);
    assert_int_equal(facts.latent_channels, 16);
    assert_int_equal(facts.tile, 1024);
    assert_true(facts.scaling_factor == 0.3611 && facts.shift_factor == 0.1159 && facts.tile_overlap == 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_are_blended_as_diffusers_blends_them),
        cmocka_unit_test(whole_and_sliced_batches_are_the_networks_own),
        cmocka_unit_test(a_bound_on_memory_slices_and_cuts_into_tiles),
        cmocka_unit_test(a_watcher_stops_between_tiles),
        cmocka_unit_test(arguments_that_do_not_fit_are_refused),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(facts_are_those_of_the_configuration),
    };
    dit_set_threads(1); // each has scratch of its own, which a bound on memory counts
    return cmocka_run_group_tests(tests, NULL, NULL);
}
