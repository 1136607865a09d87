// tests/graph/op_test/forward.c: kernels against the float64 reference.
#include "graph/op_test/harness.h"
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRINTED = 4 }; // failures of one case are spelled out
static int printed;

// Compares all outputs. `how` says what was special about the run.
static int check(const op_run *run, const char *how, dit_isa isa, op_layout layout, bool quiet, double *worst)
{
    int failures = 0;
    for (int k = 0; k < run->call.outputs; k++) {
        int64_t at;
        double error = op_run_worst(run, k, &at);
        char text[600];
        *worst = error > *worst ? error : *worst;
        if (error <= 1)
            continue;
        failures++;
        if (quiet || printed++ >= PRINTED)
            continue;
        printf("FAILED %s: %s, %s%s, output %d", op_run_text(run, text), dit_isa_name(isa), op_layout_names[layout],
               how, k);
        if (at < 0)
            printf(": written outside its memory\n");
        else
            printf("[%lld] is %.9g, must be %.9g: %.3g times what is allowed\n", (long long)at,
                   dit_element_get(run->call.out[k].dtype, run->call.out[k].data, at), run->exact_out[k][at], error);
    }
    return failures;
}

// What the kernel asks for as a plan asks it: before any data is anywhere.
static size_t workspace_of(const op_run *run)
{
    dit_op_call call = run->call;
    dit_view in[OP_MAX_INPUTS], out[DIT_MAX_OUTPUTS];
    for (int i = 0; i < call.inputs; i++) {
        in[i] = call.in[i];
        in[i].data = NULL;
    }
    for (int k = 0; k < call.outputs; k++) {
        out[k] = call.out[k];
        out[k].data = NULL;
    }
    call.in = in;
    call.out = out;
    call.prepared = NULL;
    return run->kernel->workspace ? run->kernel->workspace(&call) : 0;
}

// Runs the kernel with exactly the scratch memory it asked for.
static int run_kernel(op_run *run)
{
    enum { GUARD = 64 };
    size_t bytes = workspace_of(run);
    unsigned char *room = aligned_alloc(64, (bytes + 63) / 64 * 64 + GUARD);
    int failures = 0;
    if (!room)
        abort();
    memset(room, 0xff, bytes);
    memset(room + bytes, 0xa5, GUARD);
    run->call.workspace = bytes ? room : NULL;
    run->kernel->run(&run->call);
    for (int i = 0; i < GUARD; i++)
        failures += room[bytes + (size_t)i] != 0xa5;
    if (failures)
        printf("FAILED %s: wrote after its workspace of %zu bytes\n", run->op->name, bytes);
    free(room);
    if (op_injected)
        op_run_inject(run);
    return failures > 0;
}

// A view op has no kernel: its strides are followed instead.
static int run_view(op_run *run, op_layout layout)
{
    dit_view y = run->call.out[0];
    const dit_view *x = &run->call.in[0];
    int64_t offset = 0, count = dit_shape_count(&y.shape);
    size_t size = dit_dtype_size(y.dtype);
    if (!run->op->view(&run->call, y.stride, &offset)) {
        if (layout == OP_DENSE)
            printf("FAILED %s: no view of a dense tensor\n", run->op->name);
        return layout == OP_DENSE ? 1 : -1; // a copy is asked for
    }
    for (int64_t n = 0; n < count; n++) {
        int64_t at = offset, rest = n;
        for (int i = y.shape.rank - 1; i >= 0; i--) {
            at += rest % y.shape.dim[i] * y.stride[i];
            rest /= y.shape.dim[i];
        }
        memcpy((char *)y.data + (size_t)n * size, (const char *)x->data + at * (int64_t)size, size);
    }
    if (op_injected)
        op_run_inject(run);
    return 0;
}

// The kernel's own arrangement of input 1.
static int check_prepared(op_run *run, dit_isa isa, op_layout layout, bool quiet, double *worst)
{
    size_t bytes = run->kernel->prepared_size ? run->kernel->prepared_size(&run->call) : 0;
    if (!bytes)
        return 0;
    void *prepared = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!prepared)
        abort();
    run->kernel->prepare(&run->call, prepared);
    run->call.prepared = prepared;
    op_run_clear_outputs(run);
    int failures = run_kernel(run) + check(run, ", prepared", isa, layout, quiet, worst);
    run->call.prepared = NULL;
    free(prepared);
    return failures;
}

