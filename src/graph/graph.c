// graph/graph.c: describing: values, applications, scopes, taps.
#include "graph/ops.h"
#include "graph/private.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const dit_op *const ops[DIT_OPS] = {
#define OP(name, parameters, ...) [DIT_OP_##name] = &dit_op_##name,
#define VIEW_OP OP
#include "backend/ops.def"
};

const dit_op *dit_op_of(dit_op_id id)
{
    return ops[id];
}

dit_graph *dit_graph_new(dit_weights *weights)
{
    dit_graph *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->weights = weights;
    g->scope = "";
    g->arena = dit_arena_new();
    if (!g->arena || !dit_grow(&g->values, &g->value_capacity, 256, sizeof *g->values)) {
        dit_graph_free(g);
        return NULL;
    }
    g->values[0] = (dit_value){0};
    return g;
}

void dit_graph_free(dit_graph *g)
{
    if (!g)
        return;
    free(g->values);
    free(g->nodes);
    free(g->inputs);
    free(g->outputs);
    free(g->taps);
    free(g->parameters);
    free(g->tap_rules);
    free(g->scopes);
    dit_name_map_free(&g->parameter_names);
    dit_arena_free(g->arena);
    free(g);
}

dit_error *dit_graph_error(dit_graph *g)
{
    return &g->error;
}

void dit_graph_fail(dit_graph *g, dit_status status, const char *format, ...)
{
    char text[sizeof g->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dit_fail(&g->error, status, "%s%s%s", g->scope, *g->scope ? ": " : "", text);
}

void dit_graph_no_memory(dit_graph *g)
{
    dit_fail(&g->error, DIT_NO_MEMORY, "no memory to describe the model");
}

// Values
// ---------------------------------------------------------------------------------------------------------------

static dit_tensor add_value(dit_graph *g, dit_value value)
{
    if (g->error.status || dit_shape_check(&value.shape, value.dtype, &g->error))
        return DIT_NONE;
    if (!dit_grow(&g->values, &g->value_capacity, (size_t)g->value_count + 2, sizeof *g->values)) {
        dit_graph_no_memory(g);
        return DIT_NONE;
    }
    g->values[++g->value_count] = value;
    return (dit_tensor){g->value_count};
}

// Appends (name, value) to a list that lives in the graph; the name is copied.
static const char *add_name(dit_graph *g, dit_named_value **list, size_t *capacity, int *count, const char *name,
                            dit_tensor value)
{
    const char *copy = dit_arena_copy_text(g->arena, name);
    if (!copy || !dit_grow(list, capacity, (size_t)*count + 1, sizeof **list)) {
        dit_graph_no_memory(g);
        return NULL;
    }
    (*list)[(*count)++] = (dit_named_value){copy, value.id};
    return copy;
}

static int find_name(const dit_named_value *list, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(list[i].name, name))
            return i;
    return -1;
}

dit_tensor dit_input(dit_graph *g, const char *name, dit_dtype dtype, dit_shape shape)
{
    if (find_name(g->inputs, g->input_count, name) >= 0) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "two inputs are named \"%s\"", name);
        return DIT_NONE;
    }
    dit_tensor t = add_value(g, (dit_value){.kind = DIT_VALUE_INPUT, .dtype = dtype, .shape = shape});
    if (!dit_is_none(t))
        g->values[t.id].name = add_name(g, &g->inputs, &g->input_capacity, &g->input_count, name, t);
    return t;
}

void dit_input_indexes(dit_graph *g, dit_tensor input, int64_t count)
{
    dit_value *v = &g->values[input.id];
    if (v->kind == DIT_VALUE_INPUT && input.id && (!v->indexes || count < v->indexes))
        v->indexes = count;
}

dit_tensor dit_constant(dit_graph *g, dit_dtype dtype, dit_shape shape, const void *data)
{
    dit_tensor t = add_value(g, (dit_value){.kind = DIT_VALUE_CONSTANT, .dtype = dtype, .shape = shape});
    if (dit_is_none(t))
        return t;
    dit_array array = {dtype, shape, NULL};
    size_t bytes = dit_array_bytes(&array);
    void *copy = dit_arena_alloc(g->arena, bytes ? bytes : 1);
    if (!copy) {
        dit_graph_no_memory(g);
        return DIT_NONE;
    }
    g->values[t.id].data = memcpy(copy, data, bytes);
    return t;
}

