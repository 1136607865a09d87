// tests/graph/op_test/harness.c: inputs, layouts, references, and what a result may differ by.
#include "graph/op_test/harness.h"
#include "base/cast.h"
#include "base/random.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64 }; // bytes before and after an output

const char *const op_layout_names[OP_LAYOUTS] = {"dense", "rows", "repeated", "permuted", "negative", "spread"};
op_fault op_injected = OP_NO_FAULT;

bool op_sweep_step(const op_case *c, int i, op_sweep *sweep)
{
    static const op_sweep floats[] = {{DIT_F32, DIT_F32, DIT_F32},
                                      {DIT_F16, DIT_F16, DIT_F16},
                                      {DIT_BF16, DIT_BF16, DIT_BF16},
                                      {DIT_F32, DIT_BF16, DIT_F32},
                                      {DIT_F32, DIT_F16, DIT_F32}};
    static const dit_dtype any[] = {DIT_F32, DIT_F16, DIT_BF16, DIT_I32, DIT_I64, DIT_U8, DIT_BOOL};
    bool has[OP_BOOL + 1] = {false};
    for (int k = 0; k < OP_MAX_INPUTS; k++)
        has[c->in[k].values] = true;
    if (has[OP_QUANTIZED]) {
        const int formats = DIT_DTYPES - DIT_F8_E4M3;
        *sweep = (op_sweep){i < formats ? DIT_F32 : DIT_BF16, (dit_dtype)(DIT_F8_E4M3 + i % formats), DIT_F32};
        return i < (c->op == DIT_OP_linear || c->op == DIT_OP_grouped_linear ? 2 : 1) * formats;
    }
    int steps = has[OP_ANY] ? 7 : has[OP_WEIGHT] ? 5 : has[OP_FLOATS] || has[OP_APART] || has[OP_GRID] ? 3 : 1;
    if (i >= steps)
        return false;
    *sweep = floats[i < 5 ? i : 0];
    if (has[OP_ANY])
        *sweep = (op_sweep){DIT_F32, DIT_F32, any[i]};
    return true;
}

dit_dtype op_input_dtype(const op_input *in, op_sweep sweep)
{
    switch (in->values) {
    case OP_FLOATS:
    case OP_APART:
    case OP_GRID:
        return sweep.floats;
    case OP_WEIGHT:
    case OP_QUANTIZED:
        return sweep.weight;
    case OP_ANY:
        return sweep.any;
    case OP_I32:
        return DIT_I32;
    case OP_I64:
    case OP_ASCENDING:
        return DIT_I64;
    case OP_BOOL:
        return DIT_BOOL;
    case OP_FIXED:
        return DIT_F32;
    default:
        return DIT_DTYPES;
    }
}

// Fills x with the values that a case asks for.
static void generate(const op_input *in, dit_dtype dtype, uint64_t stream, double *x, int64_t count)
{
    const uint64_t seed = 20240229;
    for (int64_t i = 0; i < count; i++) {
        double u = (double)dit_counter_uniform(seed, stream, (uint64_t)i);
        double low = (double)in->low, high = (double)in->high;
        switch (in->values) {
        case OP_APART:
            x[i] = ((double)dit_counter_permutation(seed, stream, (uint64_t)count, (uint64_t)i) - (double)(count / 2)) /
                       4 +
                   0.125;
            break;
        case OP_GRID:
            x[i] = floor(u * 17) / 4 - 2;
            break;
        case OP_I32:
        case OP_I64:
            x[i] = floor(low + u * (high - low + 1));
            break;
        case OP_ASCENDING:
            x[i] = floor(low + ((double)i + u) / (double)count * (high - low + 1));
            break;
        case OP_BOOL:
            x[i] = u < high;
            break;
        default:
            x[i] = low + u * (high - low);
            if (dtype == DIT_BOOL)
                x[i] = x[i] > 0;
            else if (!dit_dtype_is_float(dtype))
                x[i] = dtype == DIT_U8 ? floor(fabs(x[i])) : floor(x[i]);
        }
    }
}

// The axis that a layout gives stride 0; -1: none.
static int repeated_axis(const dit_shape *s, op_layout layout)
{
    if (layout == OP_SPREAD)
        return s->rank - 1;
    for (int i = 0; i + 1 < s->rank && layout == OP_REPEATED; i++)
        if (s->dim[i] > 1)
            return i;
    return -1;
}

// Copies index 0 of an axis to all of it.
static void repeat_along(double *x, const dit_shape *s, int axis)
{
    int64_t inner = 1, extent = s->dim[axis], count = dit_shape_count(s);
    for (int i = axis + 1; i < s->rank; i++)
        inner *= s->dim[i];
    for (int64_t i = 0; i < count; i++)
        x[i] = x[i / (inner * extent) * (inner * extent) + i % inner];
}