// Output 0 in the memory of input i.
static int check_in_place(op_run *run, int i, dit_isa isa, bool quiet, double *worst)
{
    dit_view *x = &run->call.in[i], *y = &run->call.out[0];
    if (!(run->kernel->in_place >> i & 1) || dit_is_absent(x) || x->dtype != y->dtype ||
        !dit_shape_equal(&x->shape, &y->shape))
        return 0;
    size_t bytes = (size_t)dit_shape_count(&x->shape) * dit_dtype_size(x->dtype);
    void *own = x->data;
    op_run_clear_outputs(run);
    memcpy(y->data, own, bytes);
    x->data = y->data;
    int failures = run_kernel(run) + check(run, ", in place", isa, OP_DENSE, quiet, worst);
    x->data = own;
    return failures;
}

static int check_same_bits(op_run *run, dit_isa isa, op_layout layout)
{
    size_t bytes = (size_t)dit_shape_count(&run->call.out[0].shape) * dit_dtype_size(run->call.out[0].dtype);
    void *first = malloc(bytes + 1);
    int failures = 0;
    char text[600];
    if (!first)
        abort();
    memcpy(first, run->call.out[0].data, bytes);
    omp_set_num_threads(1);
    op_run_clear_outputs(run);
    failures += run_kernel(run);
    if (memcmp(first, run->call.out[0].data, bytes)) {
        printf("FAILED %s: %s, %s: one thread gives other bits than three\n", op_run_text(run, text), dit_isa_name(isa),
               op_layout_names[layout]);
        failures++;
    }
    free(first);
    return failures;
}

static int check_layout(const op_case *c, const dit_kernel *kernel, op_sweep sweep, op_layout layout, dit_isa isa,
                        bool quiet, double *worst)
{
    op_run run;
    if (!op_run_make(&run, c, kernel, sweep, layout, true))
        return 1;
    int failures = 0;
    if (!kernel) {
        int copied = run_view(&run, layout);
        failures += copied > 0 ? 1 : copied < 0 ? 0 : check(&run, "", isa, layout, quiet, worst);
    } else {
        int threads = omp_get_max_threads();
        omp_set_num_threads(3);
        failures += run_kernel(&run) + check(&run, "", isa, layout, quiet, worst);
        if (c->same_bits && !op_injected)
            failures += check_same_bits(&run, isa, layout);
        omp_set_num_threads(1);
        op_run_clear_outputs(&run);
        failures += run_kernel(&run) + check(&run, ", one thread", isa, layout, quiet, worst);
        omp_set_num_threads(threads);
        failures += check_prepared(&run, isa, layout, quiet, worst);
        for (int i = 0; i < run.call.inputs && layout == OP_DENSE; i++)
            failures += check_in_place(&run, i, isa, quiet, worst);
    }
    op_run_free(&run);
    return failures;
}

int op_test_forward(const op_case *c, dit_isa isa, bool quiet, double *worst)
{
    const dit_op *op = dit_op_of(c->op);
    const dit_kernel *kernel = op->view ? NULL : dit_cpu_kernel_of(isa, c->op);
    op_sweep sweep;
    int failures = 0;
    printed = 0;
    if (!op->view && !kernel) {
        printf("FAILED %s: no kernel for %s\n", op->name, dit_isa_name(isa));
        return 1;
    }
    dit_layout accepts = kernel ? kernel->layout : DIT_ANY_STRIDES;
    int layouts = accepts == DIT_DENSE ? 1 : accepts == DIT_ROWS ? OP_REPEATED + 1 : OP_LAYOUTS;
    for (int i = 0; op_sweep_step(c, i, &sweep); i++)
        for (int layout = 0; layout < layouts; layout++)
            failures += check_layout(c, kernel, sweep, (op_layout)layout, isa, quiet, worst);
    return failures;
}

int op_test_refusal(const op_case *c)
{
    const dit_op *op = dit_op_of(c->op);
    dit_view in[OP_MAX_INPUTS], out[DIT_MAX_OUTPUTS] = {{0}};
    dit_op_call call = {.outputs = 1, .in = in, .out = out, .attributes = c->attributes};
    dit_error error = {0};
    op_sweep f32 = {DIT_F32, DIT_F32, DIT_F32};
    for (; call.inputs < OP_MAX_INPUTS && c->in[call.inputs].values != OP_NOT_GIVEN; call.inputs++) {
        const op_input *given = &c->in[call.inputs];
        in[call.inputs] = (dit_view){.dtype = op_input_dtype(given, f32), .shape = given->shape};
        dit_view_set_contiguous(&in[call.inputs]);
    }
    // What a graph does: the rule, and then a look at the size of what it gave.
    dit_status status = op->shape(&call, &error);
    for (int k = 0; k < call.outputs && !status; k++)
        if (dit_shape_check(&out[k].shape, out[k].dtype, NULL))
            return 0;
    if (status && status == error.status && strstr(error.message, op->name))
        return 0;
    printf("FAILED %s: accepts a call that it must refuse, or does not name itself: \"%s\"\n", op->name, error.message);
    return 1;
}
