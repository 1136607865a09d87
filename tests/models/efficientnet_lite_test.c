// tests/models/efficientnet_lite_test.c: features and logits are those of the public implementation.
#include "../io/support.h"
#include "models/probe.h"
#include <math.h>

#define FIXTURE DIT_SOURCE_DIR "/tests/fixtures/efficientnet_lite"

static void outputs_are_the_public_implementations(void **state)
{
    (void)state;
    for (int fused = 0; fused < 2; fused++) {
        dit_error error = {0};
        dit_probe probe;
        dit_safetensors *expected;
        const dit_probe_options options = {.method = DIT_FORWARD, .dtype = DIT_F32, .no_fusion = !fused};
        dit_probe_open(&probe, FIXTURE, FIXTURE "/inputs.safetensors", &options, &error);
        assert_fine(error);
        dit_probe_run(&probe, NULL, NULL, &error);
        assert_fine(error);
        dit_safetensors_open(&expected, FIXTURE "/outputs.safetensors", &error);
        assert_fine(error);
        assert_int_equal(dit_safetensors_count(expected), 2);
        for (size_t i = 0; i < 2; i++) {
            dit_array want, got = dit_plan_output(probe.plan, dit_safetensors_at(expected, i)->name);
            dit_safetensors_array(expected, i, &want, &error);
            assert_fine(error);
            assert_true(got.data && dit_shape_equal(&got.shape, &want.shape));
            double largest = 0, worst = 0;
            for (int64_t k = 0; k < dit_shape_count(&want.shape); k++) {
                double y = ((float *)want.data)[k];
                largest = fmax(largest, fabs(y));
                worst = fmax(worst, fabs(((float *)got.data)[k] - y));
            }
            print_message("%s differs by %.1e of its largest value\n", dit_safetensors_at(expected, i)->name,
                          worst / largest);
            assert_true(worst <= 1e-5 * largest);
        }
        dit_safetensors_close(expected);
        dit_probe_close(&probe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(outputs_are_the_public_implementations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
