// graph/graph.h: a model described as a list of op applications.
//
// Describing costs nothing and computes nothing: a value is a number into the graph, and its shape is known at once. A
// plan (graph/plan.h) makes a graph runnable. The first error is kept in the graph with the scope where it arose, and
// later calls return DIT_NONE without doing anything, so a model file has no error plumbing.
#ifndef DIT_GRAPH_GRAPH_H
#define DIT_GRAPH_GRAPH_H

#include "backend/kernel.h"
#include "base/arena.h"
#include "graph/weights.h"

typedef struct dit_graph dit_graph;

// A value of a graph. Zero is no value: an absent optional operand.
typedef struct dit_tensor {
    int id;
} dit_tensor;
#define DIT_NONE ((dit_tensor){0})
static inline bool dit_is_none(dit_tensor t)
{
    return t.id == 0;
}

// `weights` (borrowed, may be NULL: then parameters are only declared, as f32) is where parameters are looked up for
// their storage format and, at once, for their shape. NULL when memory is out.
dit_graph *dit_graph_new(dit_weights *weights);
void dit_graph_free(dit_graph *g);

// The graph's error; model code that finds a bad configuration calls dit_graph_fail, which prefixes the scope.
dit_error *dit_graph_error(dit_graph *g);
void dit_graph_fail(dit_graph *g, dit_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Values
// ---------------------------------------------------------------------------------------------------------------

// A tensor that is filled in before every run, found by name.
dit_tensor dit_input(dit_graph *g, const char *name, dit_dtype dtype, dit_shape shape);
// Says that an input of integers holds indices into `count` rows: dit_plan_check_inputs refuses others. For what is no
// input it does nothing.
void dit_input_indexes(dit_graph *g, dit_tensor input, int64_t count);
// A tensor known now; the data is copied.
dit_tensor dit_constant(dit_graph *g, dit_dtype dtype, dit_shape shape, const void *data);
dit_tensor dit_scalar(dit_graph *g, float value);                  // () f32
dit_tensor dit_filled(dit_graph *g, dit_shape shape, float value); // f32: one stored element, expanded
// A weight, by its name inside the present scope ("attn1.to_q.weight"), with how a new model starts it.
dit_tensor dit_parameter(dit_graph *g, const char *name, dit_shape shape, dit_initial initial);
// Whether weights are open that hold a tensor of this name inside the present scope.
bool dit_parameter_stored(dit_graph *g, const char *name);
// An extent of it as it is stored; 0 when it is not.
int64_t dit_parameter_stored_extent(dit_graph *g, const char *name, int axis);
// A tensor that files carry beside the parameters and that is not trained, such as a table of positions, in the file's
// storage format; DIT_NONE where no weights are open or they lack it.
dit_tensor dit_buffer(dit_graph *g, const char *name, dit_shape shape);
// The elements of a constant; NULL for any other value.
const void *dit_constant_data(const dit_graph *g, dit_tensor t);
// Marks a value to be read after every run, by name.
void dit_output(dit_graph *g, const char *name, dit_tensor value);

const dit_shape *dit_shape_of(const dit_graph *g, dit_tensor t); // a scalar's for DIT_NONE and after an error
dit_dtype dit_dtype_of(const dit_graph *g, dit_tensor t);
int64_t dit_extent(const dit_graph *g, dit_tensor t,
                   int axis); // negative axes count from the end; 1 when there is none

// Applying ops
// ---------------------------------------------------------------------------------------------------------

// Appends one application of an op. The builders of graph/ops.h call it. Returns output 0, or DIT_NONE after an error.
// `attributes` (the op's struct, or NULL) is copied.
dit_tensor dit_apply(dit_graph *g, dit_op_id op, const dit_tensor *in, int inputs, const void *attributes);
// Output `k` of the application that made `output0`.
dit_tensor dit_sibling(dit_graph *g, dit_tensor output0, int k);

// Scopes and taps
// ------------------------------------------------------------------------------------------------------

// Names between push and pop are "scope.name". DIT_SCOPE(g, "blocks.%d", i) { ... } does both; do not leave it by
// return.
void dit_scope_push(dit_graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
void dit_scope_pop(dit_graph *g);
#define DIT_SCOPE(g, ...) DIT_SCOPE_AT(g, __LINE__, __VA_ARGS__)
#define DIT_SCOPE_AT(g, line, ...) DIT_SCOPE_ON_LINE(g, line, __VA_ARGS__)
#define DIT_SCOPE_ON_LINE(g, line, ...) DIT_SCOPE_NAMED(g, dit_scope_open_##line, __VA_ARGS__)
#define DIT_SCOPE_NAMED(g, open, ...)                                                                                  \
    for (int open = (dit_scope_push((g), __VA_ARGS__), 1); open; open = 0, dit_scope_pop(g))
// The full name of `name` in the present scope. The graph owns the text.
const char *dit_scope_name(dit_graph *g, const char *name);

// Names an inner value "<scope>.<name>", so that it can be read, replaced, or given a loss from outside. Returns the
// value to go on with: `value` itself, or what a replacement registered for it returns.
dit_tensor dit_tap(dit_graph *g, const char *name, dit_tensor value);
// The value of a tap after the model was described; DIT_NONE and an error naming the nearest tap when there is none.
dit_tensor dit_tap_read(dit_graph *g, const char *full_name);
// Registered before the model is described: whenever a tap whose full name matches `pattern` ('*' matches any text) is
// made, the model goes on with replace(g, full name, value, context).
typedef dit_tensor (*dit_tap_replace)(dit_graph *g, const char *full_name, dit_tensor value, void *context);
void dit_tap_on(dit_graph *g, const char *pattern, dit_tap_replace replace, void *context);
// All taps in the order of their making.
int dit_tap_count(const dit_graph *g);
const char *dit_tap_name(const dit_graph *g, int i);

// Gradients
// ------------------------------------------------------------------------------------------------------------

// Values made between these two are computed again in the backward pass instead of being kept from the forward pass.
void dit_recompute_begin(dit_graph *g);
void dit_recompute_end(dit_graph *g);
// From now on every scope whose full name matches `pattern` ("transformer_blocks.*"; borrowed) is such a block, inner
// scopes included: so a training recipe chooses it, not the model.
void dit_recompute_scopes(dit_graph *g, const char *pattern);

// The same value, which no gradient passes.
dit_tensor dit_detach(dit_graph *g, dit_tensor value);

// Appends the backward pass of `loss` (a scalar) and gives d loss / d of[i] in gradients[i], f32 of the shape of of[i]
// (zeros where the loss does not depend on it). `of` may be parameters, inputs or inner values.
dit_status dit_graph_gradient(dit_graph *g, dit_tensor loss, const dit_tensor *of, int count, dit_tensor *gradients);

// The parameters in the order of their declaration. A parameter declared twice under one name is one parameter.
int dit_parameter_count(const dit_graph *g);
dit_tensor dit_parameter_at(const dit_graph *g, int i);
const char *dit_parameter_name(const dit_graph *g, dit_tensor parameter);
dit_initial dit_parameter_initial(const dit_graph *g, dit_tensor parameter);
// Adds every declared parameter to `weights`, f32, started as declared with the counter-based generator of `seed`: the
// same seed gives the same model whatever the order of declaration.
dit_status dit_parameters_create(const dit_graph *g, dit_weights *weights, uint64_t seed, dit_error *error);

// The definition of an op
// ----------------------------------------------------------------------------------------------

// What a gradient rule is given: one application, the gradients of its outputs (DIT_NONE where the loss does not depend
// on one), which inputs want a gradient, and where to put them (left DIT_NONE: no gradient).
typedef struct dit_gradient_call {
    int inputs, outputs;
    const dit_tensor *in, *out, *dout;
    const bool *wanted;
    dit_tensor *din;
    const void *attributes;
} dit_gradient_call;

typedef struct dit_op {
    const char *name;
    // Checks the inputs' dtypes, shapes and attributes, and sets out[k].dtype and out[k].shape, and call->outputs when
    // the op has more than one.
    dit_status (*shape)(dit_op_call *call, dit_error *error);
    // Appends the nodes that compute din from dout. NULL: not differentiable.
    void (*gradient)(dit_graph *g, const dit_gradient_call *c);
    // Plain loops in float64 over dense arrays (integers and booleans as doubles too; absent inputs are NULL): what the
    // kernels are tested against. The call carries shapes and attributes, no data.
    void (*reference)(const dit_op_call *call, const double *const *in, double *const *out);
    // A view op instead gives its output's strides and the offset, in elements, of its first one; false: not possible
    // without copying the input first.
    bool (*view)(const dit_op_call *call, int64_t *stride, int64_t *offset);
    // Floating-point operations of a product or convolution; NULL for other ops.
    double (*flops)(const dit_op_call *call);
    size_t attribute_bytes;
} dit_op;

// The definition of an op by its number.
const dit_op *dit_op_of(dit_op_id id);

#endif
