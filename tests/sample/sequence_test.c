// Sequences and sigmas: numpy's and torch's own values.
#include "sample/sequence.h"
#include "sample/sigmas.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// after the above
#include <cmocka.h>

static void linspace_ends_where_it_should(void **state)
{
    (void)state;
    double x[5];
    dit_linspace(0, 999, 5, x);
    const double expected[] = {0, 249.75, 499.5, 749.25, 999};
    assert_memory_equal(x, expected, sizeof x);
    dit_linspace(7, 9, 1, x);
    assert_true(x[0] == 7);
    dit_linspace(3, 3, 2, x);
    assert_true(x[0] == 3 && x[1] == 3);
}

// torch.linspace(0.0001, 0.02, 1000): values 1, 499, 500 and 998 differ by rounding between counting from either end.
static void linspace_of_torch_counts_from_the_nearer_end(void **state)
{
    (void)state;
    assert_true(dit_linspace_f32(1e-4f, 0.02f, 1000, 0) == 1e-4f);
    assert_true(dit_linspace_f32(1e-4f, 0.02f, 1000, 999) == 0.02f);
    assert_true(dit_linspace_f32(1e-4f, 0.02f, 1, 0) == 1e-4f);
    for (int i = 0; i < 1000; i++) {
        double exact = 1e-4 + (0.02 - 1e-4) * i / 999;
        assert_true(fabs((double)dit_linspace_f32(1e-4f, 0.02f, 1000, i) / exact - 1) < 2e-7);
    }
}

static void arange_counts_like_numpy(void **state)
{
    (void)state;
    assert_int_equal(dit_arange_count(1000, 0, -1000.0 / 7), 7);
    assert_int_equal(dit_arange_count(0, 0, -1), 0);
    assert_int_equal(dit_arange_count(-3, 0, -1), 0);
    assert_true(dit_arange_at(1000, -250, 3) == 250);
}

static void interpolation_keeps_the_ends(void **state)
{
    (void)state;
    const float y[] = {1, 3, 7};
    assert_true(dit_interpolate(-1, y, 3) == 1 && dit_interpolate(5, y, 3) == 7);
    assert_true(dit_interpolate(0.5, y, 3) == 2 && dit_interpolate(1.25, y, 3) == 4 && dit_interpolate(1, y, 3) == 3);
    assert_true(isnan(dit_interpolate(NAN, y, 3)));
    assert_true(dit_interpolate(0.5, y, 1) == 1);
}

static void spacings_follow_their_table(void **state)
{
    (void)state;
    double t[12];
    dit_spacing_rule rule = {DIT_SPACING_LEADING, 1000, 1000, 1, true, false};
    assert_int_equal(dit_spaced_timesteps(&rule, 10, t), 10);
    assert_true(t[0] == 901 && t[9] == 1);
    rule.kind = DIT_SPACING_LINSPACE;
    dit_spaced_timesteps(&rule, 10, t);
    assert_true(t[0] == 999 && t[1] == 888 && t[9] == 0);
    rule.kind = DIT_SPACING_TRAILING;
    dit_spaced_timesteps(&rule, 10, t);
    assert_true(t[0] == 999 && t[9] == 99);
    rule.kind = DIT_SPACING_LINSPACE, rule.one_more = true;
    dit_spaced_timesteps(&rule, 10, t);
    assert_true(t[0] == 999 && t[9] == 100);
}

