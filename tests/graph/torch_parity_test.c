// tests/graph/torch_parity_test.c: ops through graph and plan against PyTorch's and diffusers' numbers, outputs and
// gradients, in every instruction set that this machine runs. The cases are those of tests/fixtures/ops/manifest.json,
// made by tools/fixtures/ops.py.
#include "backend/cpu/cpu.h"
#include "graph/ops.h"
#include "graph/plan.h"
#include "io/json.h"
#include "io/safetensors.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/ops/"

// Largest difference allowed, of the largest value. The kernels compute in f32; references are rounded from f64, or,
// for sinusoidal tables, f32 themselves, where an angle that is rounded otherwise shows: near 1000 by 6e-5.
static const double TOLERANCE = 5e-6;

enum { MAX_INPUTS = 4, MAX_OPERANDS = 2 * MAX_INPUTS + DIT_MAX_OUTPUTS };

// What an op's description needs: its operands, and its attributes as the manifest spells them.
typedef struct op_case {
    dit_graph *g;
    dit_json attributes;
    const dit_tensor *in;
    dit_error *error;
} op_case;

// Attributes
// ------------------------------------------------------------------------------------------------------------------

static int integer(const op_case *c, const char *key)
{
    return (int)dit_json_int(c->attributes, key, -1000, 1000000, c->error);
}

static float number(const op_case *c, const char *key)
{
    return (float)dit_json_number(c->attributes, key, -1e9, 1e9, c->error);
}

static bool flag(const op_case *c, const char *key)
{
    return dit_json_bool(c->attributes, key, c->error);
}

static size_t integers(const op_case *c, const char *key, int64_t values[DIT_MAX_RANK])
{
    memset(values, 0, DIT_MAX_RANK * sizeof *values);
    return dit_json_ints(c->attributes, key, values, 1, DIT_MAX_RANK, -1000000, 1000000, c->error);
}

static dit_shape shape_attribute(const op_case *c, const char *key)
{
    dit_shape shape = {0};
    shape.rank = (int)integers(c, key, shape.dim);
    return shape;
}

// The three ints of a patch or split list.
static void three(const op_case *c, const char *key, int values[3])
{
    int64_t list[DIT_MAX_RANK];
    size_t count = integers(c, key, list);
    for (size_t i = 0; i < 3; i++)
        values[i] = i < count ? (int)list[i] : 0;
}

static dit_window window(const op_case *c)
{
    op_case inner = *c;
    inner.attributes = dit_json_object(c->attributes, "window", c->error);
    int64_t list[DIT_MAX_RANK];
    dit_window w = {.axes = (int)integers(&inner, "stride", list), .groups = integer(&inner, "groups")};
    three(&inner, "stride", w.stride);
    three(&inner, "padding", w.padding);
    three(&inner, "dilation", w.dilation);
    three(&inner, "output_padding", w.output_padding);
    if (dit_json_has(inner.attributes, "extent"))
        three(&inner, "extent", w.extent);
    return w;
}

static dit_patch_order patch_order(const op_case *c)
{
    static const char *const names[] = {"channel_first", "channel_last", NULL};
    static const dit_patch_order orders[] = {DIT_PATCH_CHANNEL_FIRST, DIT_PATCH_CHANNEL_LAST};
    return orders[dit_json_choice(c->attributes, "order", names, c->error)];
}

// Descriptions, one an op
// ------------------------------------------------------------------------------------------------------------------

static dit_tensor resize(const op_case *c)
{
    static const char *const names[] = {"nearest", "bilinear", "bilinear_corners", NULL};
    static const dit_resize_mode modes[] = {DIT_NEAREST, DIT_BILINEAR, DIT_BILINEAR_CORNERS};
    return dit_resize(c->g, c->in[0], shape_attribute(c, "shape"),
                      modes[dit_json_choice(c->attributes, "mode", names, c->error)]);
}

static dit_tensor conv(const op_case *c)
{
    dit_window w = window(c);
    return dit_conv(c->g, c->in[0], c->in[1], c->in[2], &w);
}

