// The attention kernels over the edges of their blocks, chunks and tiles, in every arrangement of heads and masks; the
// backward kernel is given the y and lse that belong to its inputs.
#include "graph/ops.h"
#include "kernel_check.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// Softmax and sums of some hundred terms.
static const double TOLERANCE = 2e-6;

typedef struct geometry {
    int64_t B, Tq, H, D, Tk, Hkv;
    bool causal;
    dit_dtype mask_dtype;
    dit_shape mask;
} geometry;

static kernel_case forward_case(const geometry *g, const struct dit_attention_attributes *a)
{
    return (kernel_case){
        .op = DIT_OP_attention,
        .attributes = a,
        .inputs = 4,
        .in = {{.shape = DIT_SHAPE(g->B, g->Tq, g->H, g->D)},
               {.shape = DIT_SHAPE(g->B, g->Tk, g->Hkv, g->D)},
               {.shape = DIT_SHAPE(g->B, g->Tk, g->Hkv, g->D)},
               {.dtype = g->mask_dtype, .shape = g->mask, .lie = g->mask.rank ? DENSE : ABSENT, .scale = 3}},
        .tolerance = TOLERANCE,
        .typical = 0.3};
}

// The inputs of the backward kernel, kept as they are made, so that y and lse can be computed when their turn comes.
static struct {
    const geometry *g;
    const struct dit_attention_attributes *a;
    double *in[4], *y, *lse;
} kept;

enum { DY, Q, K, V, MASK, Y, LSE };

static void compute_forward(void)
{
    dit_view in[4] = {{.shape = DIT_SHAPE(kept.g->B, kept.g->Tq, kept.g->H, kept.g->D)},
                      {.shape = DIT_SHAPE(kept.g->B, kept.g->Tk, kept.g->Hkv, kept.g->D)},
                      {.shape = DIT_SHAPE(kept.g->B, kept.g->Tk, kept.g->Hkv, kept.g->D)},
                      {.dtype = kept.g->mask.rank ? kept.g->mask_dtype : DIT_DTYPES, .shape = kept.g->mask}};
    dit_op_call call = {.inputs = 4, .outputs = 2, .in = in, .attributes = kept.a};
    const double *dense[4] = {kept.in[0], kept.in[1], kept.in[2], kept.g->mask.rank ? kept.in[3] : NULL};
    dit_op_attention.reference(&call, dense, (double *[]){kept.y, kept.lse});
}

static double keep_and_give(int input, int64_t i, double value)
{
    if (input >= Q && input <= MASK)
        kept.in[input - Q][i] = kept.g->mask_dtype == DIT_BOOL && input == MASK ? value : (double)(float)value;
    if (input == Y && i == 0)
        compute_forward();
    return input == Y ? kept.y[i] : input == LSE ? kept.lse[i] : value;
}

static kernel_case backward_case(const geometry *g, const struct dit_attention_backward_attributes *a)
{
    dit_shape q = DIT_SHAPE(g->B, g->Tq, g->H, g->D), k = DIT_SHAPE(g->B, g->Tk, g->Hkv, g->D);
    return (kernel_case){
        .op = DIT_OP_attention_backward,
        .attributes = a,
        .inputs = 7,
        .in = {[DY] = {.shape = q},
               [Q] = {.shape = q},
               [K] = {.shape = k},
               [V] = {.shape = k},
               [MASK] = {.dtype = g->mask_dtype, .shape = g->mask, .lie = g->mask.rank ? DENSE : ABSENT, .scale = 3},
               [Y] = {.shape = q},
               [LSE] = {.shape = DIT_SHAPE(g->B, g->H, g->Tq)}},
        .tolerance = 5e-6,
        .typical = 0.1,
        .adjust = keep_and_give};
}

static void check_both(dit_isa isa, const geometry *g, lie lie_q, lie lie_kv, const char *what)
{
    struct dit_attention_attributes forward = {.scale = 2 / sqrtf((float)g->D), .causal = g->causal};
    struct dit_attention_backward_attributes backward = {.scale = forward.scale, .causal = g->causal};
    kernel_case f = forward_case(g, &forward), b = backward_case(g, &backward);
    f.in[0].lie = b.in[Q].lie = b.in[DY].lie = b.in[Y].lie = lie_q;
    f.in[1].lie = f.in[2].lie = b.in[K].lie = b.in[V].lie = lie_kv;
    char text[200];
    snprintf(text, sizeof text, "B %ld Tq %ld H %ld D %ld Tk %ld Hkv %ld causal %d mask %s, %s", (long)g->B,
             (long)g->Tq, (long)g->H, (long)g->D, (long)g->Tk, (long)g->Hkv, g->causal,
             g->mask.rank ? dit_dtype_name(g->mask_dtype) : "none", what);
    check_kernel(isa, &f, text);
    kept.g = g;
    kept.a = &forward;
    int64_t queries = g->B * g->Tq * g->H * g->D, keys = g->B * g->Tk * g->Hkv * g->D,
            mask = g->mask.rank ? dit_shape_count(&g->mask) : 0, rows = g->B * g->H * g->Tq;
    const int64_t counts[] = {queries, keys, keys, mask, queries, rows};
    double **buffers[] = {&kept.in[0], &kept.in[1], &kept.in[2], &kept.in[3], &kept.y, &kept.lse};
    for (int i = 0; i < 6; i++)
        *buffers[i] = malloc((size_t)counts[i] * sizeof(double) + 1);
    check_kernel(isa, &b, text);
    for (int i = 0; i < 6; i++)
        free(*buffers[i]);
}

