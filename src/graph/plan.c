// graph/plan.c: making a plan from its stages, and running it.
#include "graph/plan.h"
#include "backend/cpu/cpu.h"
#include "base/memory.h"
#include "graph/plan_guard.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

void dit_plan_free(dit_plan *plan)
{
    if (!plan)
        return;
    dit_plan_let_go_of_weights(plan);
    free(plan->values);
    free(plan->steps);
    free(plan->buffers);
    free(plan->memory);
    free(plan->seconds);
    dit_arena_free(plan->arena);
    free(plan);
}

static void *address(const dit_plan *plan, const plan_value *v)
{
    int b = v->buffer;
    while (plan->buffers[b].shares >= 0)
        b = plan->buffers[b].shares;
    const plan_buffer *buffer = &plan->buffers[b];
    char *base = buffer->outside ? buffer->outside : (char *)plan->memory + buffer->offset;
    return base + v->offset * (int64_t)dit_dtype_size(v->dtype);
}

// Sets every pointer of every call: a run only calls kernels.
static void bind(dit_plan *plan)
{
    for (int s = 0; s < plan->step_count; s++) {
        plan_step *step = &plan->steps[s];
        for (int i = 0; i < step->inputs; i++)
            if (step->in[i])
                step->call.in[i].data = address(plan, &plan->values[step->in[i]]);
        for (int k = 0; k < step->outputs; k++)
            step->call.out[k].data = address(plan, &plan->values[step->out + k]);
        if (step->workspace >= 0)
            step->call.workspace = (char *)plan->memory + plan->buffers[step->workspace].offset;
    }
}

static void count_steps(dit_plan *plan)
{
    for (int s = 0; s < plan->step_count; s++) {
        const plan_step *step = &plan->steps[s];
        const dit_op *op = dit_op_of(step->op);
        plan->figures.flops += op->flops ? op->flops(&step->call) : 0;
        plan->figures.fused += step->absorbed;
    }
    plan->figures.steps = plan->step_count;
}

static dit_status allocate(dit_plan *plan, dit_error *error)
{
    size_t bytes = plan->figures.arena_bytes ? plan->figures.arena_bytes : 64;
    if (dit_memory_check((double)bytes, "the network's values", error))
        return error->status;
    plan->memory = aligned_alloc(64, bytes);
    if (!plan->memory)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the model's values (%zu MiB); use a smaller size or batch",
                        bytes >> 20);
    for (int i = 0; i < plan->input_count; i++) {
        const plan_value *v = &plan->values[plan->inputs[i].value];
        if (plan->buffers[v->buffer].first <= plan->buffers[v->buffer].last)
            memset(address(plan, v), 0, plan->buffers[v->buffer].bytes);
    }
    return DIT_OK;
}

dit_status dit_plan_build(const dit_graph *g, dit_weights *weights, const dit_named_value *outputs, int output_count,
                          const plan_folded *folded, const dit_plan_options *options, dit_plan **plan, dit_error *error)
{
    dit_plan *p = calloc(1, sizeof *p);
    dit_status status = DIT_OK;
    if (!p || !(p->arena = dit_arena_new())) {
        status = dit_fail(error, DIT_NO_MEMORY, "no memory to plan the model");
        goto failed;
    }
    p->options = *options;
    p->weights = weights;
    p->figures.folded = folded ? folded->count : 0;
    if ((status = dit_plan_import(p, g, weights, outputs, output_count, folded, error)))
        goto failed;
    dit_plan_count_uses(p);
    if (!options->no_fusion)
        dit_plan_fuse(p);
    if ((status = dit_plan_lay_out(p, error)) || (status = dit_plan_place(p, error)) ||
        (status = dit_plan_choose_weights(p, error)))
        goto failed;
    count_steps(p);
    if (!options->figures_only) {
        if ((status = allocate(p, error)))
            goto failed;
        bind(p);
        if ((status = dit_plan_hold_weights(p, error)))
            goto failed;
    }
    *plan = p;
    return DIT_OK;
failed:
    dit_plan_free(p);
    return status;
}

dit_status dit_plan_new(dit_graph *g, dit_weights *weights, const dit_plan_options *options, dit_plan **plan,
                        dit_error *error)
{
    const dit_plan_options defaults = {0};
    plan_folded folded = {0};
    dit_status status = dit_graph_error(g)->status;
    if (status)
        return dit_fail(error, status, "%s", dit_graph_error(g)->message);
    if (dit_cpu_start(error)) // which kernels run: DIT_CPU, or the machine's best
        return error->status;
    if (!options)
        options = &defaults;
    folded.of = calloc((size_t)g->value_count + 1, sizeof *folded.of);
    folded.arena = dit_arena_new();
    if (!folded.of || !folded.arena)
        status = dit_fail(error, DIT_NO_MEMORY, "no memory to plan the model");
    else if (!(status = dit_plan_fold(g, weights, options, &folded, error)))
        status = dit_plan_build(g, weights, g->outputs, g->output_count, &folded, options, plan, error);
    free(folded.of);
    dit_arena_free(folded.arena);
    return status;
}

