// graph/plan_layout.c: where every value lies. A view op becomes strides over its input's buffer and costs nothing; a
// kernel that cannot read its input as it lies, or as it is stored, gets a copy or a cast before it.
#include "backend/cpu/cpu.h"
#include "graph/ops.h"
#include "graph/plan_guard.h"
#include <stdlib.h>
#include <string.h>

// The stage's state: the new list of steps, and what has been made of each value already.
struct layout {
    dit_plan *plan;
    plan_step *steps;
    size_t capacity;
    int count;
    int *dense, *widened; // by value: its dense copy, its f32 copy; 0: none yet
    int made;             // values for which the two lists have room
    dit_error *error;
};

static bool fail(struct layout *l)
{
    dit_fail(l->error, DIT_NO_MEMORY, "no memory to plan the model");
    return false;
}

static void set_dense_strides(plan_value *v)
{
    dit_view view = {.shape = v->shape};
    dit_view_set_contiguous(&view);
    memcpy(v->stride, view.stride, sizeof v->stride);
    v->offset = 0;
}

static dit_view view_of(const plan_value *v)
{
    dit_view view = {.dtype = v->dtype, .shape = v->shape};
    memcpy(view.stride, v->stride, sizeof view.stride);
    return view;
}

// Gives a value a dense buffer of its own.
static bool own_buffer(struct layout *l, int value, void *outside)
{
    plan_value *v = &l->plan->values[value];
    dit_array array = {v->dtype, v->shape, NULL};
    size_t bytes = dit_array_bytes(&array);
    set_dense_strides(v);
    v->buffer = dit_plan_add_buffer(l->plan, (plan_buffer){.bytes = bytes, .outside = outside, .shares = -1});
    return v->buffer >= 0 || fail(l);
}

static bool append(struct layout *l, plan_step step)
{
    if (!dit_grow(&l->steps, &l->capacity, (size_t)l->count + 1, sizeof *l->steps))
        return fail(l);
    l->steps[l->count++] = step;
    return true;
}

// A new value like `from` but of `dtype`, dense.
static int value_like(struct layout *l, int from, dit_dtype dtype)
{
    plan_value v = l->plan->values[from];
    v.kind = DIT_VALUE_COMPUTED;
    v.dtype = dtype;
    v.output = false;
    v.weight = NULL;
    v.data = NULL;
    int number = dit_plan_add_value(l->plan, v);
    if (!number || !own_buffer(l, number, NULL)) {
        fail(l);
        return 0;
    }
    return number;
}

// Appends `to` = copy or cast of `from`.
static bool append_conversion(struct layout *l, int from, int to, const char *scope)
{
    bool cast = l->plan->values[from].dtype != l->plan->values[to].dtype;
    plan_step step = {.op = cast ? DIT_OP_cast : DIT_OP_copy, .inputs = 1, .outputs = 1, .out = to, .scope = scope};
    step.workspace = -1;
    step.kernel = dit_cpu_kernel(step.op);
    step.in = dit_arena_alloc(l->plan->arena, sizeof *step.in);
    struct dit_cast_attributes *a = dit_arena_alloc(l->plan->arena, sizeof *a);
    if (!step.in || !a)
        return fail(l);
    step.in[0] = from;
    a->dtype = l->plan->values[to].dtype;
    step.attributes = a;
    return append(l, step);
}

// The dense or widened copy of a value, made on first request; 0 after an error.
static int converted(struct layout *l, int value, bool widen, const char *scope)
{
    int *list = widen ? l->widened : l->dense;
    if (value < l->made && list[value])
        return list[value];
    int copy = value_like(l, value, widen ? DIT_F32 : l->plan->values[value].dtype);
    if (!copy || !append_conversion(l, value, copy, scope))
        return 0;
    if (value < l->made)
        list[value] = copy;
    return copy;
}

static bool accepts_layout(dit_layout layout, const plan_value *v)
{
    dit_view view = view_of(v);
    int last = v->shape.rank - 1;
    if (layout == DIT_ANY_STRIDES || dit_view_is_contiguous(&view))
        return true;
    return layout == DIT_ROWS && (last < 0 || v->shape.dim[last] == 1 || v->stride[last] == 1);
}

