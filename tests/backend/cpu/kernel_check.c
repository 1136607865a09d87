// tests/backend/cpu/kernel_check.c: one kernel against the op's float64 reference.
#include "kernel_check.h"
#include "graph/ops.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 1;

static double uniform(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) * 0x1p-52 - 1;
}

enum { GUARD = 256, GUARD_BYTE = 0xa5 };

// Memory with a guard before and after it.
struct guarded {
    char *base, *data;
    size_t bytes;
};

static struct guarded guarded_new(size_t bytes)
{
    struct guarded g = {.bytes = bytes};
    g.base = aligned_alloc(64, (bytes + 2 * GUARD + 63) & ~(size_t)63);
    assert_non_null(g.base);
    memset(g.base, GUARD_BYTE, bytes + 2 * GUARD);
    g.data = g.base + GUARD;
    return g;
}

static void guarded_free(struct guarded *g, const char *what)
{
    for (size_t i = 0; i < GUARD; i++)
        if ((unsigned char)g->base[i] != GUARD_BYTE || (unsigned char)g->data[g->bytes + i] != GUARD_BYTE)
            fail_msg("%s: memory %s a buffer was written", what,
                     (unsigned char)g->base[i] != GUARD_BYTE ? "before" : "after");
    free(g->base);
}

struct array {
    dit_view view;
    struct guarded memory;
    double *dense; // the values, rounded to the dtype, row-major
};

// Lays the axes out, innermost first, in the order that the lie asks for.
static int64_t lay_out(dit_view *v, lie how)
{
    int rank = v->shape.rank, order[DIT_MAX_RANK]; // outermost first
    for (int i = 0; i < rank; i++)
        order[i] = i;
    if (how == TRANSPOSED && rank > 1) {
        order[rank - 1] = rank - 2;
        order[rank - 2] = rank - 1;
    }
    if (how == HEADS_OUT && rank > 2) {
        order[1] = 2;
        order[2] = 1;
    }
    int64_t step = 1;
    for (int i = rank - 1; i >= 0; i--) {
        int axis = order[i];
        v->stride[axis] = how == REPEATED && axis == 0 ? 0 : step;
        step *= how == REPEATED && axis == 0 ? 1 : v->shape.dim[axis] + (how == GAPS ? 3 : 0);
    }
    return step;
}

static struct array array_new(const operand *o, int input, const kernel_case *c)
{
    struct array a = {.view = {.dtype = o->dtype, .shape = o->shape}};
    if (o->lie == ABSENT) {
        a.view = (dit_view){.dtype = DIT_DTYPES};
        return a;
    }
    int64_t stored = lay_out(&a.view, o->lie), count = dit_shape_count(&o->shape);
    a.memory = guarded_new((size_t)stored * dit_dtype_size(o->dtype)); // gaps hold the guard's bytes
    a.view.data = a.memory.data;
    a.dense = malloc((size_t)count * sizeof(double) + 1);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, at = 0;
        for (int axis = o->shape.rank - 1; axis >= 0; axis--) {
            at += rest % o->shape.dim[axis] * a.view.stride[axis];
            rest /= o->shape.dim[axis];
        }
        double value = uniform() * (o->scale != 0 ? o->scale : 1);
        if (o->dtype == DIT_BOOL)
            value = value > -0.2;
        if (c->adjust)
            value = c->adjust(input, i, value);
        if (!(o->lie == REPEATED && i >= count / o->shape.dim[0]))
            dit_element_set(o->dtype, a.memory.data, at, value);
        a.dense[i] = dit_element_get(o->dtype, a.memory.data, at);
    }
    return a;
}

static void array_free(struct array *a, const char *what)
{
    if (a->memory.base)
        guarded_free(&a->memory, what);
    free(a->dense);
}