const void *dit_constant_data(const dit_graph *g, dit_tensor t)
{
    return !dit_is_none(t) && g->values[t.id].kind == DIT_VALUE_CONSTANT ? g->values[t.id].data : NULL;
}

dit_tensor dit_scalar(dit_graph *g, float value)
{
    return dit_constant(g, DIT_F32, DIT_SCALAR, &value);
}

dit_tensor dit_filled(dit_graph *g, dit_shape shape, float value)
{
    return dit_expand(g, dit_scalar(g, value), shape);
}

// Whether `stored` is `shape` without some of the leading axes of one, which GGUF files leave out.
static bool is_short_of(const dit_shape *stored, const dit_shape *shape)
{
    int missing = shape->rank - stored->rank;
    for (int i = 0; i < missing; i++)
        if (shape->dim[i] != 1)
            return false;
    return missing > 0 && !memcmp(stored->dim, shape->dim + missing, (size_t)stored->rank * sizeof *stored->dim);
}

// Looks the parameter up in the open weights: its storage format, and whether it fits.
static bool bind_parameter(dit_graph *g, const char *full, dit_shape shape, dit_dtype *dtype)
{
    dit_weight *weight = dit_weights_find(g->weights, full);
    char found[160], needed[160];
    if (!weight) {
        dit_fail(&g->error, DIT_BAD_FILE, "%s: the file lacks this tensor %s", full, dit_shape_text(&shape, needed));
        return false;
    }
    if (dit_weights_are_short(g->weights) && is_short_of(&weight->array.shape, &shape))
        weight->array.shape = shape;
    if (!dit_shape_equal(&weight->array.shape, &shape)) {
        dit_fail(&g->error, DIT_BAD_FILE, "%s: the file has %s, the model needs %s", full,
                 dit_shape_text(&weight->array.shape, found), dit_shape_text(&shape, needed));
        return false;
    }
    bool quantized = dit_dtype_is_quantized(weight->array.dtype);
    if ((!dit_dtype_is_float(weight->array.dtype) && !quantized) || weight->array.dtype == DIT_F64) {
        dit_fail(&g->error, DIT_UNSUPPORTED, "%s: the file stores %s; a weight is f32, f16, bf16 or quantised", full,
                 dit_dtype_name(weight->array.dtype));
        return false;
    }
    weight->used = true;
    *dtype = quantized ? DIT_F32 : weight->array.dtype; // what it decodes to; only plans know how it is stored
    return true;
}

dit_tensor dit_parameter(dit_graph *g, const char *name, dit_shape shape, dit_initial initial)
{
    const char *full = dit_scope_name(g, name);
    if (g->error.status)
        return DIT_NONE;
    int i = dit_name_map_find(&g->parameter_names, full);
    if (i >= 0) {
        dit_tensor shared = {g->parameters[i].value};
        if (!dit_shape_equal(&g->values[shared.id].shape, &shape))
            dit_graph_fail(g, DIT_BAD_ARGUMENT, "%s is declared with two shapes", name);
        return g->error.status ? DIT_NONE : shared;
    }
    dit_dtype dtype = DIT_F32;
    if (g->weights && !bind_parameter(g, full, shape, &dtype))
        return DIT_NONE;
    dit_tensor t =
        add_value(g, (dit_value){.kind = DIT_VALUE_PARAMETER, .dtype = dtype, .shape = shape, .initial = initial});
    if (dit_is_none(t))
        return t;
    const char *kept = add_name(g, &g->parameters, &g->parameter_capacity, &g->parameter_count, full, t);
    if (!kept || !dit_name_map_add(&g->parameter_names, kept, g->parameter_count - 1)) {
        dit_graph_no_memory(g);
        return DIT_NONE;
    }
    g->values[t.id].name = kept;
    return t;
}

bool dit_parameter_stored(dit_graph *g, const char *name)
{
    return g->weights && dit_weights_find(g->weights, dit_scope_name(g, name));
}

int64_t dit_parameter_stored_extent(dit_graph *g, const char *name, int axis)
{
    const dit_weight *w = g->weights ? dit_weights_find(g->weights, dit_scope_name(g, name)) : NULL;
    return w && axis < w->array.shape.rank ? w->array.shape.dim[axis] : 0;
}