// numpy.log on float32 (bits; vector code of numpy 2.4), where the C library's logf differs from it in many.
static void log_has_the_bits_of_numpy(void **state)
{
    (void)state;
    static const struct {
        float x, y;
    } rows[] = {{0x1.36e6d20000000p+5f, 0x1.d47c080000000p+1f},  {0x1.420ecc0000000p+5f, 0x1.d8ff400000000p+1f},
                {0x1.33aff60000000p+0f, 0x1.78a4140000000p-3f},  {0x1.0a8ba80000000p+0f, 0x1.4ab1140000000p-5f},
                {0x1.dee4840000000p-2f, -0x1.851e1c0000000p-1f}, {0x1.16a9280000000p+0f, 0x1.5b69ce0000000p-4f},
                {0x1.6a52cc0000000p-5f, -0x1.8f26f40000000p+1f}, {0x1.21eec40000000p+4f, 0x1.72d2de0000000p+1f},
                {0x1.0369220000000p+3f, 0x1.0bdcd40000000p+1f},  {0x1.4bb2020000000p-1f, -0x1.bc86be0000000p-2f},
                {0x1.90490c0000000p-1f, -0x1.f81bea0000000p-3f}, {0x1.6269060000000p+0f, 0x1.4d15960000000p-2f},
                {0x1.c1b6ba0000000p-5f, -0x1.737ea20000000p+1f}, {0x1.5bf2ce0000000p-9f, -0x1.7b9cd80000000p+2f},
                {0x1.8d47f80000000p+7f, 0x1.52a7e40000000p+2f},  {0x1.7e9d280000000p+3f, 0x1.3d9aec0000000p+1f},
                {0x1.32324e0000000p-3f, -0x1.e680160000000p+0f}, {0x1.8683840000000p+5f, 0x1.f1aab00000000p+1f},
                {0x1.8596ea0000000p+0f, 0x1.adfe800000000p-2f},  {0x1.9ee1fa0000000p+1f, 0x1.2d0c140000000p+0f},
                {0x1.f70b7e0000000p+3f, 0x1.60a1fe0000000p+1f},  {0x1.64dcc20000000p-8f, -0x1.4da1e00000000p+2f},
                {0x1.0523860000000p+0f, 0x1.459fa00000000p-6f},  {0x1.7d325e0000000p-2f, -0x1.f9ef9c0000000p-1f}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(dit_log_f32(rows[i].x) == rows[i].y);
    assert_true(isinf(dit_log_f32(0)) && isinf(dit_log_f32(INFINITY)));
}

// scipy.stats.beta.ppf
static void quantiles_of_beta_equal_scipy(void **state)
{
    (void)state;
    static const struct {
        double p, a, b, x;
    } rows[] = {{1e-12, 0.6, 0.6, 1.8558824624914097e-20}, {1e-06, 0.6, 0.6, 1.8558824624053043e-10},
                {0.001, 0.6, 0.6, 1.855873851745199e-05},  {0.1, 0.6, 0.6, 0.03958440558878085},
                {0.25, 0.6, 0.6, 0.17568037865269498},     {0.5, 0.6, 0.6, 0.5000000000000001},
                {0.75, 0.6, 0.6, 0.824319621347305},       {0.9, 0.6, 0.6, 0.9604155944112192},
                {0.999, 0.6, 0.6, 0.9999814412614826},     {0.01, 2, 3, 0.04199863562170072},
                {0.3, 2, 3, 0.27238394207510536},          {0.5, 2, 3, 0.3857275681323895},
                {0.99, 2, 3, 0.859132457305454},           {0.01, 0.5, 4, 2.0898832686007886e-05},
                {0.3, 0.5, 4, 0.019556864835874103},       {0.5, 0.5, 4, 0.058710801339783646},
                {0.99, 0.5, 4, 0.5846016859519771},        {0.01, 30, 7, 0.641568148405635},
                {0.3, 30, 7, 0.781371729440126},           {0.5, 30, 7, 0.8164456348536243},
                {0.99, 30, 7, 0.9316661319585824}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(fabs(dit_beta_quantile(rows[i].p, rows[i].a, rows[i].b) / rows[i].x - 1) < 1e-13);
    assert_true(dit_beta_quantile(0, 0.6, 0.6) == 0 && dit_beta_quantile(1, 0.6, 0.6) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linspace_ends_where_it_should), cmocka_unit_test(linspace_of_torch_counts_from_the_nearer_end),
        cmocka_unit_test(arange_counts_like_numpy),      cmocka_unit_test(interpolation_keeps_the_ends),
        cmocka_unit_test(spacings_follow_their_table),   cmocka_unit_test(log_has_the_bits_of_numpy),
        cmocka_unit_test(quantiles_of_beta_equal_scipy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