static bool is_foreign_float(const dit_kernel *kernel, dit_dtype dtype, int input)
{
    unsigned native = kernel->native_floats | 1u << DIT_F32 | (input == 1 ? kernel->native_weight : 0);
    if (dit_dtype_is_quantized(dtype)) // nobody moves bytes of blocks
        return !(native >> dtype & 1);
    return dit_dtype_is_float(dtype) && !kernel->any_dtype && !(native >> dtype & 1);
}

static bool lay_out_inputs(struct layout *l, plan_step *step)
{
    for (int i = 0; i < step->inputs; i++) {
        if (!step->in[i])
            continue;
        const plan_value *v = &l->plan->values[step->in[i]];
        bool widen = is_foreign_float(step->kernel, v->dtype, i);
        if (!widen && accepts_layout(step->kernel->layout, v))
            continue;
        if (!(step->in[i] = converted(l, step->in[i], widen, step->scope)))
            return false;
    }
    return true;
}

void dit_plan_call_of(const dit_plan *plan, const plan_step *step, dit_op_call *call)
{
    for (int i = 0; i < step->inputs; i++) {
        call->in[i] = view_of(&plan->values[step->in[i]]);
        if (!step->in[i])
            call->in[i].dtype = DIT_DTYPES;
    }
    for (int k = 0; k < step->outputs; k++)
        call->out[k] = view_of(&plan->values[step->out + k]);
    call->inputs = step->inputs;
    call->outputs = step->outputs;
    call->attributes = step->attributes;
}

static bool make_call(struct layout *l, plan_step *step)
{
    dit_op_call *call = &step->call;
    *call = (dit_op_call){.in = dit_arena_alloc(l->plan->arena, ((size_t)step->inputs + 1) * sizeof *call->in),
                          .out = dit_arena_alloc(l->plan->arena, (size_t)step->outputs * sizeof *call->out)};
    if (!call->in || !call->out)
        return fail(l);
    dit_plan_call_of(l->plan, step, call);
    return true;
}

static bool add_workspace(struct layout *l, plan_step *step)
{
    size_t bytes = step->kernel->workspace ? step->kernel->workspace(&step->call) : 0;
    step->workspace = -1;
    if (bytes)
        step->workspace = dit_plan_add_buffer(l->plan, (plan_buffer){.bytes = bytes + PLAN_GUARD_BYTES, .shares = -1});
    return !bytes || step->workspace >= 0 || fail(l);
}

static bool lay_out_view(struct layout *l, plan_step *step)
{
    const dit_op *op = dit_op_of(step->op);
    if (dit_dtype_is_quantized(l->plan->values[step->in[0]].dtype) && // strides count elements, not blocks
        !(step->in[0] = converted(l, step->in[0], true, step->scope)))
        return false;
    for (int attempt = 0; attempt < 2; attempt++) {
        const plan_value in = l->plan->values[step->in[0]];
        plan_value *out = &l->plan->values[step->out];
        int64_t offset = 0;
        if (!make_call(l, step))
            return false;
        if (op->view(&step->call, out->stride, &offset)) {
            out->buffer = in.buffer;
            out->offset = in.offset + offset;
            return true;
        }
        if (!(step->in[0] = converted(l, step->in[0], false, step->scope)))
            return false;
    }
    dit_fail(l->error, DIT_UNSUPPORTED, "%s: %s cannot view a dense tensor", step->scope, op->name);
    return false;
}

