// graph/plan_weights.c: which weights stay in memory, and in which form.
//
// Without a bound all do, rearranged where a kernel likes that. Under a bound, weights that their file can give again
// are streamed when they do not all fit: their pages are asked for ahead of the step that uses them and let go after
// it, and kernels read them as they are stored. Those that stay are spread evenly over the steps, so that reading the
// others has the time of all of them.
#include "graph/plan_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SMALL = 64 << 10,       // up to here a weight always stays
    FAULT = 2 << 20,        // bytes that Linux may map around one that is touched: a huge page of its cache
    READ_AHEAD = 256 << 20, // of the page cache's, not of the bound
};

static plan_weight *weight_of(const dit_plan *plan, const plan_step *step, int i)
{
    int buffer = step->in[i] ? plan->values[step->in[i]].buffer : -1;
    return buffer < 0 ? NULL : plan->buffers[buffer].weight;
}

// Whether the same weight is an earlier input of the step.
static bool is_repeated(const dit_plan *plan, const plan_step *step, int i)
{
    for (int j = 0; j < i; j++)
        if (weight_of(plan, step, j) == weight_of(plan, step, i))
            return true;
    return false;
}

static bool reads_rows_only(const plan_step *step, int i)
{
    return step->op == DIT_OP_embedding && i == 0;
}

// Whether the step's kernel can read input i rearranged. A view is no whole weight.
static bool takes_arranged(const dit_plan *plan, const plan_step *step, int i)
{
    return i == 1 && plan->options.frozen && plan->values[step->in[1]].weight && step->kernel->prepare;
}

// Bytes of input i as the step's kernel wants it arranged; 0: as it is stored.
static size_t arranged_bytes(const dit_plan *plan, const plan_step *step, int i)
{
    return takes_arranged(plan, step, i) ? step->kernel->prepared_size(&step->call) : 0;
}

// Whether input i is read in the form that the plan keeps rearranged, which serves calls that do not ask for it too.
static bool is_served(const dit_plan *plan, const plan_step *step, int i)
{
    const plan_weight *w = weight_of(plan, step, i);
    size_t bytes = arranged_bytes(plan, step, i);
    return w->kept && w->prepared && w->by == step->kernel && takes_arranged(plan, step, i) &&
           (bytes == 0 || bytes == w->prepared);
}

// Mapped bytes of the weights that one step reads.
static size_t touched_bytes(const dit_plan *plan, const plan_step *step)
{
    size_t bytes = 0;
    for (int i = 0; i < step->inputs; i++) {
        const plan_weight *w = weight_of(plan, step, i);
        if (!w || !w->mapped || is_repeated(plan, step, i))
            continue;
        size_t most = w->stored;
        if (reads_rows_only(step, i)) {
            size_t rows = (size_t)dit_shape_count(&step->call.out[0].shape) /
                          (size_t)(w->weight->array.shape.dim[1] ? w->weight->array.shape.dim[1] : 1);
            size_t row = w->stored / (size_t)w->weight->array.shape.dim[0] + FAULT;
            most = rows < most / row ? rows * row : most;
        }
        bytes += most;
    }
    return bytes;
}

// What is known of each weight before anything is chosen.
static void survey(dit_plan *plan)
{
    for (int s = 0; s < plan->step_count; s++) {
        const plan_step *step = &plan->steps[s];
        for (int i = 0; i < step->inputs; i++) {
            plan_weight *w = weight_of(plan, step, i);
            if (!w)
                continue;
            if (w->first < 0) {
                w->first = s;
                w->stored = dit_array_bytes(&w->weight->array);
                w->mapped = dit_weights_is_mapped(plan->weights, w->weight);
                plan->figures.weight_bytes += w->stored;
            }
            w->whole |= !reads_rows_only(step, i);
            if (!w->prepared && (w->prepared = arranged_bytes(plan, step, i)))
                w->by = step->kernel;
        }
    }
}

// What a weight takes when it stays. One that is in memory anyway stays as it is.
static size_t cost_of(const plan_weight *w)
{
    if (!w->mapped || w->weight->prepared_users)
        return 0;
    return w->prepared ? w->prepared : w->stored;
}

static bool is_small(const plan_weight *w)
{
    return w->stored <= SMALL;
}

// Calls `visit` for every weight in the order of first use.
static void each_weight(dit_plan *plan, void (*visit)(dit_plan *plan, plan_weight *w, void *context), void *context)
{
    for (int s = 0; s < plan->step_count; s++)
        for (int i = 0; i < plan->steps[s].inputs; i++) {
            plan_weight *w = weight_of(plan, &plan->steps[s], i);
            if (w && w->first == s && !is_repeated(plan, &plan->steps[s], i))
                visit(plan, w, context);
        }
}

struct sharing {
    size_t small, large; // bytes of weights by what they would take
    size_t idle;         // of rearranged weights that no other plan reads
    double share;        // of the large ones that may stay
    size_t seen, kept;   // of the large ones so far
};

static void add_up(dit_plan *plan, plan_weight *w, void *context)
{
    struct sharing *sharing = context;
    (void)plan;
    if (is_small(w))
        sharing->small += cost_of(w);
    else if (w->whole)
        sharing->large += cost_of(w);
    sharing->idle += w->weight->prepared_users ? 0 : w->weight->prepared_bytes;
}

