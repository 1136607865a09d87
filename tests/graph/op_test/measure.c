// tests/graph/op_test/measure.c: the speed of kernels on large cases, by hand: results mean something on a quiet
// machine.
#include "graph/op_test/harness.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// With one thread its own time on the processor, which other programs do not lengthen.
static double now(void)
{
    struct timespec t;
    clock_gettime(omp_get_max_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double bytes_of(const dit_view *v)
{
    dit_array array = {v->dtype, v->shape, NULL};
    return dit_is_absent(v) ? 0 : (double)dit_array_bytes(&array);
}

// In one step of the case's sweep. Long runs are repeated less.
static void measure(const op_case *c, op_sweep sweep, dit_isa isa)
{
    enum { ROUNDS = 25, FEWEST = 2 };
    const double patience = 2; // seconds
    const dit_kernel *kernel = dit_cpu_kernel_of(isa, c->op);
    op_run run;
    if (!kernel || !op_run_make(&run, c, kernel, sweep, OP_DENSE, false))
        return;
    size_t room = kernel->workspace ? kernel->workspace(&run.call) : 0;
    size_t prepared = kernel->prepared_size ? kernel->prepared_size(&run.call) : 0;
    void *workspace = aligned_alloc(64, (room + 127) / 64 * 64),
         *arranged = aligned_alloc(64, (prepared + 127) / 64 * 64);
    if (!workspace || !arranged)
        abort();
    run.call.workspace = workspace;
    if (prepared) {
        kernel->prepare(&run.call, arranged);
        run.call.prepared = arranged;
    }
    double seconds[ROUNDS], bytes = 0, flops = run.op->flops ? run.op->flops(&run.declared) : 0;
    double begin = now();
    int rounds = 0;
    for (int i = -1; i < ROUNDS && (i < FEWEST || now() - begin < patience); i++) {
        double start = now();
        kernel->run(&run.call);
        if (i >= 0)
            seconds[rounds++] = now() - start;
    }
    qsort(seconds, (size_t)rounds, sizeof *seconds, by_size);
    for (int i = 0; i < run.call.inputs; i++)
        bytes += bytes_of(i == 0 && c->sparse ? &run.call.out[0] : &run.call.in[i]);
    for (int k = 0; k < run.call.outputs; k++)
        bytes += bytes_of(&run.call.out[k]);
    double median = seconds[rounds / 2];
    char text[600];
    printf("%-8s median %8.1f us, best %8.1f us, %6.2f GB/s", dit_isa_name(isa), 1e6 * median, 1e6 * seconds[0],
           1e-9 * bytes / seconds[0]);
    if (flops > 0)
        printf(", %6.1f GFLOP/s", 1e-9 * flops / seconds[0]);
    printf("  %s\n", op_run_text(&run, text));
    fflush(stdout);
    free(workspace);
    free(arranged);
    op_run_free(&run);
}

// Activations are f32, or with a weight what the kernel reads as it is; a weight is measured in every dtype that it may
// be stored in.
void op_measure(const op_case *c, dit_isa isa)
{
    const dit_kernel *kernel = dit_cpu_kernel_of(isa, c->op);
    bool weighs = false;
    for (int k = 0; k < OP_MAX_INPUTS; k++)
        weighs |= c->in[k].values == OP_WEIGHT;
    op_sweep sweep;
    for (int i = 0; op_sweep_step(c, i, &sweep); i++) {
        bool as_it_is = kernel && kernel->native_floats >> sweep.floats & 1 && weighs;
        if (sweep.any == DIT_F32 ? sweep.floats == DIT_F32 || as_it_is : as_it_is)
            measure(c, sweep, isa);
    }
}