static void set_strides(dit_view *v, op_layout layout)
{
    const dit_shape *s = &v->shape;
    int64_t step = 1;
    dit_view_set_contiguous(v);
    switch (layout) {
    case OP_ROWS:
        for (int i = s->rank - 1; i >= 0; i--) {
            v->stride[i] = step;
            step = step * s->dim[i] + 5;
        }
        break;
    case OP_REPEATED:
    case OP_SPREAD:
        if (repeated_axis(s, layout) >= 0)
            v->stride[repeated_axis(s, layout)] = 0;
        break;
    case OP_PERMUTED:
        for (int i = 0; i < s->rank; i++) {
            v->stride[i] = step;
            step = step * s->dim[i] + (i ? 3 : 0);
        }
        break;
    case OP_NEGATIVE:
        for (int i = 0; i < s->rank; i++)
            v->stride[i] = -v->stride[i];
        break;
    default:
        break;
    }
}

static int64_t place(const dit_view *v, int64_t n)
{
    int64_t at = 0;
    for (int i = v->shape.rank - 1; i >= 0; i--) {
        at += n % v->shape.dim[i] * v->stride[i];
        n /= v->shape.dim[i];
    }
    return at;
}

// Gives a view memory of its own, exactly as much as it reaches, and writes x into it.
static void *lay_out(dit_view *v, op_layout layout, const double *x)
{
    int64_t lowest = 0, highest = 0, size = (int64_t)dit_dtype_size(v->dtype), count = dit_shape_count(&v->shape);
    set_strides(v, layout);
    for (int i = 0; i < v->shape.rank && count; i++)
        *(v->stride[i] < 0 ? &lowest : &highest) += (v->shape.dim[i] - 1) * v->stride[i];
    size_t bytes = (size_t)((highest - lowest + 1) * size);
    char *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!memory)
        abort();
    memset(memory, 0xff, bytes);
    v->data = memory - lowest * size;
    for (int64_t n = 0; n < count; n++)
        dit_element_set(v->dtype, v->data, place(v, n), x[n]);
    return memory;
}

static bool is_foreign(const dit_kernel *kernel, dit_dtype dtype, int input)
{
    if (kernel && dit_dtype_is_quantized(dtype))
        return !((kernel->native_floats | (input == 1 ? kernel->native_weight : 0)) >> dtype & 1);
    if (!kernel || kernel->any_dtype || !dit_dtype_is_float(dtype))
        return false;
    unsigned native = kernel->native_floats | 1u << DIT_F32 | (input == 1 ? kernel->native_weight : 0);
    return !(native >> dtype & 1);
}

// Any bytes are blocks; those of a scale in f16, or of a number in f8, are given a tame exponent. Where scales lie:
// base/block_format.h.
static void fill_blocks(dit_dtype format, unsigned char *bytes, size_t count, uint64_t stream)
{
    static const int scales[DIT_DTYPES][2] = {
        [DIT_Q8_0] = {1, 0},   [DIT_Q4_0] = {1, 0},   [DIT_Q4_1] = {1, 3}, [DIT_Q5_0] = {1, 0}, [DIT_Q5_1] = {1, 3},
        [DIT_Q2_K] = {81, 83}, [DIT_Q3_K] = {109, 0}, [DIT_Q4_K] = {1, 3}, [DIT_Q5_K] = {1, 3}, [DIT_Q6_K] = {209, 0},
    };
    size_t size = dit_dtype_size(format);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (unsigned char)(dit_counter_uniform(3, stream, i) * 256);
        for (int k = 0; k < 2; k++)
            if (scales[format][k] && i % size == (size_t)scales[format][k])
                bytes[i] = (unsigned char)((bytes[i] & 0x83) | 0x28);
        if (!dit_dtype_is_block(format))
            bytes[i] &= 0xbf;
    }
}