dit_tensor dit_buffer(dit_graph *g, const char *name, dit_shape shape)
{
    const char *full = dit_scope_name(g, name);
    dit_value value = {.kind = DIT_VALUE_PARAMETER, .shape = shape};
    if (g->error.status || !g->weights || !dit_weights_find(g->weights, full))
        return DIT_NONE;
    if (!bind_parameter(g, full, value.shape, &value.dtype))
        return DIT_NONE;
    if (!(value.name = dit_arena_copy_text(g->arena, full)))
        dit_graph_no_memory(g);
    return add_value(g, value);
}

void dit_output(dit_graph *g, const char *name, dit_tensor value)
{
    if (g->error.status)
        return;
    if (dit_is_none(value))
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "the output \"%s\" has no value", name);
    else if (find_name(g->outputs, g->output_count, name) >= 0)
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "two outputs are named \"%s\"", name);
    else
        add_name(g, &g->outputs, &g->output_capacity, &g->output_count, name, value);
}

const dit_shape *dit_shape_of(const dit_graph *g, dit_tensor t)
{
    return &g->values[t.id].shape; // value 0 is a scalar
}

dit_dtype dit_dtype_of(const dit_graph *g, dit_tensor t)
{
    return g->values[t.id].dtype;
}

int64_t dit_extent(const dit_graph *g, dit_tensor t, int axis)
{
    const dit_shape *s = dit_shape_of(g, t);
    int i = dit_axis_from_front(axis, s->rank);
    return i < 0 ? 1 : s->dim[i];
}

int dit_parameter_count(const dit_graph *g)
{
    return g->parameter_count;
}

dit_tensor dit_parameter_at(const dit_graph *g, int i)
{
    return (dit_tensor){g->parameters[i].value};
}

const char *dit_parameter_name(const dit_graph *g, dit_tensor parameter)
{
    return g->values[parameter.id].name;
}

dit_initial dit_parameter_initial(const dit_graph *g, dit_tensor parameter)
{
    return g->values[parameter.id].initial;
}

// Applications
// ---------------------------------------------------------------------------------------------------------

void dit_node_call(const dit_graph *g, const dit_node *node, dit_view *in, dit_view *out, dit_op_call *call)
{
    for (int i = 0; i < node->inputs; i++) {
        const dit_value *v = &g->values[node->in[i]];
        in[i] = (dit_view){.dtype = node->in[i] ? v->dtype : DIT_DTYPES, .shape = v->shape};
        dit_view_set_contiguous(&in[i]);
    }
    for (int k = 0; k < node->outputs; k++) {
        const dit_value *v = &g->values[node->out + k];
        out[k] = (dit_view){.dtype = v->dtype, .shape = v->shape};
        dit_view_set_contiguous(&out[k]);
    }
    *call = (dit_op_call){node->inputs, node->outputs, in, out, node->attributes, NULL, NULL};
}

// Asks the op's rule for the outputs' dtypes and shapes, and adds them as values.
static bool infer_outputs(dit_graph *g, dit_node *node)
{
    dit_view *in = calloc((size_t)node->inputs + 1, sizeof *in), out[DIT_MAX_OUTPUTS] = {0};
    if (!in) {
        dit_graph_no_memory(g);
        return false;
    }
    dit_op_call call;
    dit_node_call(g, node, in, out, &call);
    call.outputs = 1;
    dit_error why = {0};
    ops[node->op]->shape(&call, &why);
    free(in);
    if (why.status) {
        dit_graph_fail(g, why.status, "%s", why.message);
        return false;
    }
    node->outputs = call.outputs;
    node->out = g->value_count + 1;
    for (int k = 0; k < call.outputs; k++)
        add_value(g, (dit_value){.kind = DIT_VALUE_COMPUTED,
                                 .dtype = out[k].dtype,
                                 .shape = out[k].shape,
                                 .node = g->node_count,
                                 .output = k});
    return !g->error.status;
}

dit_tensor dit_apply(dit_graph *g, dit_op_id op, const dit_tensor *in, int inputs, const void *attributes)
{
    if (g->error.status)
        return DIT_NONE;
    size_t bytes = ops[op]->attribute_bytes;
    dit_node node = {.op = op, .inputs = inputs, .scope = g->scope, .recompute = g->recompute};
    node.in = dit_arena_alloc(g->arena, (size_t)inputs * sizeof *node.in + 1);
    node.attributes = dit_arena_alloc(g->arena, bytes + 1);
    if (!node.in || !node.attributes ||
        !dit_grow(&g->nodes, &g->node_capacity, (size_t)g->node_count + 1, sizeof *g->nodes)) {
        dit_graph_no_memory(g);
        return DIT_NONE;
    }
    for (int i = 0; i < inputs; i++)
        node.in[i] = in[i].id;
    if (attributes)
        memcpy(node.attributes, attributes, bytes);
    if (!infer_outputs(g, &node))
        return DIT_NONE;
    g->nodes[g->node_count++] = node;
    return (dit_tensor){node.out};
}