static dit_tensor conv_transpose(const op_case *c)
{
    dit_window w = window(c);
    return dit_conv_transpose(c->g, c->in[0], c->in[1], c->in[2], &w);
}

static dit_tensor avg_pool(const op_case *c)
{
    dit_window w = window(c);
    return dit_avg_pool(c->g, c->in[0], &w);
}

static dit_tensor layer_norm(const op_case *c)
{
    return dit_layer_norm(c->g, c->in[0], c->in[1], c->in[2], number(c, "eps"));
}

static dit_tensor rms_norm(const op_case *c)
{
    return dit_rms_norm(c->g, c->in[0], c->in[1], number(c, "eps"));
}

static dit_tensor group_norm(const op_case *c)
{
    return dit_group_norm(c->g, c->in[0], c->in[1], c->in[2], integer(c, "groups"), number(c, "eps"));
}

static dit_tensor attention(const op_case *c)
{
    return dit_attention(c->g, c->in[0], c->in[1], c->in[2], c->in[3], number(c, "scale"), flag(c, "causal"));
}

static dit_tensor rope(const op_case *c)
{
    return dit_rope(c->g, c->in[0], c->in[1], flag(c, "interleaved"), flag(c, "inverse"));
}

static dit_tensor rope_table(const op_case *c)
{
    static const char *const names[] = {"f32", "f64", NULL};
    static const dit_dtype dtypes[] = {DIT_F32, DIT_F64};
    int split[3];
    three(c, "split", split);
    return dit_rope_table(c->g, c->in[0], integer(c, "axes"), split, number(c, "theta"),
                          dtypes[dit_json_choice(c->attributes, "angles", names, c->error)]);
}

static dit_tensor timestep_embedding(const op_case *c)
{
    return dit_timestep_embedding(c->g, c->in[0], integer(c, "width"), flag(c, "flip"), number(c, "shift"),
                                  number(c, "max_period"), number(c, "scale"));
}

static dit_tensor patchify(const op_case *c)
{
    int patch[3];
    three(c, "patch", patch);
    return dit_patchify(c->g, c->in[0], patch, patch_order(c));
}

static dit_tensor unpatchify(const op_case *c)
{
    int patch[3];
    three(c, "patch", patch);
    return dit_unpatchify(c->g, c->in[0], patch, patch_order(c), shape_attribute(c, "image"));
}

// torch.nn.functional.pixel_unshuffle, (B, C, H, W) -> (B, C f^2, H/f, W/f): patches with the features back in front.
static dit_tensor pixel_unshuffle(const op_case *c)
{
    int f = integer(c, "factor");
    const int64_t *x = dit_shape_of(c->g, c->in[0])->dim;
    dit_shape grid = DIT_SHAPE(x[0], x[2] / f, x[3] / f, x[1] * f * f);
    dit_tensor tokens = dit_patchify(c->g, c->in[0], (int[]){1, f, f}, DIT_PATCH_CHANNEL_FIRST);
    return dit_permute(c->g, dit_reshape(c->g, tokens, grid), (int[]){0, 3, 1, 2});
}

// The reverse, (B, C f^2, H, W) -> (B, C, H f, W f).
static dit_tensor pixel_shuffle(const op_case *c)
{
    int f = integer(c, "factor");
    const int64_t *x = dit_shape_of(c->g, c->in[0])->dim;
    dit_shape tokens = DIT_SHAPE(x[0], x[2] * x[3], x[1]);
    dit_shape image = DIT_SHAPE(x[0], x[1] / (f * f), x[2] * f, x[3] * f);
    dit_tensor last = dit_permute(c->g, c->in[0], (int[]){0, 2, 3, 1});
    return dit_unpatchify(c->g, dit_reshape(c->g, last, tokens), (int[]){1, f, f}, DIT_PATCH_CHANNEL_FIRST, image);
}