// A kernel that does not write the output's dtype writes f32 first, which a cast then rounds.
static bool lay_out_kernel(struct layout *l, plan_step *step)
{
    int out = step->out;
    bool narrow = false;
    if (!step->kernel) {
        dit_fail(l->error, DIT_UNSUPPORTED, "%s: this backend has no kernel for %s", step->scope,
                 dit_op_of(step->op)->name);
        return false;
    }
    if (!lay_out_inputs(l, step))
        return false;
    for (int k = 0; k < step->outputs; k++) {
        narrow |= is_foreign_float(step->kernel, l->plan->values[out + k].dtype, -1);
        if (!own_buffer(l, out + k, NULL))
            return false;
    }
    for (int k = 0; narrow && k < step->outputs; k++) {
        dit_dtype dtype = l->plan->values[out + k].dtype;
        int wide = value_like(l, out + k, is_foreign_float(step->kernel, dtype, -1) ? DIT_F32 : dtype);
        if (!wide)
            return false;
        if (k == 0)
            step->out = wide;
    }
    if (!make_call(l, step) || !add_workspace(l, step) || !append(l, *step))
        return false;
    for (int k = 0; narrow && k < step->outputs; k++)
        if (l->plan->values[out + k].uses && !append_conversion(l, step->out + k, out + k, step->scope))
            return false;
    return true;
}

// Its buffer remembers the weight, for views too.
static bool note_weight(struct layout *l, const plan_value *value)
{
    plan_weight *w = dit_arena_alloc(l->plan->arena, sizeof *w);
    if (!w)
        return fail(l);
    *w = (plan_weight){.weight = value->weight, .first = -1};
    l->plan->buffers[value->buffer].weight = w;
    return true;
}

static bool lay_out_sources(struct layout *l)
{
    for (int v = 1; v < l->plan->value_count; v++) {
        plan_value *value = &l->plan->values[v];
        void *outside = value->kind == DIT_VALUE_CONSTANT    ? (void *)value->data
                        : value->kind == DIT_VALUE_PARAMETER ? value->weight->array.data
                                                             : NULL;
        if (value->kind == DIT_VALUE_COMPUTED)
            continue;
        if (!own_buffer(l, v, outside))
            return false;
        if (value->kind == DIT_VALUE_PARAMETER && !note_weight(l, value))
            return false;
    }
    return true;
}

// Outputs are handed to the caller as dense arrays: one that is a view of something, or no result at all, is copied.
static bool lay_out_outputs(struct layout *l)
{
    for (int i = 0; i < l->plan->output_count; i++) {
        int value = l->plan->outputs[i].value;
        const plan_value *v = &l->plan->values[value];
        dit_view view = view_of(v);
        if (v->kind == DIT_VALUE_COMPUTED && dit_view_is_contiguous(&view) && !l->plan->buffers[v->buffer].outside)
            continue;
        int copy = converted(l, value, false, "output");
        if (!copy)
            return false;
        l->plan->values[copy].output = true;
        l->plan->outputs[i].value = copy;
    }
    return true;
}

// Conversions are appended without a call: their values have places by now.
static bool make_conversion_calls(struct layout *l)
{
    for (int s = 0; s < l->count; s++)
        if (!l->steps[s].call.in && (!make_call(l, &l->steps[s]) || !add_workspace(l, &l->steps[s])))
            return false;
    return true;
}

dit_status dit_plan_lay_out(dit_plan *plan, dit_error *error)
{
    struct layout l = {.plan = plan, .made = plan->value_count, .error = error};
    l.dense = calloc((size_t)l.made, sizeof *l.dense);
    l.widened = calloc((size_t)l.made, sizeof *l.widened);
    bool ok = (l.dense && l.widened) || fail(&l);
    ok = ok && lay_out_sources(&l);
    for (int s = 0; s < plan->step_count && ok; s++) {
        plan_step *step = &plan->steps[s];
        if (dit_op_of(step->op)->view) {
            ok = lay_out_view(&l, step);
        } else {
            step->kernel = dit_cpu_kernel(step->op);
            ok = lay_out_kernel(&l, step);
        }
    }
    ok = ok && lay_out_outputs(&l) && make_conversion_calls(&l);
    free(l.dense);
    free(l.widened);
    if (!ok) {
        free(l.steps);
        return error && error->status ? error->status : DIT_NO_MEMORY;
    }
    free(plan->steps);
    plan->steps = l.steps;
    plan->step_count = l.count;
    plan->step_capacity = l.capacity;
    return DIT_OK;
}
