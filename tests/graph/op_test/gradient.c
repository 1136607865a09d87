// tests/graph/op_test/gradient.c: gradient rules against central differences of the float64 reference.
//
// The loss is a sum of the op's outputs with random weights, L = sum_k sum_i w[k][i] y[k][i]. A plan computes L and its
// gradients in float32; the differences, in double, use two steps (Richardson), so their own error is of the order of
// step^4.
#include "base/random.h"
#include "graph/op_test/harness.h"
#include "graph/plan.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Elements of an input that are checked, when it has more; the references of large cases take their time.
enum { SAMPLES = 48, SAMPLES_OF_LARGE = 6, LARGE = 4096 };

typedef struct gradient_test {
    op_run run;
    float *weight[DIT_MAX_OUTPUTS]; // NULL: not in the loss
    dit_graph *g;
    dit_plan *plan;
    dit_tensor in[OP_MAX_INPUTS], loss;
    bool differentiated[OP_MAX_INPUTS];
} gradient_test;

static void make_weights(gradient_test *t)
{
    for (int k = 0; k < t->run.declared.outputs; k++) {
        const dit_view *y = &t->run.declared.out[k];
        unsigned mask = t->run.c->loss_outputs;
        if (!dit_dtype_is_float(y->dtype) || (mask && !(mask >> k & 1)))
            continue;
        int64_t count = dit_shape_count(&y->shape);
        t->weight[k] = malloc((size_t)(count + 1) * sizeof(float));
        if (!t->weight[k])
            abort();
        for (int64_t i = 0; i < count; i++)
            t->weight[k][i] = 2 * dit_counter_uniform(77, (uint64_t)k, (uint64_t)i) - 1;
    }
}

static double loss_of(gradient_test *t)
{
    double loss = 0;
    t->run.op->reference(&t->run.declared, (const double *const *)t->run.exact_in, t->run.exact_out);
    for (int k = 0; k < t->run.declared.outputs; k++) {
        int64_t count = dit_shape_count(&t->run.declared.out[k].shape);
        for (int64_t i = 0; i < count && t->weight[k]; i++)
            loss += (double)t->weight[k][i] * t->run.exact_out[k][i];
    }
    return loss;
}

static double slope(gradient_test *t, double *x, double step)
{
    double at = *x;
    *x = at + step;
    double above = loss_of(t);
    *x = at - step;
    double below = loss_of(t);
    *x = at;
    return (above - below) / (2 * step);
}

static double difference(gradient_test *t, double *x)
{
    const double step = 2e-3;
    return (4 * slope(t, x, step / 2) - slope(t, x, step)) / 3;
}

// Describes the op, its loss and the gradients as outputs "0", "1", ...
static void describe(gradient_test *t)
{
    const op_case *c = t->run.c;
    dit_graph *g = t->g;
    dit_tensor of[OP_MAX_INPUTS], gradients[OP_MAX_INPUTS];
    int count = 0;
    for (int i = 0; i < t->run.declared.inputs; i++) {
        const dit_view *x = &t->run.declared.in[i];
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        t->in[i] = dit_is_absent(x) ? DIT_NONE : dit_input(g, name, x->dtype, x->shape);
        t->differentiated[i] = op_is_differentiated(&c->in[i]);
        if (t->differentiated[i])
            of[count++] = t->in[i];
    }
    dit_tensor y = dit_apply(g, c->op, t->in, t->run.declared.inputs, c->attributes);
    t->loss = dit_scalar(g, 0);
    for (int k = 0; k < t->run.declared.outputs; k++) {
        if (!t->weight[k])
            continue;
        dit_shape s = t->run.declared.out[k].shape;
        dit_tensor w = dit_constant(g, DIT_F32, s, t->weight[k]), part = dit_mul(g, w, dit_sibling(g, y, k));
        t->loss = dit_add(g, t->loss, s.rank ? dit_sum(g, part, (1u << s.rank) - 1, false) : part);
    }
    if (dit_graph_gradient(g, t->loss, of, count, gradients))
        return;
    dit_output(g, "loss", t->loss);
    for (int i = 0, n = 0; i < t->run.declared.inputs; i++)
        if (t->differentiated[i]) {
            char name[16];
            snprintf(name, sizeof name, "%d", i);
            dit_output(g, name, gradients[n++]);
        }
}

static bool compute(gradient_test *t, dit_error *error)
{
    if (dit_plan_new(t->g, NULL, &(dit_plan_options){.no_fusion = true}, &t->plan, error))
        return false;
    for (int i = 0; i < t->run.declared.inputs; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        dit_array x = dit_plan_input(t->plan, name);
        int64_t count = x.data ? dit_shape_count(&x.shape) : 0;
        for (int64_t n = 0; n < count; n++)
            dit_element_set(x.dtype, x.data, n, t->run.exact_in[i][n]);
    }
    return dit_plan_run(t->plan, NULL, NULL, error) == DIT_OK;
}

