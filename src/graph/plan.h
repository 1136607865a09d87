// graph/plan.h: a graph made runnable: dead code dropped, constants folded, neighbours fused, memory planned once.
#ifndef DIT_GRAPH_PLAN_H
#define DIT_GRAPH_PLAN_H

#include "graph/graph.h"
#include <stdio.h>

typedef struct dit_plan dit_plan;

typedef struct dit_plan_options {
    bool no_fusion; // every node runs as described
    bool frozen;    // weights do not change between runs: they may be folded, and rearranged once for their kernels
    // Bytes that the values and the mapped weights may take together; 0: no bound. Weights that do not fit are read
    // from their file in every run, ahead of the steps that use them, and let go after each.
    size_t memory;
    size_t bound;      // on the whole process, of which `memory` is left; for messages only. 0: not known
    bool figures_only; // takes no memory, reads no weight and cannot run: for dit_plan_figures_of
} dit_plan_options;

// Compiles `g`, whose outputs are kept and whose weights are bound from `weights` (a parameter that is not there is an
// error naming it). The graph may be freed afterwards; the weights must outlive the plan.
dit_status dit_plan_new(dit_graph *g, dit_weights *weights, const dit_plan_options *options, dit_plan **plan,
                        dit_error *error);
void dit_plan_free(dit_plan *plan);

// The memory of an input, filled by the caller before a run, or of an output, valid until the next run; data is NULL
// when there is no such name. Inputs keep their contents from run to run.
dit_array dit_plan_input(const dit_plan *plan, const char *name);
dit_array dit_plan_output(const dit_plan *plan, const char *name);

// Refuses inputs whose indices are out of range (dit_input_indexes), naming the input, the index and the range.
dit_status dit_plan_check_inputs(const dit_plan *plan, dit_error *error);

// Runs everything once; allocates nothing. Asked between nodes, `cancelled` (may be NULL) stops the run: DIT_CANCELLED.
dit_status dit_plan_run(dit_plan *plan, bool (*cancelled)(void *context), void *context, dit_error *error);

typedef struct dit_plan_figures {
    int nodes;             // of the graph, that the outputs need
    int steps;             // kernels that run
    int fused;             // nodes that fusion removed
    int folded;            // nodes computed once, when the plan was made
    size_t arena_bytes;    // the one arena
    size_t replaced_bytes; // what all intermediate values would take side by side
    size_t prepared_bytes; // weights rearranged for their kernels
    size_t weight_bytes;   // the weights that it reads, as they are stored
    size_t kept_bytes;     // of mapped weights that stay in memory, as they are stored or rearranged
    size_t streamed_bytes; // of mapped weights that each run reads
    size_t passing_bytes;  // most of the latter in memory at one time; 0 when nothing is streamed
    size_t least_memory;   // the smallest `memory` that it could do with
    double flops;          // of products and convolutions, in one run
} dit_plan_figures;
dit_plan_figures dit_plan_figures_of(const dit_plan *plan);

// Writes the plan as text, one line a step: kernel, shapes, what it fused, where its result lies.
void dit_plan_print(const dit_plan *plan, FILE *file);
// Seconds spent in each op since timing was switched on (it costs a clock read a step).
void dit_plan_time(dit_plan *plan, bool on);
double dit_plan_seconds(const dit_plan *plan, dit_op_id op);

#endif