static dit_tensor pad(const op_case *c)
{
    static const char *const names[] = {"value", "replicate", "reflect", NULL};
    static const dit_pad_mode modes[] = {DIT_PAD_VALUE, DIT_PAD_REPLICATE, DIT_PAD_REFLECT};
    int64_t before[DIT_MAX_RANK], after[DIT_MAX_RANK];
    integers(c, "before", before);
    integers(c, "after", after);
    return dit_pad(c->g, c->in[0], before, after, modes[dit_json_choice(c->attributes, "mode", names, c->error)],
                   number(c, "value"));
}

static dit_tensor cross_entropy(const op_case *c)
{
    return dit_cross_entropy(c->g, c->in[0], c->in[1], number(c, "smoothing"), integer(c, "ignored"));
}

static dit_tensor softmax(const op_case *c)
{
    return dit_softmax(c->g, c->in[0], integer(c, "axis"));
}

static dit_tensor log_softmax(const op_case *c)
{
    return dit_log_softmax(c->g, c->in[0], integer(c, "axis"));
}

static dit_tensor linear(const op_case *c)
{
    return dit_linear(c->g, c->in[0], c->in[1], c->in[2]);
}

static dit_tensor gather(const op_case *c)
{
    return dit_gather(c->g, c->in[0], c->in[1], integer(c, "axis"));
}

static dit_tensor scatter_add(const op_case *c)
{
    return dit_scatter_add(c->g, c->in[0], c->in[1], integer(c, "count"));
}

static dit_tensor one_hot(const op_case *c)
{
    return dit_one_hot(c->g, c->in[0], integer(c, "classes"));
}

static dit_tensor top_k(const op_case *c)
{
    return dit_top_k(c->g, c->in[0], integer(c, "k"));
}

static dit_tensor repeat(const op_case *c)
{
    int64_t times[DIT_MAX_RANK];
    integers(c, "times", times);
    return dit_repeat(c->g, c->in[0], times);
}

// Without a description, `op` is applied to the operands as they come.
static const struct op_row {
    const char *name;
    dit_tensor (*describe)(const op_case *c);
    dit_op_id op;
} OPS[] = {
    {"resize", resize, 0},
    {"conv", conv, 0},
    {"conv_transpose", conv_transpose, 0},
    {"avg_pool", avg_pool, 0},
    {"layer_norm", layer_norm, 0},
    {"rms_norm", rms_norm, 0},
    {"group_norm", group_norm, 0},
    {"attention", attention, 0},
    {"rope", rope, 0},
    {"rope_table", rope_table, 0},
    {"timestep_embedding", timestep_embedding, 0},
    {"patchify", patchify, 0},
    {"unpatchify", unpatchify, 0},
    {"pixel_unshuffle", pixel_unshuffle, 0},
    {"pixel_shuffle", pixel_shuffle, 0},
    {"pad", pad, 0},
    {"cross_entropy", cross_entropy, 0},
    {"mse", NULL, DIT_OP_mse},
    {"silu", NULL, DIT_OP_silu},
    {"gelu_erf", NULL, DIT_OP_gelu_erf},
    {"gelu_tanh", NULL, DIT_OP_gelu_tanh},
    {"sigmoid", NULL, DIT_OP_sigmoid},
    {"tanh", NULL, DIT_OP_tanh},
    {"softmax", softmax, 0},
    {"log_softmax", log_softmax, 0},
    {"linear", linear, 0},
    {"matmul", NULL, DIT_OP_matmul},
    {"embedding", NULL, DIT_OP_embedding},
    {"gather", gather, 0},
    {"scatter_add", scatter_add, 0},
    {"one_hot", one_hot, 0},
    {"top_k", top_k, 0},
    {"repeat", repeat, 0},
};
enum { OP_COUNT = sizeof OPS / sizeof *OPS };

// Running a case
// ------------------------------------------------------------------------------------------------------------------

// One case of the manifest: its op's tensors, and which gradients it holds.
typedef struct fixture {
    const char *name;
    dit_safetensors *tensors;
    dit_json attributes;
    int inputs, outputs, gradients;
    bool present[MAX_INPUTS];
    int64_t of[MAX_INPUTS]; // [gradients] which inputs they are of
} fixture;

