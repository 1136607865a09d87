// graph/plan_private.h: what a plan is made of, for the files that make it.
//
// A plan is made in stages, each one file: import (plan_import.c: the live part of the graph), folding (plan_fold.c),
// fusion (fuse/), layout (plan_layout.c: views, and the copies and casts that kernels ask for), memory (plan_memory.c:
// lifetimes, in-place, one arena), weights (plan_weights.c: which stay in memory, and in which form), and binding
// (plan.c: every pointer of every kernel call).
#ifndef DIT_GRAPH_PLAN_PRIVATE_H
#define DIT_GRAPH_PLAN_PRIVATE_H

#include "graph/plan.h"
#include "graph/private.h"
#include "graph/read_ahead.h"

typedef struct plan_value {
    dit_value_kind kind;
    dit_dtype dtype;
    dit_shape shape;
    const char *name;   // of an input or a parameter
    const void *data;   // of a constant
    dit_weight *weight; // of a parameter
    int producer;       // the step that computes it, or -1
    int uses;           // by live steps and as an output of the plan
    bool output;        // kept after the run
    int64_t indexes;    // an input of integers: how many rows it indexes; 0: not said
    // Set by the layout stage: the value is elements of a buffer.
    int buffer;
    int64_t offset, stride[DIT_MAX_RANK];
} plan_value;

typedef struct plan_step {
    dit_op_id op;
    int inputs, outputs;
    int *in; // value numbers; 0: absent
    int out;
    void *attributes;
    const char *scope;
    int absorbed; // nodes that fusion put into this one
    const dit_kernel *kernel;
    int workspace; // buffer, or -1
    dit_op_call call;
} plan_step;

enum { FIRST = -1, LAST = 1 << 30 }; // lifetimes of what is filled before and read after a run

// What the plan makes of one weight.
typedef struct plan_weight {
    dit_weight *weight;
    int first;               // the first step that uses it, or -1
    size_t stored, prepared; // bytes as stored, and as kernel `by` arranges it (0: no kernel does)
    const dit_kernel *by;
    bool mapped; // its memory may go: a file gives it again
    bool whole;  // some step reads all of it, not only some rows
    bool kept;   // in memory between the steps
    bool held;   // the plan is one of the prepared form's users
} plan_weight;

typedef struct plan_buffer {
    size_t bytes;
    int first, last;     // steps between which it holds something; first > last: never
    size_t offset;       // in the arena
    void *outside;       // memory that is not in the arena: a constant's or a weight's
    plan_weight *weight; // whose memory it is, or NULL
    int shares;          // the buffer whose memory this one takes over (in place), or -1
} plan_buffer;

struct dit_plan {
    dit_arena *arena; // descriptions
    plan_value *values;
    int value_count; // number 0 is no value
    size_t value_capacity;
    plan_step *steps;
    int step_count;
    size_t step_capacity;
    plan_buffer *buffers;
    int buffer_count;
    size_t buffer_capacity;
    dit_named_value *inputs, *outputs;
    int input_count, output_count;
    dit_plan_options options;
    dit_plan_figures figures;
    dit_weights *weights;
    dit_weight_read *reads; // uses of mapped weights that are let go after them, in the order of steps
    int read_count;
    dit_read_ahead *ahead; // reads them; NULL when there are none
    void *memory;          // the arena of values
    bool timed;
    double *seconds; // [DIT_OPS] when timed
};

// A graph value whose result is known before the plan runs.
typedef struct plan_folded {
    dit_array *of; // by graph value; data NULL: not folded. The arrays' data belongs to `arena`.
    dit_arena *arena;
    int count; // nodes folded
} plan_folded;

// Copies what `outputs` need. Values in `folded` (may be NULL) arrive as constants.
dit_status dit_plan_import(dit_plan *plan, const dit_graph *g, dit_weights *weights, const dit_named_value *outputs,
                           int output_count, const plan_folded *folded, dit_error *error);
// Computes what depends on constants (and frozen weights) alone.
dit_status dit_plan_fold(const dit_graph *g, dit_weights *weights, const dit_plan_options *options, plan_folded *folded,
                         dit_error *error);
// Makes a plan from the imported part; folding and every later stage call it for their own.
dit_status dit_plan_build(const dit_graph *g, dit_weights *weights, const dit_named_value *outputs, int output_count,
                          const plan_folded *folded, const dit_plan_options *options, dit_plan **plan,
                          dit_error *error);
// Applies every rule of fuse/fuse.def, and drops what is no longer used.
void dit_plan_fuse(dit_plan *plan);
// Gives every value a place in a buffer; inserts copies and casts.
dit_status dit_plan_lay_out(dit_plan *plan, dit_error *error);
// Lifetimes, in-place, offsets; sets the size of the arena.
dit_status dit_plan_place(dit_plan *plan, dit_error *error);

// Decides which weights stay in memory under the plan's bound, and sets the figures; asks before anything is allocated.
dit_status dit_plan_choose_weights(dit_plan *plan, dit_error *error);
// After binding: rearranges what stays and starts reading ahead what does not.
dit_status dit_plan_hold_weights(dit_plan *plan, dit_error *error);
void dit_plan_let_go_of_weights(dit_plan *plan);

// Shared by the stages.
int dit_plan_add_value(dit_plan *plan, plan_value value);    // 0 when memory is out
int dit_plan_add_buffer(dit_plan *plan, plan_buffer buffer); // -1 when memory is out
void dit_plan_count_uses(dit_plan *plan);                    // also drops steps that nothing uses
void dit_plan_call_of(const dit_plan *plan, const plan_step *step, dit_op_call *call); // shapes and strides, no data

#endif
