// tests/graph/op_test/harness.h: one case in one dtype and layout, ready to run.
#ifndef OP_TEST_HARNESS_H
#define OP_TEST_HARNESS_H

#include "backend/cpu/cpu.h"
#include "graph/op_test/case.h"

// How a run lays its inputs out. Gaps hold NaN bytes.
typedef enum op_layout {
    OP_DENSE,
    OP_ROWS,     // gaps between rows
    OP_REPEATED, // the first axis with several elements has stride 0, unless it is the last one
    OP_PERMUTED, // the first axis is the innermost in memory, with gaps
    OP_NEGATIVE, // every axis backwards
    OP_SPREAD,   // the last axis has stride 0
    OP_LAYOUTS,
} op_layout;
extern const char *const op_layout_names[OP_LAYOUTS];

// The dtypes of one step of a case's sweep.
typedef struct op_sweep {
    dit_dtype floats, weight, any;
} op_sweep;
// Step i of the sweep; false after the last one.
bool op_sweep_step(const op_case *c, int i, op_sweep *sweep);
// DIT_DTYPES for an absent input.
dit_dtype op_input_dtype(const op_input *in, op_sweep sweep);

// A call with its data. Everything in it is owned; op_run_free frees it.
typedef struct op_run {
    const op_case *c;
    const dit_op *op;
    const dit_kernel *kernel;      // NULL: a view op
    dit_op_call declared, call;    // as the graph has it; as the kernel gets it (floats widened, views)
    dit_view in[2][OP_MAX_INPUTS]; // of the two calls
    dit_view out[2][DIT_MAX_OUTPUTS];
    double *exact_in[OP_MAX_INPUTS];        // the same values, dense; NULL: absent
    double *exact_out[DIT_MAX_OUTPUTS];     // what the reference gives for them
    void *memory[OP_MAX_INPUTS];            // behind in
    unsigned char *result[DIT_MAX_OUTPUTS]; // behind out, with guards around
} op_run;

// Makes inputs, asks the shape rule, makes room for outputs, and, if asked, for the reference's. False, with the reason
// printed, when the op refuses the case.
bool op_run_make(op_run *run, const op_case *c, const dit_kernel *kernel, op_sweep sweep, op_layout layout,
                 bool reference);
void op_run_free(op_run *run);
void op_run_clear_outputs(op_run *run); // NaN bytes everywhere
// "concat (2, 3) f16, (2, 5) f16".
char *op_run_text(const op_run *run, char text[600]);

// The largest error of output k as it is in memory, relative to what is allowed: at most 1 is right. *at is where it
// is. Writing outside the output is an infinite error.
double op_run_worst(const op_run *run, int k, int64_t *at);

// A fault put into every result, so that the harness itself is tested: whatever is checked must fail.
typedef enum op_fault {
    OP_NO_FAULT,
    OP_FAULT_VALUE,   // one element is off by three times what is allowed
    OP_FAULT_HOLE,    // one element was not written
    OP_FAULT_OVERRUN, // one byte after the output was
} op_fault;
extern op_fault op_injected;
void op_run_inject(op_run *run);

// One test each; they print what is wrong and return the number of failures. `worst` collects the largest error
// relative to what is allowed. `isa` chooses the kernels of the forward test; the gradient test runs plans, whose
// kernels are those of dit_cpu_start.
int op_test_forward(const op_case *c, dit_isa isa, bool quiet, double *worst);
int op_test_refusal(const op_case *c);
int op_test_gradient(const op_case *c, bool quiet, double *worst);
void op_measure(const op_case *c, dit_isa isa);

#endif