dit_tensor dit_sibling(dit_graph *g, dit_tensor output0, int k)
{
    if (g->error.status)
        return DIT_NONE;
    const dit_value *v = &g->values[output0.id];
    if (v->kind != DIT_VALUE_COMPUTED || v->output + k >= g->nodes[v->node].outputs) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "there is no output %d of this value's op", k);
        return DIT_NONE;
    }
    return (dit_tensor){output0.id + k};
}

// Scopes
// ---------------------------------------------------------------------------------------------------------------

const char *dit_scope_name(dit_graph *g, const char *name)
{
    if (!*g->scope)
        return name;
    const char *full = dit_arena_printf(g->arena, "%s.%s", g->scope, name);
    if (!full)
        dit_graph_no_memory(g);
    return full ? full : name;
}

void dit_scope_push(dit_graph *g, const char *format, ...)
{
    char name[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const char *full = dit_scope_name(g, name);
    char *copy = dit_arena_copy_text(g->arena, full);
    if (!copy || !dit_grow(&g->scopes, &g->scope_capacity, (size_t)g->scope_depth + 1, sizeof *g->scopes)) {
        dit_graph_no_memory(g);
        return;
    }
    g->scopes[g->scope_depth++] = g->scope;
    g->scope = copy;
    if (g->recompute_pattern && !g->recompute && !fnmatch(g->recompute_pattern, copy, 0)) {
        dit_recompute_begin(g);
        g->recompute_depth = g->scope_depth;
    }
}

void dit_scope_pop(dit_graph *g)
{
    if (g->scope_depth == 0)
        return;
    if (g->recompute_depth == g->scope_depth) {
        dit_recompute_end(g);
        g->recompute_depth = 0;
    }
    g->scope = g->scopes[--g->scope_depth];
}

// Taps
// -----------------------------------------------------------------------------------------------------------------

dit_tensor dit_tap(dit_graph *g, const char *name, dit_tensor value)
{
    const char *full = dit_scope_name(g, name);
    for (int i = 0; i < g->tap_rule_count && !g->error.status; i++)
        if (!fnmatch(g->tap_rules[i].pattern, full, 0))
            value = g->tap_rules[i].replace(g, full, value, g->tap_rules[i].context);
    if (!g->error.status)
        add_name(g, &g->taps, &g->tap_capacity, &g->tap_count, full, value);
    return value;
}

void dit_tap_on(dit_graph *g, const char *pattern, dit_tap_replace replace, void *context)
{
    const char *copy = dit_arena_copy_text(g->arena, pattern);
    if (!copy || !dit_grow(&g->tap_rules, &g->tap_rule_capacity, (size_t)g->tap_rule_count + 1, sizeof *g->tap_rules))
        dit_graph_no_memory(g);
    else
        g->tap_rules[g->tap_rule_count++] = (struct dit_tap_rule){copy, replace, context};
}

// How many leading and trailing characters two names share: near names share most.
static size_t likeness(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), front = 0, back = 0;
    while (front < n && front < m && a[front] == b[front])
        front++;
    while (back < n - front && back < m - front && a[n - 1 - back] == b[m - 1 - back])
        back++;
    return front + back;
}

dit_tensor dit_tap_read(dit_graph *g, const char *full_name)
{
    int i = find_name(g->taps, g->tap_count, full_name);
    if (i >= 0)
        return g->error.status ? DIT_NONE : (dit_tensor){g->taps[i].value};
    const char *nearest = NULL;
    for (i = 0; i < g->tap_count; i++)
        if (!nearest || likeness(g->taps[i].name, full_name) > likeness(nearest, full_name))
            nearest = g->taps[i].name;
    dit_fail(&g->error, DIT_BAD_ARGUMENT, "the model has no tap \"%s\"%s%s%s", full_name,
             nearest ? "; the nearest is \"" : " (it has none at all)", nearest ? nearest : "", nearest ? "\"" : "");
    return DIT_NONE;
}

int dit_tap_count(const dit_graph *g)
{
    return g->tap_count;
}

const char *dit_tap_name(const dit_graph *g, int i)
{
    return g->taps[i].name;
}
