// bench/kernels.c: GFLOP/s of the product kernels on the shapes of diffusion transformers, for each instruction set.
//
//     dit_bench_kernels [--rounds N] [--set portable|avx2|avx512] [--clock wall|cpu] [part of a name]...
//
// Each case runs once to warm up and then N times (default 10); the best and the median round are printed. On a machine
// that others use too, OMP_NUM_THREADS=1 with --clock cpu gives what one core does while it is ours.
#include "backend/cpu/cpu.h"
#include "graph/ops.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench_case {
    const char *name;
    dit_op_id op;
    const void *attributes;
    int inputs;
    struct {
        dit_dtype dtype;
        dit_shape shape;
        bool transposed; // the last two axes are exchanged in memory
    } in[7];
    bool prepared;
} bench_case;

static const struct dit_linear_attributes plain = {DIT_NO_ACTIVATION}, gelu = {DIT_GELU_TANH};
static const struct dit_attention_attributes heads_64 = {.scale = 0.125f}, heads_72 = {.scale = 0.1178511f},
                                             heads_128 = {.scale = 0.0883883f};
static const struct dit_conv_attributes same_3x3 = {
    .window = {.axes = 2, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1}};
static const struct dit_conv_attributes depthwise_3x3 = {
    .window = {.axes = 2, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1152}};

#define F32(...)                                                                                                       \
    {                                                                                                                  \
        .dtype = DIT_F32, .shape = DIT_SHAPE(__VA_ARGS__)                                                              \
    }
#define ACROSS(...)                                                                                                    \
    {                                                                                                                  \
        .dtype = DIT_F32, .shape = DIT_SHAPE(__VA_ARGS__), .transposed = true                                          \
    }
#define NONE                                                                                                           \
    {                                                                                                                  \
        .dtype = DIT_DTYPES                                                                                            \
    }
#define LINEAR(label, m, n, k, format, attribute, ready)                                                               \
    {                                                                                                                  \
        label " " #m " " #n " " #k, DIT_OP_linear, &attribute, 3,                                                      \
            {F32(m, k), {.dtype = format, .shape = DIT_SHAPE(n, k)}, F32(n)}, ready                                    \
    }
#define ATTENTION(b, t, h, d)                                                                                          \
    {                                                                                                                  \
        "attention " #b " " #t " " #h " " #d, DIT_OP_attention, &heads_##d, 4,                                         \
            {F32(b, t, h, d), F32(b, t, h, d), F32(b, t, h, d), NONE}, false                                           \
    }
#define ATTENTION_BACKWARD(b, t, h, d)                                                                                 \
    {                                                                                                                  \
        "attention_backward " #b " " #t " " #h " " #d, DIT_OP_attention_backward, &heads_##d, 7,                       \
            {F32(b, t, h, d), F32(b, t, h, d), F32(b, t, h, d), F32(b, t, h, d), NONE, F32(b, t, h, d), F32(b, h, t)}, \
            false                                                                                                      \
    }
#define CONV(c, h, w)                                                                                                  \
    {                                                                                                                  \
        "conv 3x3 " #c " " #h " " #w, DIT_OP_conv, &same_3x3, 3, {F32(1, c, h, w), F32(c, c, 3, 3), F32(c)}, false     \
    }

static const bench_case cases[] = {
    // DiT-XL/2 at 256x256, batch 2: weights prepared, as in inference.
    LINEAR("linear prepared", 512, 1152, 1152, DIT_F32, plain, true),
    LINEAR("linear prepared", 512, 3456, 1152, DIT_F32, plain, true),
    LINEAR("linear prepared gelu", 512, 4608, 1152, DIT_F32, gelu, true),
    LINEAR("linear prepared", 512, 1152, 4608, DIT_F32, plain, true),
    LINEAR("linear prepared gelu", 2048, 4608, 1152, DIT_F32, gelu, true),
    LINEAR("linear prepared bf16 gelu", 512, 4608, 1152, DIT_BF16, gelu, true),
    LINEAR("linear prepared f16 gelu", 512, 4608, 1152, DIT_F16, gelu, true),
    LINEAR("linear prepared", 256, 1152, 1152, DIT_F32, plain, true),
    LINEAR("linear one row", 1, 6912, 1152, DIT_F32, plain, false),
    LINEAR("linear two rows", 2, 6912, 1152, DIT_F32, plain, false),
    LINEAR("linear two rows bf16", 2, 6912, 1152, DIT_BF16, plain, false),
    // DiT-S/2 at 256x256, batch 8, in training: forward, dx, dweight.
    LINEAR("linear", 2048, 384, 384, DIT_F32, plain, false),
    LINEAR("linear", 2048, 1152, 384, DIT_F32, plain, false),
    LINEAR("linear gelu", 2048, 1536, 384, DIT_F32, gelu, false),
    LINEAR("linear", 2048, 384, 1536, DIT_F32, plain, false),
    {"dx 2048 384 1536", DIT_OP_matmul, NULL, 2, {F32(2048, 1536), F32(1536, 384)}, false},
    {"dx 2048 1536 384", DIT_OP_matmul, NULL, 2, {F32(2048, 384), F32(384, 1536)}, false},
    {"dweight 1536 384 2048", DIT_OP_matmul, NULL, 2, {ACROSS(1536, 2048), F32(2048, 384)}, false},
    {"dweight 384 1536 2048", DIT_OP_matmul, NULL, 2, {ACROSS(384, 2048), F32(2048, 1536)}, false},
    {"dweight 384 384 16384", DIT_OP_matmul, NULL, 2, {ACROSS(384, 16384), F32(16384, 384)}, false},
    {"dweight 1024 1024 4096", DIT_OP_matmul, NULL, 2, {ACROSS(1024, 4096), F32(4096, 1024)}, false},
    {"matmul 96 of 64 64 64", DIT_OP_matmul, NULL, 2, {F32(96, 64, 64), F32(96, 64, 64)}, false},
    ATTENTION(2, 256, 16, 72),
    ATTENTION(1, 1024, 16, 72),
    ATTENTION(1, 4096, 16, 72),
    ATTENTION(8, 256, 6, 64),
    ATTENTION(1, 1024, 24, 64),
    ATTENTION(1, 4096, 24, 64),
    ATTENTION(1, 1024, 24, 128),
    ATTENTION(1, 4096, 24, 128),
    ATTENTION_BACKWARD(8, 256, 6, 64),
    ATTENTION_BACKWARD(1, 1024, 16, 72),
    CONV(128, 512, 512),
    CONV(256, 256, 256),
    CONV(512, 64, 64),
    CONV(512, 128, 128),
    {"conv depthwise 3x3 1152 32 32",
     DIT_OP_conv,
     &depthwise_3x3,
     3,
     {F32(1, 1152, 32, 32), F32(1152, 1, 3, 3), F32(1152)},
     false},
};