static void compare(const struct array *y, const double *expected, const kernel_case *c, int output, const char *what)
{
    int64_t count = dit_shape_count(&y->view.shape), worst_at = 0;
    double largest = c->typical, worst = 0;
    for (int64_t i = 0; i < count; i++) {
        double got = (double)((const float *)y->view.data)[i];
        if (isfinite(expected[i]))
            largest = fmax(largest, fabs(expected[i]));
        double difference = got == expected[i] ? 0 : fabs(got - expected[i]);
        if (!(difference <= worst)) { // also NaN
            worst = difference;
            worst_at = i;
            if (isnan(difference))
                break;
        }
    }
    if (!(worst <= c->tolerance * largest))
        fail_msg("%s: output %d differs by %g of %g at %ld: %g, not %g", what, output, worst, largest, (long)worst_at,
                 (double)((const float *)y->view.data)[worst_at], expected[worst_at]);
}

void check_kernel(dit_isa isa, const kernel_case *c, const char *what)
{
    const dit_op *op = dit_op_of(c->op);
    const dit_kernel *kernel = dit_cpu_kernel_of(isa, c->op);
    char name[320];
    snprintf(name, sizeof name, "%s, %s, %s", op->name, dit_isa_name(isa), what);
    assert_non_null(kernel);
    struct array in[MOST_OPERANDS] = {0}, out[DIT_MAX_OUTPUTS] = {0};
    dit_view in_views[MOST_OPERANDS], out_views[DIT_MAX_OUTPUTS] = {0};
    const double *in_dense[MOST_OPERANDS];
    double *expected[DIT_MAX_OUTPUTS] = {0};
    for (int i = 0; i < c->inputs; i++) {
        in[i] = array_new(&c->in[i], i, c);
        in_views[i] = in[i].view;
        in_dense[i] = in[i].dense;
    }
    dit_op_call call = {
        .inputs = c->inputs, .outputs = 1, .in = in_views, .out = out_views, .attributes = c->attributes};
    dit_error error = {0};
    if (op->shape(&call, &error) != DIT_OK)
        fail_msg("%s: %s", name, error.message);
    for (int k = 0; k < call.outputs; k++) {
        size_t count = (size_t)dit_shape_count(&out_views[k].shape);
        assert_int_equal(out_views[k].dtype, DIT_F32);
        dit_view_set_contiguous(&out_views[k]);
        out[k].memory = guarded_new(count * sizeof(float));
        memset(out[k].memory.data, 0xff, count * sizeof(float)); // NaN
        expected[k] = malloc(count * sizeof(double) + 1);
    }
    op->reference(&call, in_dense, expected);
    // Sizes are asked for as a plan does, before there is data.
    for (int i = 0; i < c->inputs; i++)
        in_views[i].data = NULL;
    struct guarded workspace = guarded_new(kernel->workspace ? kernel->workspace(&call) : 0);
    struct guarded prepared = guarded_new(c->prepared ? kernel->prepared_size(&call) : 0);
    memset(workspace.data, 0xff, workspace.bytes);
    for (int i = 0; i < c->inputs; i++)
        in_views[i].data = in[i].view.data;
    for (int k = 0; k < call.outputs; k++)
        out[k].view.data = out_views[k].data =
            c->in_place && k == 0 ? in_views[c->in_place - 1].data : out[k].memory.data;
    call.workspace = workspace.data;
    if (c->prepared) {
        assert_true(prepared.bytes > 0);
        kernel->prepare(&call, prepared.data);
        call.prepared = prepared.data;
        in_views[1].data = NULL; // the original may be gone
    }
    kernel->run(&call);
    for (int k = 0; k < call.outputs; k++) {
        out[k].view.shape = out_views[k].shape;
        compare(&out[k], expected[k], c, k, name);
        array_free(&out[k], name);
        free(expected[k]);
    }
    for (int i = 0; i < c->inputs; i++)
        array_free(&in[i], name);
    guarded_free(&workspace, name);
    guarded_free(&prepared, name);
}

double tolerance_of_sum(int64_t k)
{
    return 3e-7 + 6e-8 * sqrt((double)k);
}

void for_every_isa(void (*check)(dit_isa isa))
{
    for (int isa = 0; isa < DIT_ISAS; isa++)
        if (dit_cpu_has((dit_isa)isa))
            check((dit_isa)isa);
}