static dit_array array_of(const dit_plan *plan, const dit_named_value *list, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        const plan_value *v = &plan->values[list[i].value];
        if (!strcmp(list[i].name, name))
            return (dit_array){v->dtype, v->shape, address(plan, v)};
    }
    return (dit_array){0};
}

dit_array dit_plan_input(const dit_plan *plan, const char *name)
{
    return array_of(plan, plan->inputs, plan->input_count, name);
}

dit_array dit_plan_output(const dit_plan *plan, const char *name)
{
    return array_of(plan, plan->outputs, plan->output_count, name);
}

dit_status dit_plan_check_inputs(const dit_plan *plan, dit_error *error)
{
    for (int i = 0; i < plan->input_count; i++) {
        const plan_value *v = &plan->values[plan->inputs[i].value];
        int64_t n = v->indexes ? dit_shape_count(&v->shape) : 0;
        for (int64_t k = 0; k < n; k++) {
            double index = dit_element_get(v->dtype, address(plan, v), k);
            if (!(index >= 0 && index < (double)v->indexes))
                return dit_fail(error, DIT_BAD_FILE, "%s holds %.0f; it must lie between 0 and %lld", v->name, index,
                                (long long)v->indexes - 1);
        }
    }
    return DIT_OK;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Lets go of the weights that pass by and were used up to step `s`; `used` of them were before.
static int weights_after(dit_plan *plan, int s, int used)
{
    int before = used;
    for (; used < plan->read_count && plan->reads[used].step <= s; used++)
        dit_weights_release(plan->weights, plan->reads[used].weight);
    if (used != before)
        dit_read_ahead_at(plan->ahead, used);
    return used;
}

dit_status dit_plan_run(dit_plan *plan, bool (*cancelled)(void *context), void *context, dit_error *error)
{
    int reads = 0;
    if (plan->ahead)
        dit_read_ahead_at(plan->ahead, 0);
    for (int s = 0; s < plan->step_count; s++) {
        const plan_step *step = &plan->steps[s];
        if (cancelled && cancelled(context))
            return dit_fail(error, DIT_CANCELLED, "stopped");
        double start = plan->timed ? seconds_now() : 0;
        plan_guard(plan, step, true);
        step->kernel->run(&step->call);
        plan_guard(plan, step, false);
        if (plan->timed)
            plan->seconds[step->op] += seconds_now() - start;
        reads = weights_after(plan, s, reads);
    }
    return DIT_OK;
}

dit_plan_figures dit_plan_figures_of(const dit_plan *plan)
{
    return plan->figures;
}

void dit_plan_time(dit_plan *plan, bool on)
{
    free(plan->seconds);
    plan->seconds = on ? calloc(DIT_OPS, sizeof *plan->seconds) : NULL;
    plan->timed = plan->seconds;
}

double dit_plan_seconds(const dit_plan *plan, dit_op_id op)
{
    return plan->timed ? plan->seconds[op] : 0;
}

// Whether a step's weights stay in memory or pass by, in a word.
static const char *weights_text(const dit_plan *plan, int s, int *read)
{
    const plan_step *step = &plan->steps[s];
    if (*read < plan->read_count && plan->reads[*read].step == s) {
        while (*read < plan->read_count && plan->reads[*read].step == s)
            ++*read;
        return "  [streamed]";
    }
    return step->call.prepared ? "  [rearranged]" : "";
}

static void print_step(const dit_plan *plan, int s, const char *weights, FILE *file)
{
    const plan_step *step = &plan->steps[s];
    char text[160];
    fprintf(file, "%5d %-22s", s, dit_op_of(step->op)->name);
    for (int i = 0; i < step->inputs; i++)
        if (step->in[i])
            fprintf(file, " %s", dit_shape_text(&step->call.in[i].shape, text));
    fprintf(file, " -> %s %s", dit_dtype_name(step->call.out[0].dtype), dit_shape_text(&step->call.out[0].shape, text));
    if (step->absorbed)
        fprintf(file, "  [fused %d]", step->absorbed + 1);
    fprintf(file, "%s  @%zu %s\n", weights,
            plan->memory ? (size_t)((char *)step->call.out[0].data - (char *)plan->memory) : 0, step->scope);
}

void dit_plan_print(const dit_plan *plan, FILE *file)
{
    const dit_plan_figures *f = &plan->figures;
    int read = 0;
    for (int s = 0; s < plan->step_count; s++)
        print_step(plan, s, weights_text(plan, s, &read), file);
    fprintf(file,
            "nodes %d  steps %d  fused %d  folded %d  arena %.1f MiB  replaces %.1f MiB  prepared %.1f MiB  "
            "%.2f GFLOP\n",
            f->nodes, f->steps, f->fused, f->folded, (double)f->arena_bytes / 0x1p20,
            (double)f->replaced_bytes / 0x1p20, (double)f->prepared_bytes / 0x1p20, f->flops * 1e-9);
    fprintf(file,
            "weights %.1f MiB: kept %.1f MiB, streamed %.1f MiB, at most %.1f MiB at a time; least memory %.1f MiB\n",
            (double)f->weight_bytes / 0x1p20, (double)f->kept_bytes / 0x1p20, (double)f->streamed_bytes / 0x1p20,
            (double)f->passing_bytes / 0x1p20, (double)f->least_memory / 0x1p20);
}
