// graph/plan_memory.c: when each buffer holds something, which may take over another's memory, and where in one arena
// they lie: largest first, each at the lowest offset that no buffer of overlapping life takes (Pisarchyk and Lee 2020,
// arXiv 2001.03288, greedy by size).
#include "graph/plan_private.h"
#include <stdlib.h>

enum { ALIGNMENT = 64 };

int dit_plan_add_buffer(dit_plan *plan, plan_buffer buffer)
{
    if (!dit_grow(&plan->buffers, &plan->buffer_capacity, (size_t)plan->buffer_count + 1, sizeof *plan->buffers))
        return -1;
    plan->buffers[plan->buffer_count] = buffer;
    return plan->buffer_count++;
}

static void live_at(dit_plan *plan, int buffer, int step)
{
    plan_buffer *b = &plan->buffers[buffer];
    if (step < b->first)
        b->first = step;
    if (step > b->last)
        b->last = step;
}

static void set_lifetimes(dit_plan *plan)
{
    for (int b = 0; b < plan->buffer_count; b++) {
        plan->buffers[b].first = LAST;
        plan->buffers[b].last = FIRST;
    }
    for (int v = 1; v < plan->value_count; v++) {
        const plan_value *value = &plan->values[v];
        if (value->buffer < 0)
            continue;
        if (value->kind == DIT_VALUE_INPUT) { // kept from run to run
            live_at(plan, value->buffer, FIRST);
            live_at(plan, value->buffer, LAST);
        }
        if (value->output)
            live_at(plan, value->buffer, LAST);
    }
    for (int s = 0; s < plan->step_count; s++) {
        const plan_step *step = &plan->steps[s];
        for (int i = 0; i < step->inputs; i++)
            if (step->in[i])
                live_at(plan, plan->values[step->in[i]].buffer, s);
        for (int k = 0; k < step->outputs; k++)
            live_at(plan, plan->values[step->out + k].buffer, s);
        if (step->workspace >= 0)
            live_at(plan, step->workspace, s);
    }
}

static int owner(const dit_plan *plan, int buffer)
{
    while (plan->buffers[buffer].shares >= 0)
        buffer = plan->buffers[buffer].shares;
    return buffer;
}

static bool fills_its_buffer(const dit_plan *plan, const plan_value *v)
{
    dit_view view = {.dtype = v->dtype, .shape = v->shape};
    for (int i = 0; i < v->shape.rank; i++)
        view.stride[i] = v->stride[i];
    return v->offset == 0 && dit_view_is_contiguous(&view) &&
           (size_t)dit_shape_count(&v->shape) * dit_dtype_size(v->dtype) == plan->buffers[v->buffer].bytes;
}

// Whether output 0 of step `s` may be written over its input `i`: the kernel allows it, the input ends here, and no
// other input looks at the same memory in another way.
static bool may_overwrite(const dit_plan *plan, const plan_step *step, int s, int i)
{
    const plan_value *in = &plan->values[step->in[i]], *out = &plan->values[step->out];
    if (!step->in[i] || !(step->kernel->in_place >> i & 1) || in->dtype != out->dtype ||
        !dit_shape_equal(&in->shape, &out->shape) || !fills_its_buffer(plan, in))
        return false;
    const plan_buffer *b = &plan->buffers[owner(plan, in->buffer)];
    if (b->outside || b->first == FIRST || b->last != s)
        return false;
    for (int j = 0; j < step->inputs; j++)
        if (step->in[j] && step->in[j] != step->in[i] &&
            owner(plan, plan->values[step->in[j]].buffer) == owner(plan, in->buffer))
            return false;
    return true;
}

static void share_in_place(dit_plan *plan)
{
    for (int s = 0; s < plan->step_count; s++) {
        plan_step *step = &plan->steps[s];
        int out = plan->values[step->out].buffer;
        if (plan->buffers[out].first != s)
            continue;
        for (int i = 0; i < step->inputs && i < 32; i++) {
            if (!may_overwrite(plan, step, s, i))
                continue;
            int from = owner(plan, plan->values[step->in[i]].buffer);
            plan->buffers[out].shares = from;
            if (plan->buffers[out].last > plan->buffers[from].last)
                plan->buffers[from].last = plan->buffers[out].last;
            break;
        }
    }
}

// Larger first; the earlier one of equals, so that a plan is the same every time.
struct sized {
    int buffer, first, last;
    size_t bytes, offset;
};

static int by_size(const void *a, const void *b)
{
    const struct sized *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->buffer - y->buffer;
}

// The lowest gap among the placed buffers (sorted by offset) whose life overlaps.
static size_t lowest_gap(const struct sized *placed, int count, const struct sized *b)
{
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        if (placed[i].last < b->first || placed[i].first > b->last)
            continue;
        if (placed[i].offset >= offset + b->bytes)
            break;
        if (placed[i].offset + placed[i].bytes > offset)
            offset = placed[i].offset + placed[i].bytes;
    }
    return offset;
}

dit_status dit_plan_place(dit_plan *plan, dit_error *error)
{
    set_lifetimes(plan);
    share_in_place(plan);
    struct sized *list = calloc((size_t)plan->buffer_count * 2 + 1, sizeof *list);
    struct sized *placed = list + plan->buffer_count;
    int count = 0;
    if (!list)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to plan the model");
    for (int b = 0; b < plan->buffer_count; b++) {
        const plan_buffer *buffer = &plan->buffers[b];
        if (buffer->outside || buffer->first > buffer->last)
            continue;
        size_t bytes = (buffer->bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
        plan->figures.replaced_bytes += bytes;
        if (buffer->shares < 0)
            list[count++] = (struct sized){b, buffer->first, buffer->last, bytes, 0};
    }
    qsort(list, (size_t)count, sizeof *list, by_size);
    for (int i = 0; i < count; i++) {
        struct sized b = list[i];
        b.offset = lowest_gap(placed, i, &b);
        int at = i;
        for (; at > 0 && placed[at - 1].offset > b.offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = b;
        plan->buffers[b.buffer].offset = b.offset;
        if (b.offset + b.bytes > plan->figures.arena_bytes)
            plan->figures.arena_bytes = b.offset + b.bytes;
    }
    free(list);
    return DIT_OK;
}