// A stored weight: the rule sees what it decodes to, a kernel that decodes sees the blocks. Beside `floats` in bf16 its
// elements count as rounded to that.
static void make_quantized(op_run *run, int i, dit_dtype format, dit_dtype floats)
{
    dit_view *declared = &run->in[0][i], *given = &run->in[1][i];
    dit_array blocks = {format, run->c->in[i].shape, NULL};
    int64_t count = dit_shape_count(&blocks.shape);
    size_t bytes = dit_array_bytes(&blocks);
    float *decoded = malloc((size_t)(count + 1) * sizeof *decoded);
    run->exact_in[i] = malloc((size_t)(count + 1) * sizeof(double));
    run->memory[i] = malloc(bytes + 1);
    if (!decoded || !run->exact_in[i] || !run->memory[i])
        abort();
    fill_blocks(format, run->memory[i], bytes, (uint64_t)i + 1);
    dit_cast_floats(DIT_F32, decoded, format, run->memory[i], count);
    for (int64_t n = 0; n < count; n++)
        run->exact_in[i][n] = (double)(floats == DIT_BF16 ? dit_bf16_to_f32(dit_f32_to_bf16(decoded[n])) : decoded[n]);
    *declared = (dit_view){.dtype = DIT_F32, .shape = blocks.shape};
    dit_view_set_contiguous(declared);
    *given = *declared;
    if (is_foreign(run->kernel, format, i)) {
        free(run->memory[i]);
        run->memory[i] = decoded;
    } else {
        given->dtype = format;
        free(decoded);
    }
    given->data = run->memory[i];
}

static void make_input(op_run *run, int i, op_sweep sweep, op_layout layout)
{
    const op_input *in = &run->c->in[i];
    dit_view *declared = &run->in[0][i], *given = &run->in[1][i];
    *declared = (dit_view){.dtype = op_input_dtype(in, sweep), .shape = in->shape};
    dit_view_set_contiguous(declared);
    *given = *declared;
    if (dit_is_absent(declared))
        return;
    if (dit_dtype_is_quantized(declared->dtype)) {
        make_quantized(run, i, declared->dtype, sweep.floats);
        return;
    }
    int64_t count = dit_shape_count(&in->shape);
    double *x = run->exact_in[i] = malloc((size_t)(count + 1) * sizeof *x);
    if (!x)
        abort();
    generate(in, declared->dtype, (uint64_t)i + 1, x, count);
    if (repeated_axis(&in->shape, layout) >= 0)
        repeat_along(x, &in->shape, repeated_axis(&in->shape, layout));
    for (int64_t n = 0; n < count; n++) { // what the dtype makes of the value
        uint64_t element = 0;
        dit_element_set(declared->dtype, &element, 0, x[n]);
        x[n] = dit_element_get(declared->dtype, &element, 0);
    }
    if (is_foreign(run->kernel, declared->dtype, i))
        given->dtype = DIT_F32;
    run->memory[i] = lay_out(given, layout, x);
}

static size_t output_bytes(const dit_view *v)
{
    return (size_t)dit_shape_count(&v->shape) * dit_dtype_size(v->dtype);
}

static void make_output(op_run *run, int k)
{
    dit_view *declared = &run->out[0][k], *given = &run->out[1][k];
    dit_view_set_contiguous(declared);
    *given = *declared;
    if (is_foreign(run->kernel, declared->dtype, -1))
        given->dtype = DIT_F32;
    run->result[k] = aligned_alloc(64, (output_bytes(given) + 63) / 64 * 64 + 2 * GUARD);
    run->exact_out[k] = malloc((size_t)(dit_shape_count(&declared->shape) + 1) * sizeof(double));
    if (!run->result[k] || !run->exact_out[k])
        abort();
    given->data = run->result[k] + GUARD;
}

bool op_run_make(op_run *run, const op_case *c, const dit_kernel *kernel, op_sweep sweep, op_layout layout,
                 bool reference)
{
    *run = (op_run){.c = c, .op = dit_op_of(c->op), .kernel = kernel};
    int inputs = 0;
    while (inputs < OP_MAX_INPUTS && c->in[inputs].values != OP_NOT_GIVEN)
        make_input(run, inputs++, sweep, layout);
    run->declared = (dit_op_call){.inputs = inputs, .outputs = 1, .in = run->in[0], .out = run->out[0]};
    run->declared.attributes = c->attributes;
    dit_error error = {0};
    if (run->op->shape(&run->declared, &error)) {
        char text[600];
        printf("%s: refused: %s\n", op_run_text(run, text), error.message);
        op_run_free(run);
        return false;
    }
    run->call = run->declared;
    run->call.in = run->in[1];
    run->call.out = run->out[1];
    for (int k = 0; k < run->declared.outputs; k++)
        make_output(run, k);
    op_run_clear_outputs(run);
    if (reference)
        run->op->reference(&run->declared, (const double *const *)run->exact_in, run->exact_out);
    return true;
}

void op_run_free(op_run *run)
{
    for (int i = 0; i < OP_MAX_INPUTS; i++) {
        free(run->exact_in[i]);
        free(run->memory[i]);
    }
    for (int k = 0; k < DIT_MAX_OUTPUTS; k++) {
        free(run->exact_out[k]);
        free(run->result[k]);
    }
}