static void keep(dit_plan *plan, plan_weight *w, void *context)
{
    struct sharing *sharing = context;
    size_t cost = cost_of(w);
    if (!w->whole && !is_small(w))
        return;
    if (!is_small(w))
        sharing->seen += cost;
    w->kept = is_small(w) || cost == 0 || (double)(sharing->kept + cost) <= sharing->share * (double)sharing->seen;
    if (!w->kept)
        return;
    sharing->kept += is_small(w) ? 0 : cost;
    plan->figures.kept_bytes += cost;
    // Rearranging a weight that cannot be let go would take its memory twice.
    if (plan->options.memory && !w->mapped)
        w->prepared = 0;
    plan->figures.prepared_bytes += w->prepared;
}

// The uses of weights that go again after them.
static dit_status list_reads(dit_plan *plan, dit_error *error)
{
    size_t capacity = 0;
    for (int s = 0; s < plan->step_count; s++) {
        const plan_step *step = &plan->steps[s];
        for (int i = 0; i < step->inputs; i++) {
            const plan_weight *w = weight_of(plan, step, i);
            if (!w || !w->mapped || is_repeated(plan, step, i) || (w->kept && !w->prepared) || is_served(plan, step, i))
                continue;
            if (!dit_grow(&plan->reads, &capacity, (size_t)plan->read_count + 1, sizeof *plan->reads))
                return dit_fail(error, DIT_NO_MEMORY, "no memory to plan the model");
            bool whole = !reads_rows_only(step, i);
            plan->reads[plan->read_count++] = (dit_weight_read){s, w->weight, whole};
            plan->figures.streamed_bytes += whole ? w->stored : 0;
        }
    }
    return DIT_OK;
}

// `left`: what the bound leaves; `most`: weights of the largest step. Sizes as the option takes them, which are
// decimal.
static dit_status refuse_bound(const dit_plan *plan, size_t left, size_t most, dit_error *error)
{
    const dit_plan_figures *f = &plan->figures;
    double missing = (double)(f->least_memory - left) * 8 / 7; // of what is added an eighth is kept as a reserve
    char advice[80];
    if (plan->options.bound)
        snprintf(advice, sizeof advice, "%.0fM would do", ceil(((double)plan->options.bound + missing) / 1e6));
    else
        snprintf(advice, sizeof advice, "raise it by %.0f MB", ceil(missing / 1e6));
    return dit_fail(
        error, DIT_NO_MEMORY,
        "the memory bound leaves %.3g MB for a network that needs %.3g MB (values %.3g, weights of its largest "
        "step %.3g); %s, or a smaller size",
        (double)left / 1e6, (double)f->least_memory / 1e6, (double)f->arena_bytes / 1e6, (double)most / 1e6, advice);
}

dit_status dit_plan_choose_weights(dit_plan *plan, dit_error *error)
{
    dit_plan_figures *f = &plan->figures;
    struct sharing sharing = {.share = 1};
    size_t most = 0, bound = plan->options.memory;
    if (!plan->weights)
        return DIT_OK;
    survey(plan);
    each_weight(plan, add_up, &sharing);
    for (int s = 0; s < plan->step_count; s++) {
        size_t bytes = touched_bytes(plan, &plan->steps[s]);
        most = bytes > most ? bytes : most;
    }
    f->least_memory = f->arena_bytes + sharing.small + most;
    if (bound) {
        bound += sharing.idle;
        if (bound < f->least_memory)
            return refuse_bound(plan, bound, most, error);
        // What stays is rearranged one weight after the other, each beside the stored one: that takes `most` too.
        size_t free = bound - f->least_memory;
        sharing.share = sharing.large <= free ? 1 : (double)free / (double)sharing.large;
    }
    each_weight(plan, keep, &sharing);
    if (bound && list_reads(plan, error))
        return error->status;
    f->passing_bytes = plan->read_count ? most : 0;
    return DIT_OK;
}

// Puts the kernel's arrangement of a weight that stays into the step's call.
static dit_status arrange(dit_plan *plan, plan_step *step, plan_weight *w, dit_error *error)
{
    dit_weight *weight = w->weight;
    if (!weight->prepared) {
        void *prepared = aligned_alloc(64, (w->prepared + 63) & ~(size_t)63);
        if (!prepared)
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to arrange the weight", weight->name);
        step->kernel->prepare(&step->call, prepared);
        dit_weights_set_prepared(plan->weights, weight, prepared, w->prepared, step->kernel);
    }
    if (weight->prepared_by != step->kernel || weight->prepared_bytes != w->prepared)
        return DIT_OK; // another plan's kernel arranged it otherwise: it is read as it is stored
    step->call.prepared = weight->prepared;
    if (!w->held) {
        w->held = true;
        weight->prepared_users++;
    }
    return DIT_OK;
}

static void drop_idle(dit_plan *plan, plan_weight *w, void *context)
{
    (void)plan;
    (void)context;
    if (!w->kept && !w->weight->prepared_users)
        dit_weights_drop_prepared(w->weight);
}

dit_status dit_plan_hold_weights(dit_plan *plan, dit_error *error)
{
    if (plan->options.memory)
        each_weight(plan, drop_idle, NULL);
    for (int s = 0; s < plan->step_count; s++) {
        plan_step *step = &plan->steps[s];
        plan_weight *w = step->inputs > 1 ? weight_of(plan, step, 1) : NULL;
        if (w && is_served(plan, step, 1) && arrange(plan, step, w, error))
            return error->status;
    }
    if (!plan->read_count)
        return DIT_OK;
    return dit_read_ahead_new(&plan->ahead, plan->weights, plan->reads, plan->read_count, READ_AHEAD, error);
}

void dit_plan_let_go_of_weights(dit_plan *plan)
{
    dit_read_ahead_free(plan->ahead);
    for (int b = 0; b < plan->buffer_count; b++) {
        plan_weight *w = plan->buffers[b].weight;
        if (w && w->held)
            w->weight->prepared_users--;
    }
    free(plan->reads);
}