// The stored tensor "NAME.kind.k", or "NAME.kind" when k is negative.
static dit_array stored(const fixture *f, const char *kind, int k, dit_error *error)
{
    char name[128];
    dit_array array = {0};
    snprintf(name, sizeof name, k < 0 ? "%s.%s" : "%s.%s.%d", f->name, kind, k);
    dit_safetensors_get(f->tensors, name, &array, error);
    return array;
}

// Describes the op, and with it d sum(y * dout) / d input for every gradient that the case holds. The graph's outputs
// are called out.K and din.K.
static void describe(dit_graph *g, const fixture *f, const struct op_row *row, dit_error *error)
{
    dit_tensor in[MAX_INPUTS] = {{0}}, of[MAX_INPUTS], gradient[MAX_INPUTS];
    char name[32];
    for (int k = 0; k < f->inputs; k++)
        if (f->present[k]) {
            dit_array array = stored(f, "in", k, error);
            snprintf(name, sizeof name, "in.%d", k);
            in[k] = dit_input(g, name, array.dtype, array.shape);
        }
    dit_tensor y = row->describe ? row->describe(&(op_case){g, f->attributes, in, error})
                                 : dit_apply(g, row->op, in, f->inputs, NULL);
    for (int k = 0; k < f->outputs; k++) {
        snprintf(name, sizeof name, "out.%d", k);
        dit_output(g, name, k ? dit_sibling(g, y, k) : y);
    }
    if (f->gradients == 0)
        return;
    dit_array dout = stored(f, "dout", -1, error);
    unsigned all = (1u << dout.shape.rank) - 1;
    dit_tensor loss = dit_sum(g, dit_mul(g, y, dit_input(g, "dout", dout.dtype, dout.shape)), all, false);
    for (int i = 0; i < f->gradients; i++)
        of[i] = in[f->of[i]];
    dit_graph_gradient(g, loss, of, f->gradients, gradient);
    for (int i = 0; i < f->gradients; i++) {
        snprintf(name, sizeof name, "din.%d", (int)f->of[i]);
        dit_output(g, name, gradient[i]);
    }
}

static void fill(dit_plan *plan, const fixture *f, const char *kind, int k, dit_error *error)
{
    char name[32];
    snprintf(name, sizeof name, k < 0 ? "%s" : "%s.%d", kind, k);
    dit_array from = stored(f, kind, k, error), to = dit_plan_input(plan, name);
    if (to.data) // an operand that no output needs has no memory
        memcpy(to.data, from.data, dit_array_bytes(&from));
}

// Whether one output agrees with the stored tensor; says so when it does not.
static bool agrees(const dit_plan *plan, const fixture *f, const char *kind, int k, dit_error *error)
{
    char name[32], have[160], want[160];
    snprintf(name, sizeof name, "%s.%d", kind, k);
    dit_array y = dit_plan_output(plan, name), expected = stored(f, kind, k, error);
    if (!y.data || y.dtype != expected.dtype || !dit_shape_equal(&y.shape, &expected.shape)) {
        print_error("  %s: %s is %s %s, expected %s %s\n", f->name, name, dit_dtype_name(y.dtype),
                    dit_shape_text(&y.shape, have), dit_dtype_name(expected.dtype),
                    dit_shape_text(&expected.shape, want));
        return false;
    }
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < dit_shape_count(&y.shape); i++) {
        double a = dit_element_get(y.dtype, y.data, i), b = dit_element_get(expected.dtype, expected.data, i);
        largest = fmax(largest, fabs(b));
        worst = a == b ? worst : isfinite(a) ? fmax(worst, fabs(a - b)) : INFINITY;
    }
    if (worst <= TOLERANCE * largest)
        return true;
    print_error("  %s: %s differs by %.2g of its largest value\n", f->name, name, worst / largest);
    return false;
}