void op_run_clear_outputs(op_run *run)
{
    for (int k = 0; k < run->call.outputs; k++) {
        size_t bytes = output_bytes(&run->call.out[k]);
        memset(run->result[k], 0xa5, bytes + 2 * GUARD);
        memset(run->result[k] + GUARD, 0xff, bytes);
    }
}

char *op_run_text(const op_run *run, char text[600])
{
    int n = snprintf(text, 600, "%s", run->op->name);
    for (int i = 0; i < run->declared.inputs; i++) {
        bool quantized = dit_dtype_is_quantized(run->in[1][i].dtype) && !dit_is_absent(&run->in[1][i]);
        const dit_view *v = &run->in[quantized][i];
        char shape[160];
        n += dit_is_absent(v) ? snprintf(text + n, 600 - (size_t)n, "%s none", i ? "," : "")
                              : snprintf(text + n, 600 - (size_t)n, "%s %s %s", i ? "," : "",
                                         dit_shape_text(&v->shape, shape), dit_dtype_name(v->dtype));
        if (n > 400)
            break;
    }
    return text;
}

// What a result may differ by, where the exact one is `exact` and the largest one of the tensor `scale`: the tolerance,
// and for a half the rounding of the result.
static double allowed(const op_run *run, int k, double exact, double scale)
{
    dit_dtype dtype = run->out[0][k].dtype;
    bool moves = run->kernel && run->kernel->any_dtype;
    for (int i = 0; i < run->call.inputs; i++)
        moves = moves && (dit_is_absent(&run->call.in[i]) || !dit_dtype_is_quantized(run->call.in[i].dtype));
    if (!run->kernel || moves || !dit_dtype_is_float(dtype))
        return 0;
    double a = (double)(run->c->tolerance > 0 ? run->c->tolerance : OP_TOLERANCE) * scale;
    if (dtype == DIT_F16)
        a += fabs(exact) * 0x1p-11 + 0x1p-25;
    else if (dtype == DIT_BF16)
        a += fabs(exact) * 0x1p-8;
    return a;
}

static double largest(const double *x, int64_t count)
{
    double m = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(x[i]) && fabs(x[i]) > m)
            m = fabs(x[i]);
    return m;
}

// An element of output k, rounded to the dtype that the graph gave it.
static double found_at(const op_run *run, int k, int64_t n)
{
    uint64_t element = 0;
    double x = dit_element_get(run->call.out[k].dtype, run->call.out[k].data, n);
    dit_element_set(run->out[0][k].dtype, &element, 0, x);
    return run->call.out[k].dtype == run->out[0][k].dtype ? x : dit_element_get(run->out[0][k].dtype, &element, 0);
}

static bool guards_hold(const op_run *run, int k)
{
    const unsigned char *before = run->result[k], *after = before + GUARD + output_bytes(&run->out[1][k]);
    for (int i = 0; i < GUARD; i++)
        if (before[i] != 0xa5 || after[i] != 0xa5)
            return false;
    return true;
}

double op_run_worst(const op_run *run, int k, int64_t *at)
{
    int64_t count = dit_shape_count(&run->out[0][k].shape);
    double scale = largest(run->exact_out[k], count), worst = 0;
    *at = -1;
    if (!guards_hold(run, k))
        return INFINITY;
    for (int64_t n = 0; n < count; n++) {
        double exact = run->exact_out[k][n], found = found_at(run, k, n), a = allowed(run, k, exact, scale), error;
        if (exact == found || (isnan(exact) && isnan(found)))
            error = 0;
        else
            error = isfinite(exact) && isfinite(found) && a > 0 ? fabs(found - exact) / a : INFINITY;
        if (error > worst) {
            worst = error;
            *at = n;
        }
    }
    return worst;
}

void op_run_inject(op_run *run)
{
    dit_view *y = &run->call.out[0];
    int64_t count = dit_shape_count(&y->shape), at = count / 2;
    if (op_injected == OP_FAULT_VALUE) {
        double scale = largest(run->exact_out[0], count), off = 3 * allowed(run, 0, run->exact_out[0][at], scale);
        double exact = run->exact_out[0][at], wrong = exact + (off > 0 ? off : 1);
        dit_element_set(y->dtype, y->data, at, y->dtype == DIT_BOOL ? exact == 0 : wrong);
    } else if (op_injected == OP_FAULT_HOLE) {
        size_t size = dit_dtype_size(y->dtype);
        memset((char *)y->data + (size_t)at * size, 0xff, size);
    } else if (op_injected == OP_FAULT_OVERRUN) {
        run->result[0][GUARD + output_bytes(&run->out[1][0])] = 0;
    }
}
