// tests/models/dit_test.c: every tiny DiT of tests/fixtures/models/dit (made by tools/fixtures/models/dit.py) gives the
// outputs and gradients that diffusers gives.
//
// In f32 outputs agree to 2e-6 of their largest value, gradients to 1e-5 of each tensor's (a tensor whose values are
// all below a thousandth of the largest gradient, such as a key bias's, whose true gradient is zero: of that largest).
//
// In bf16 and f16 every layer rounds where diffusers' does, so that outputs are equal but for what follows from sums
// that lie next to the middle between two values: the root mean square of the difference is held to 5e-4. torch's
// attention has an exponential of four digits where the processor has AVX-512, which dit has there too. The files were
// made on such a processor; beside them are outputs with an exact exponential, which dit's other kernels are held to,
// and torch's own then to two and a half units of the format at the largest value.
#include "backend/cpu/cpu.h"
#include "models/distance.h"
#include "models/probe.h"

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/models/dit/"

static const char *const models[] = {"affine-norm",      "geglu",   "gelu",   "larger-picture",
                                     "learned-variance", "patch-4", "patch-8"};
enum { MODELS = sizeof models / sizeof *models };

static const char *path_of(char path[512], const char *model, const char *file)
{
    snprintf(path, 512, FIXTURES "%s%s%s", model, file ? "/" : "", file ? file : "");
    return path;
}

static void run_model(dit_probe *p, const char *model, const dit_probe_options *options)
{
    char folder[512], inputs[512];
    dit_error error = {0};
    dit_probe_open(p, path_of(folder, model, NULL), path_of(inputs, model, "inputs.safetensors"), options, &error);
    if (!error.status)
        dit_probe_run(p, NULL, NULL, &error);
    assert_fine(error);
}

static struct distance distance_to(const dit_probe *p, const char *model, const char *file)
{
    char path[512];
    dit_safetensors *outputs;
    dit_array wanted, found = dit_plan_output(p->plan, "sample");
    dit_error error = {0};
    dit_safetensors_open(&outputs, path_of(path, model, file), &error);
    assert_fine(error);
    dit_safetensors_get(outputs, "sample", &wanted, &error);
    assert_fine(error);
    assert_int_equal(p->count, 1);
    assert_int_equal(found.dtype, wanted.dtype);
    struct distance d = distance_of(&found, &wanted, 0);
    dit_safetensors_close(outputs);
    return d;
}

static void outputs_are_those_of_diffusers(void **state)
{
    (void)state;
    double worst = 0;
    for (int i = 0; i < MODELS; i++)
        for (int plain = 0; plain < 2; plain++) {
            dit_probe p;
            run_model(&p, models[i], &(dit_probe_options){.no_fusion = plain});
            struct distance d = distance_to(&p, models[i], "outputs.safetensors");
            hold("sample", models[i], d.largest, 2e-6);
            worst = fmax(worst, d.largest);
            dit_probe_close(&p);
        }
    print_message("outputs in f32 within %.2g of their largest value\n", worst);
}

static void gradients_are_those_of_autograd(void **state)
{
    (void)state;
    double worst = 0;
    for (int i = 0; i < MODELS; i++) {
        char path[512];
        double largest = 0;
        dit_probe p;
        dit_safetensors *file;
        dit_error error = {0};
        run_model(&p, models[i], &(dit_probe_options){.gradient = true});
        dit_safetensors_open(&file, path_of(path, models[i], "grads.safetensors"), &error);
        assert_fine(error);
        assert_int_equal(p.count, dit_safetensors_count(file));
        for (int pass = 0; pass < 2; pass++)
            for (int k = 0; k < p.count; k++) {
                dit_array wanted, found = dit_plan_output(p.plan, p.names[k]);
                dit_safetensors_get(file, p.names[k], &wanted, &error);
                assert_fine(error);
                largest = fmax(largest, largest_of(&wanted));
                if (pass == 0)
                    continue;
                struct distance d = distance_of(&found, &wanted, largest_of(&wanted) < 1e-3 * largest ? largest : 0);
                hold(p.names[k], models[i], d.largest, 1e-5);
                worst = fmax(worst, d.largest);
            }
        dit_safetensors_close(file);
        dit_probe_close(&p);
    }
    print_message("gradients within %.2g\n", worst);
}

static void halves_round_where_diffusers_rounds(void **state)
{
    (void)state;
    const struct {
        dit_dtype dtype;
        const char *own, *exact_softmax;
        double unit;
    } formats[] = {
        {DIT_BF16, "outputs.bf16.safetensors", "outputs.bf16.exact-softmax.safetensors", 0x1p-8},
        {DIT_F16, "outputs.f16.safetensors", "outputs.f16.exact-softmax.safetensors", 0x1p-11},
    };
    const bool coarse = dit_cpu_isa() == DIT_AVX512;
    for (int f = 0; f < 2; f++) {
        double unit = formats[f].unit, worst = 0, own = 0;
        for (int i = 0; i < MODELS; i++) {
            dit_probe p;
            run_model(&p, models[i], &(dit_probe_options){.dtype = formats[f].dtype});
            struct distance torch = distance_to(&p, models[i], formats[f].own);
            struct distance same = coarse ? torch : distance_to(&p, models[i], formats[f].exact_softmax);
            hold("sample", models[i], same.root_mean_square, 5e-4);
            hold("sample", models[i], torch.largest, 2.5 * unit);
            worst = fmax(worst, same.root_mean_square);
            own = fmax(own, torch.largest);
            dit_probe_close(&p);
        }
        print_message("%s: root mean square %.2g; largest difference from torch's own %.2g\n",
                      dit_dtype_name(formats[f].dtype), worst, own);
    }
}

static void gradients_are_computed_in_f32_only(void **state)
{
    (void)state;
    char folder[512], inputs[512];
    dit_probe p;
    dit_error error = {0};
    dit_probe_open(&p, path_of(folder, models[0], NULL), path_of(inputs, models[0], "inputs.safetensors"),
                   &(dit_probe_options){.gradient = true, .dtype = DIT_BF16}, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "--dtype", "f32");
    dit_probe_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_those_of_diffusers),
        cmocka_unit_test(gradients_are_those_of_autograd),
        cmocka_unit_test(halves_round_where_diffusers_rounds),
        cmocka_unit_test(gradients_are_computed_in_f32_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