static bool run_case(const fixture *f, const struct op_row *row, dit_error *error)
{
    dit_plan *plan = NULL;
    bool fine = true;
    dit_graph *g = dit_graph_new(NULL);
    assert_non_null(g);
    describe(g, f, row, error);
    if (dit_graph_error(g)->status)
        *error = *dit_graph_error(g);
    if (!error->status)
        dit_plan_new(g, NULL, NULL, &plan, error);
    for (int k = 0; k < f->inputs && !error->status; k++)
        if (f->present[k])
            fill(plan, f, "in", k, error);
    if (f->gradients && !error->status)
        fill(plan, f, "dout", -1, error);
    if (!error->status)
        dit_plan_run(plan, NULL, NULL, error);
    for (int k = 0; k < f->outputs && !error->status; k++)
        fine &= agrees(plan, f, "out", k, error);
    for (int i = 0; i < f->gradients && !error->status; i++)
        fine &= agrees(plan, f, "din", (int)f->of[i], error);
    dit_plan_free(plan);
    dit_graph_free(g);
    if (error->status)
        print_error("  %s: %s\n", f->name, error->message);
    return fine && !error->status;
}

// Every case of one op. The manifest is small: each op reads it anew.
static void matches(void **state)
{
    const struct op_row *row = *state;
    dit_error error = {0};
    dit_json_file *manifest = NULL;
    dit_safetensors *tensors = NULL;
    char path[512];
    snprintf(path, sizeof path, FIXTURES "%s.safetensors", row->name);
    dit_json_open(&manifest, FIXTURES "manifest.json", 0, &error);
    dit_safetensors_open(&tensors, path, &error);
    assert_int_equal(error.status, DIT_OK);

    dit_json cases = dit_json_list(dit_json_root(manifest), "cases", &error);
    int ran = 0, failed = 0;
    for (size_t i = 0; i < dit_json_count(cases); i++) {
        dit_json entry = dit_json_item(cases, i, &error);
        if (strcmp(dit_json_text(entry, "op", &error), row->name) != 0)
            continue;
        fixture f = {.name = dit_json_text(entry, "name", &error), .tensors = tensors};
        f.attributes = dit_json_object(entry, "attributes", &error);
        dit_json inputs = dit_json_list(entry, "inputs", &error);
        f.inputs = (int)dit_json_count(inputs);
        assert_in_range(f.inputs, 1, MAX_INPUTS);
        for (int k = 0; k < f.inputs; k++)
            f.present[k] = json_is_string(json_array_get(inputs.value, (size_t)k));
        f.outputs = (int)dit_json_int(entry, "outputs", 1, DIT_MAX_OUTPUTS, &error);
        f.gradients = (int)dit_json_ints(entry, "gradients", f.of, 0, MAX_INPUTS, 0, MAX_INPUTS - 1, &error);
        assert_int_equal(error.status, DIT_OK);
        dit_error own = {0};
        failed += !run_case(&f, row, &own);
        ran++;
    }
    dit_safetensors_close(tensors);
    dit_json_close(manifest);
    assert_true(ran > 0);
    assert_int_equal(failed, 0);
}

static int run_all(const char *group)
{
    struct CMUnitTest tests[OP_COUNT];
    for (int i = 0; i < OP_COUNT; i++)
        tests[i] = (struct CMUnitTest){OPS[i].name, matches, NULL, NULL, (void *)&OPS[i]};
    return _cmocka_run_group_tests(group, tests, OP_COUNT, NULL, NULL);
}

// The instruction set holds for a process, so each has one.
int main(void)
{
    bool failed = false;
    for (dit_isa isa = 0; isa < DIT_ISAS; isa++) {
        if (!dit_cpu_has(isa))
            continue;
        pid_t child = fork();
        if (child == 0) {
            dit_error error = {0};
            setenv("DIT_CPU", dit_isa_name(isa), 1);
            _exit(dit_cpu_start(&error) != DIT_OK || run_all(dit_isa_name(isa)) != 0);
        }
        int status = 1;
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
            failed = true;
    }
    return failed;
}