// Checks the gradient of input i.
static int check_input(gradient_test *t, int i, bool quiet, double *worst)
{
    char name[16], text[600];
    snprintf(name, sizeof name, "%d", i);
    dit_array d = dit_plan_output(t->plan, name);
    int64_t count = dit_shape_count(&d.shape), most = SAMPLES;
    for (int k = 0; k < t->run.declared.outputs; k++)
        if (count > LARGE || dit_shape_count(&t->run.declared.out[k].shape) > LARGE)
            most = SAMPLES_OF_LARGE;
    int64_t samples = count < most ? count : most;
    double exact[SAMPLES], scale = 0, tolerance = (double)t->run.c->gradient_tolerance;
    int64_t at[SAMPLES];
    if (t->run.declared.in[i].dtype == DIT_BF16)
        tolerance = OP_BF16_GRADIENT_TOLERANCE;
    else if (tolerance == 0)
        tolerance = (double)OP_GRADIENT_TOLERANCE;
    for (int64_t s = 0; s < samples; s++) {
        at[s] = (int64_t)dit_counter_permutation(5, (uint64_t)i, (uint64_t)count, (uint64_t)s);
        exact[s] = difference(t, &t->run.exact_in[i][at[s]]);
        scale = fabs(exact[s]) > scale ? fabs(exact[s]) : scale;
    }
    double allowed = tolerance * scale + 1e-8; // the differences' own rounding
    for (int64_t s = 0; s < samples; s++) {
        double found = dit_element_get(d.dtype, d.data, at[s]);
        if (op_injected && s == samples / 2)
            found += 3 * allowed;
        double error = fabs(found - exact[s]) / allowed;
        *worst = error > *worst ? error : *worst;
        if (error <= 1) // false for NaN too
            continue;
        if (!quiet)
            printf("FAILED gradient of %s: d input %d[%lld] is %.9g, must be %.9g: %.3g times what is allowed\n",
                   op_run_text(&t->run, text), i, (long long)at[s], found, exact[s], error);
        return 1;
    }
    return 0;
}

static int check_all(gradient_test *t, bool quiet, double *worst)
{
    char text[600];
    dit_error error = *dit_graph_error(t->g);
    if (error.status || !compute(t, &error)) {
        printf("FAILED gradient of %s: %s\n", op_run_text(&t->run, text), error.message);
        return 1;
    }
    dit_array loss = dit_plan_output(t->plan, "loss");
    double exact = loss_of(t), found = (double)*(float *)loss.data, allowed = 1e-5;
    for (int k = 0; k < t->run.declared.outputs; k++) {
        double rounding = t->run.declared.out[k].dtype == DIT_F32 ? 1e-5 : 0x1p-8;
        for (int64_t i = 0; t->weight[k] && i < dit_shape_count(&t->run.declared.out[k].shape); i++)
            allowed += rounding * fabs(t->run.exact_out[k][i]);
    }
    if (!(fabs(found - exact) <= allowed)) {
        printf("FAILED plan of %s: the loss is %.9g, must be %.9g\n", op_run_text(&t->run, text), found, exact);
        return 1;
    }
    int failures = 0;
    for (int i = 0; i < t->run.declared.inputs; i++)
        if (t->differentiated[i])
            failures += check_input(t, i, quiet, worst);
    return failures;
}

static int check_dtype(const op_case *c, dit_dtype dtype, bool quiet, double *worst)
{
    gradient_test t = {.g = dit_graph_new(NULL)};
    op_sweep sweep = {dtype, dtype, dtype};
    if (!t.g)
        abort();
    if (!op_run_make(&t.run, c, NULL, sweep, OP_DENSE, true)) {
        dit_graph_free(t.g);
        return 1;
    }
    make_weights(&t);
    describe(&t);
    int failures = check_all(&t, quiet, worst);
    for (int k = 0; k < DIT_MAX_OUTPUTS; k++)
        free(t.weight[k]);
    dit_plan_free(t.plan);
    dit_graph_free(t.g);
    op_run_free(&t.run);
    return failures;
}

// Whether rounding to bf16 keeps OP_APART values apart.
static bool stays_apart(const op_case *c)
{
    for (int i = 0; i < OP_MAX_INPUTS; i++)
        if (c->in[i].values == OP_APART && dit_shape_count(&c->in[i].shape) > 256)
            return false;
    return true;
}

// In bf16 the rule meets values that were rounded on the way, so this only shows that it accepts such tensors and means
// the same.
int op_test_gradient(const op_case *c, bool quiet, double *worst)
{
    double rounded = 0;
    int failures = check_dtype(c, DIT_F32, quiet, worst);
    if (!failures && stays_apart(c))
        failures = check_dtype(c, DIT_BF16, quiet, &rounded);
    return failures;
}
