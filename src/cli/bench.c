// cli/bench.c: `dit bench`: how long one network takes, and how much memory.
#include "base/memory.h"
#include "base/progress.h"
#include "cli/probe_options.h"
#include "train/optimizer.h"
#include <stdlib.h>
#include <time.h>

enum { INPUTS, GRAD, OPTIMIZER, ROUNDS, METHOD, DTYPE, MEMORY, OPS, JSON };
static const struct option options[] = {
    [INPUTS] = PROBE_INPUTS,
    [GRAD] = {"grad", OPTION_FLAG, .help = "forward and backward, as `dit grad`"},
    [OPTIMIZER] = {"optimizer", OPTION_TEXT, .value = "NAME", .choices = "adamw",
                   .help = "with --grad: also a step of the optimizer, in memory"},
    [ROUNDS] = {"rounds", OPTION_INT, .value = "N", .min = 1, .max = 100000, .preset = "5",
                .help = "timed runs, after one warm-up"},
    [METHOD] = PROBE_METHOD,
    [DTYPE] = PROBE_DTYPE,
    [MEMORY] = PROBE_MEMORY,
    [OPS] = {"ops", OPTION_FLAG, .help = "print the seconds of each op on stderr"},
    [JSON] = {"json", OPTION_FLAG, .help = "print one JSON object"},
    {0},
};

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_ops(const dit_plan *plan, int rounds)
{
    for (int op = 0; op < DIT_OPS; op++) {
        double seconds = dit_plan_seconds(plan, (dit_op_id)op) / rounds;
        if (seconds > 0)
            fprintf(stderr, "%-24s %9.3f ms\n", dit_op_of((dit_op_id)op)->name, seconds * 1e3);
    }
}

// The network, and the optimizer that changes its weights after each run (no items: none does).
struct subject {
    dit_probe probe;
    dit_optimizer optimizer;
};

static dit_status open_subject(const struct call *call, struct subject *s, dit_error *error)
{
    const struct option_value *o = call->option;
    const dit_probe_options options_of = {.method = probe_method(&o[METHOD]),
                                          .dtype = probe_dtype(&o[DTYPE]),
                                          .gradient = o[GRAD].given,
                                          .memory = (size_t)o[MEMORY].natural,
                                          .own_weights = o[OPTIMIZER].given};
    const dit_optimizer_options adamw = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01};
    if (o[OPTIMIZER].given && !o[GRAD].given)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--optimizer: a step needs gradients; give --grad too");
    if (dit_probe_open(&s->probe, call->operand[0], o[INPUTS].text, &options_of, error) || !o[OPTIMIZER].given)
        return error->status;
    dit_status status = dit_optimizer_open(&s->optimizer, s->probe.component.weights, &adamw, error);
    for (int i = 0; i < s->optimizer.count && !status; i++) {
        dit_optimized *item = &s->optimizer.items[i];
        if (!(item->gradient = dit_plan_output(s->probe.plan, item->name).data))
            status = dit_fail(error, DIT_UNSUPPORTED, "--optimizer: %s has no gradient", item->name);
    }
    return status;
}

static dit_status run_once(const struct call *call, struct subject *s, dit_error *error)
{
    dit_status status = dit_probe_run(&s->probe, dit_watch_stops, (void *)call->watch, error);
    if (!status && s->optimizer.count)
        dit_optimizer_step(&s->optimizer, 1e-4, 1, 0);
    return status;
}

// `processor`: of all threads, for each run.
static dit_status time_runs(const struct call *call, struct subject *s, double *seconds, int rounds, double *processor,
                            dit_error *error)
{
    dit_status status = run_once(call, s, error); // warm-up
    if (call->option[OPS].given)
        dit_plan_time(s->probe.plan, true);
    double begin = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < rounds && !status; i++) {
        double start = seconds_of(CLOCK_MONOTONIC);
        status = run_once(call, s, error);
        seconds[i] = seconds_of(CLOCK_MONOTONIC) - start;
    }
    *processor = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begin) / rounds;
    return status;
}

static void report(const struct call *call, const dit_probe *probe, double *seconds, int rounds, double processor)
{
    qsort(seconds, (size_t)rounds, sizeof *seconds, by_value);
    double median = (seconds[rounds / 2] + seconds[(rounds - 1) / 2]) / 2;
    const dit_plan_figures figures = dit_plan_figures_of(probe->plan);
    double gflop = figures.flops * 1e-9, rss = (double)dit_memory_peak() / 0x1p20;
    if (call->option[OPS].given)
        print_ops(probe->plan, rounds);
    if (call->option[JSON].given)
        printf("{\"median_s\": %.6f, \"min_s\": %.6f, \"processor_s\": %.6f, \"gflop\": %.3f, \"peak_rss_mb\": %.1f, "
               "\"weights_mb\": %.1f, "
               "\"streamed_mb\": %.1f, \"values_mb\": %.1f}\n",
               median, seconds[0], processor, gflop, rss, (double)figures.weight_bytes / 0x1p20,
               (double)figures.streamed_bytes / 0x1p20, (double)figures.arena_bytes / 0x1p20);
    else
        printf("median %.4f s  min %.4f s  %.1f GFLOP (%.0f GFLOP/s)  peak memory %.0f MiB\n"
               "weights %.0f MiB, of which %.0f MiB are read in every run; values %.0f MiB\n",
               median, seconds[0], gflop, gflop / median, rss, (double)figures.weight_bytes / 0x1p20,
               (double)figures.streamed_bytes / 0x1p20, (double)figures.arena_bytes / 0x1p20);
}

static dit_status run(const struct call *call, dit_error *error)
{
    int rounds = (int)call->option[ROUNDS].integer;
    struct subject subject = {0};
    double *seconds = calloc((size_t)rounds, sizeof *seconds), processor = 0;
    if (!seconds)
        dit_fail(error, DIT_NO_MEMORY, "--rounds: no memory for %d times", rounds);
    else if (!open_subject(call, &subject, error) && !time_runs(call, &subject, seconds, rounds, &processor, error))
        report(call, &subject.probe, seconds, rounds, processor);
    dit_optimizer_close(&subject.optimizer);
    dit_probe_close(&subject.probe);
    free(seconds);
    return error->status;
}

const struct command command_bench = {
    .name = "bench",
    .summary = "time one network: forward, gradients, or training steps",
    .operands = "DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "DIR and the inputs are those of `dit forward`, and of `dit grad` with --grad. gflop counts products and\n"
        "convolutions. bench/ compares with other programs.\n",
    .examples = (const char *const[]){"dit bench transformer --inputs in.safetensors --rounds 10 --json",
                                      "median and shortest time, GFLOP, peak memory",
                                      "dit bench transformer --inputs in.safetensors --grad --optimizer adamw",
                                      "a whole training step", NULL},
    .run = run,
};