static clockid_t used_clock = CLOCK_MONOTONIC;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(used_clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *allocate(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 127) & ~(size_t)63);
    if (!memory) {
        fprintf(stderr, "dit_bench_kernels: out of memory\n");
        exit(1);
    }
    return memory;
}

static dit_view operand(dit_dtype dtype, dit_shape shape, bool transposed)
{
    dit_view v = {.dtype = dtype, .shape = shape};
    if (dtype == DIT_DTYPES)
        return v;
    dit_view_set_contiguous(&v);
    if (transposed) {
        v.stride[shape.rank - 1] = shape.dim[shape.rank - 2];
        v.stride[shape.rank - 2] = 1;
    }
    int64_t count = dit_shape_count(&shape);
    v.data = allocate((size_t)count * dit_dtype_size(dtype));
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        dit_element_set(dtype, v.data, i, (double)(int32_t)state * 0x1p-31);
    }
    return v;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(const bench_case *c, dit_isa isa, int rounds)
{
    const dit_op *op = dit_op_of(c->op);
    const dit_kernel *kernel = dit_cpu_kernel_of(isa, c->op);
    if (!kernel)
        return;
    dit_view in[7], out[DIT_MAX_OUTPUTS] = {0};
    for (int i = 0; i < c->inputs; i++)
        in[i] = operand(c->in[i].dtype, c->in[i].shape, c->in[i].transposed);
    dit_op_call call = {.inputs = c->inputs, .outputs = 1, .in = in, .out = out, .attributes = c->attributes};
    dit_error error = {0};
    if (op->shape(&call, &error)) {
        fprintf(stderr, "dit_bench_kernels: %s: %s\n", c->name, error.message);
        exit(1);
    }
    for (int k = 0; k < call.outputs; k++)
        out[k] = operand(DIT_F32, out[k].shape, false);
    void *prepared = NULL;
    if (c->prepared) {
        prepared = allocate(kernel->prepared_size(&call));
        kernel->prepare(&call, prepared);
        call.prepared = prepared;
    }
    call.workspace = allocate(kernel->workspace ? kernel->workspace(&call) : 0);
    double *time = allocate((size_t)rounds * sizeof *time);
    for (int r = -1; r < rounds; r++) {
        double start = seconds();
        kernel->run(&call);
        if (r >= 0)
            time[r] = seconds() - start;
    }
    qsort(time, (size_t)rounds, sizeof *time, by_value);
    double gflop = op->flops(&call) * 1e-9;
    printf("%-40s %-8s %8.1f %8.1f %10.3f\n", c->name, dit_isa_name(isa), gflop / time[0], gflop / time[rounds / 2],
           time[0] * 1e3);
    fflush(stdout);
    for (int i = 0; i < c->inputs; i++)
        free(in[i].data);
    for (int k = 0; k < call.outputs; k++)
        free(out[k].data);
    free(prepared);
    free(call.workspace);
    free(time);
}

int main(int argc, char **argv)
{
    int rounds = 10, first = 1, only = -1;
    for (; first + 1 < argc && argv[first][0] == '-'; first += 2) {
        if (!strcmp(argv[first], "--rounds"))
            rounds = atoi(argv[first + 1]);
        if (!strcmp(argv[first], "--clock") && !strcmp(argv[first + 1], "cpu"))
            used_clock = CLOCK_PROCESS_CPUTIME_ID;
        for (int isa = 0; isa < DIT_ISAS; isa++)
            if (!strcmp(argv[first], "--set") && !strcmp(argv[first + 1], dit_isa_name((dit_isa)isa)))
                only = isa;
    }
    printf("%d threads; GFLOP/s of the best and the median of %d rounds, milliseconds of the best\n",
           omp_get_max_threads(), rounds);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int isa = 0; isa < DIT_ISAS; isa++) {
            bool wanted = (only < 0 || only == isa) && dit_cpu_has((dit_isa)isa), named = first == argc;
            for (int p = first; p < argc; p++)
                named |= strstr(cases[i].name, argv[p]) != NULL;
            if (wanted && named)
                measure(&cases[i], (dit_isa)isa, rounds > 0 ? rounds : 1);
        }
    return 0;
}