static void check_sizes(dit_isa isa)
{
    static const geometry sizes[] = {
        {1, 1, 1, 1, 1, 1, false, 0, {0}},      {1, 14, 1, 16, 32, 1, false, 0, {0}},
        {2, 15, 3, 33, 31, 3, false, 0, {0}},   {1, 113, 2, 64, 257, 2, false, 0, {0}},
        {1, 225, 1, 72, 256, 1, false, 0, {0}}, {1, 29, 2, 128, 600, 2, false, 0, {0}},
        {1, 400, 1, 17, 33, 1, false, 0, {0}},  {1, 3, 1, 8, 1025, 1, false, 0, {0}},
        {1, 530, 1, 24, 530, 1, true, 0, {0}},  {2, 64, 2, 40, 64, 2, true, 0, {0}},
        {1, 20, 1, 8, 300, 1, true, 0, {0}},    {1, 300, 1, 8, 20, 1, true, 0, {0}},
        {2, 37, 6, 16, 45, 2, false, 0, {0}},   {1, 260, 4, 8, 270, 1, true, 0, {0}},
        {3, 5, 4, 12, 7, 4, false, 0, {0}},     {0, 5, 4, 12, 7, 4, false, 0, {0}},
        {1, 5, 2, 12, 0, 2, false, 0, {0}},     {1, 0, 2, 12, 3, 2, false, 0, {0}},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_both(isa, &sizes[i], DENSE, DENSE, "dense");
}

static void every_size_is_right(void **state)
{
    (void)state;
    for_every_isa(check_sizes);
}

static void check_arrangements(dit_isa isa)
{
    static const geometry g = {2, 40, 4, 24, 50, 2, false, 0, {0}};
    static const lie lies[] = {DENSE, GAPS, HEADS_OUT, REPEATED};
    static const char *const names[] = {"dense", "gaps", "heads out", "repeated"};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            check_both(isa, &g, lies[i], lies[j], names[j]);
}

static void every_arrangement_is_right(void **state)
{
    (void)state;
    for_every_isa(check_arrangements);
}

static void check_masks(dit_isa isa)
{
    const dit_shape shapes[] = {DIT_SHAPE(2, 4, 30, 290), DIT_SHAPE(2, 1, 1, 290), DIT_SHAPE(4, 1, 290),
                                DIT_SHAPE(30, 290),       DIT_SHAPE(290),          DIT_SHAPE(2, 1, 30, 1),
                                DIT_SHAPE(1, 4, 1, 1)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int causal = 0; causal <= 1; causal++)
            for (int kind = 0; kind <= 1; kind++) {
                geometry g = {2, 30, 4, 20, 290, 2, causal, kind ? DIT_BOOL : DIT_F32, shapes[i]};
                check_both(isa, &g, DENSE, DENSE, "mask");
            }
}

static void every_mask_is_right(void **state)
{
    (void)state;
    for_every_isa(check_masks);
}

// Bool masks that shut whole blocks first, everything, or all keys but one.
static double shut(int64_t row, int64_t key)
{
    return row % 4 == 0 ? 0 : row % 4 == 1 ? key >= 500 : row % 4 == 2 ? key == 299 : key < 3;
}

static double shut_keys(int input, int64_t i, double value)
{
    return input == 3 ? shut(i / 600, i % 600) : value;
}

static double shut_keys_backward(int input, int64_t i, double value)
{
    return keep_and_give(input, i, input == MASK ? shut(i / 600, i % 600) : value);
}

static void check_shut_rows(dit_isa isa)
{
    geometry g = {1, 33, 1, 16, 600, 1, false, DIT_BOOL, DIT_SHAPE(33, 600)};
    struct dit_attention_attributes a = {.scale = 0.5f};
    kernel_case c = forward_case(&g, &a);
    c.adjust = shut_keys;
    check_kernel(isa, &c, "shut rows");
    struct dit_attention_backward_attributes ab = {.scale = 0.5f};
    c = backward_case(&g, &ab);
    c.adjust = shut_keys_backward;
    kept.g = &g;
    kept.a = &a;
    kept.in[0] = malloc(33 * 16 * sizeof(double));
    kept.in[1] = malloc(600 * 16 * sizeof(double));
    kept.in[2] = malloc(600 * 16 * sizeof(double));
    kept.in[3] = malloc(33 * 600 * sizeof(double));
    kept.y = malloc(33 * 16 * sizeof(double));
    kept.lse = malloc(33 * sizeof(double));
    check_kernel(isa, &c, "shut rows");
    for (int i = 0; i < 4; i++)
        free(kept.in[i]);
    free(kept.y);
    free(kept.lse);
}

static void rows_that_see_little_or_nothing_are_right(void **state)
{
    (void)state;
    for_every_isa(check_shut_rows);
}

// Scores of some hundreds: exp of them overflows, their softmax does not.
static void check_large(dit_isa isa)
{
    geometry g = {1, 30, 2, 32, 300, 2, false, 0, {0}};
    struct dit_attention_attributes a = {.scale = 1};
    kernel_case c = forward_case(&g, &a);
    c.in[0].scale = 12;
    c.in[1].scale = 12;
    c.tolerance = 5e-5; // the scores themselves are rounded by 2e-5
    check_kernel(isa, &c, "large scores");
    a.scale = -1;
    check_kernel(isa, &c, "large scores, negative scale");
}

static void large_scores_are_right(void **state)
{
    (void)state;
    for_every_isa(check_large);
}

// Keys in four groups of GROUP, whose scores are the same within a group, and values of 1. Weights that are rounded sum
// to less than those that are not, by how much tells which keys were rounded beside which largest score.
enum { GROUP = 256, GROUPS = 4, WIDTH = 8 };
static const double GROUP_SCORES[GROUPS] = {-177 / 256.0, 0, -207 / 512.0, 147 / 512.0}; // exact in bf16

static double nearest_bf16(double x)
{
    uint16_t element;
    dit_element_set(DIT_BF16, &element, 0, x);
    return dit_element_get(DIT_BF16, &element, 0);
}

// What attention gives where weights are rounded to bf16 beside the largest score so far, `keys` at a time.
static double mean_of_ones(int keys)
{
    double largest = -INFINITY, sum = 0, y = 0;
    for (int j = 0; j < GROUPS * GROUP; j += keys) {
        double before = largest;
        for (int i = j; i < j + keys; i++)
            largest = fmax(largest, GROUP_SCORES[i / GROUP]);
        sum *= exp(before - largest);
        y *= exp(before - largest);
        for (int i = j; i < j + keys; i++) {
            double weight = exp(GROUP_SCORES[i / GROUP] - largest);
            sum += weight;
            y += nearest_bf16(weight);
        }
    }
    return y / sum;
}

static void check_rounded_blocks(dit_isa isa)
{
    enum { KEYS = GROUPS * GROUP };
    static float q[WIDTH] = {1}, k[KEYS * WIDTH], v[KEYS * WIDTH], y[WIDTH], lse[1];
    struct dit_attention_attributes a = {.scale = 1, .weights = DIT_BF16};
    const dit_kernel *kernel = dit_cpu_kernel_of(isa, DIT_OP_attention);
    const int64_t row = WIDTH;
    dit_view in[4] = {{.shape = DIT_SHAPE(1, 1, 1, WIDTH), .stride = {row, row, row, 1}, .data = q},
                      {.shape = DIT_SHAPE(1, KEYS, 1, WIDTH), .stride = {KEYS * row, row, row, 1}, .data = k},
                      {.shape = DIT_SHAPE(1, KEYS, 1, WIDTH), .stride = {KEYS * row, row, row, 1}, .data = v},
                      {.dtype = DIT_DTYPES}};
    dit_view out[2] = {{.shape = DIT_SHAPE(1, 1, 1, WIDTH), .stride = {row, row, row, 1}, .data = y},
                       {.shape = DIT_SHAPE(1, 1, 1), .stride = {1, 1, 1}, .data = lse}};
    dit_op_call call = {.inputs = 4, .outputs = 2, .in = in, .out = out, .attributes = &a};
    for (int i = 0; i < KEYS * WIDTH; i++) {
        k[i] = i % WIDTH == 0 ? (float)GROUP_SCORES[i / WIDTH / GROUP] : 0;
        v[i] = 1;
    }
    call.workspace = aligned_alloc(64, (kernel->workspace(&call) + 63) / 64 * 64);
    assert_non_null(call.workspace);
    kernel->run(&call);
    free(call.workspace);
    for (int d = 0; d < WIDTH; d++)
        if (!(fabs((double)y[d] - mean_of_ones(512)) <= 8e-5)) // an exponential of four digits is in both sums
            fail_msg("%s: %.6f, not %.6f; in blocks of 256 %.6f, of 1024 %.6f", dit_isa_name(isa), (double)y[d],
                     mean_of_ones(512), mean_of_ones(256), mean_of_ones(1024));
}

// torch's attention on processors takes 512 keys at a time.
static void weights_are_rounded_512_keys_at_a_time(void **state)
{
    (void)state;
    assert_true(fabs(mean_of_ones(512) - mean_of_ones(256)) > 2e-4);
    assert_true(fabs(mean_of_ones(512) - mean_of_ones(1024)) > 2e-4);
    for_every_isa(check_rounded_blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_right),    cmocka_unit_test(every_arrangement_is_right),
        cmocka_unit_test(every_mask_is_right),    cmocka_unit_test(rows_that_see_little_or_nothing_are_right),
        cmocka_unit_test(large_scores_are_right), cmocka_unit_test(weights_are_rounded_512_keys_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
