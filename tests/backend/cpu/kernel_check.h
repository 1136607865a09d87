// tests/backend/cpu/kernel_check.h: runs one kernel of one instruction set on operands that lie in memory as asked, and
// compares with the op's float64 reference. Memory around every buffer, and in the gaps of strided ones, is watched.
#ifndef DIT_TESTS_BACKEND_CPU_KERNEL_CHECK_H
#define DIT_TESTS_BACKEND_CPU_KERNEL_CHECK_H

#include "backend/cpu/cpu.h"
#include "check.h"

// How an operand lies in memory.
typedef enum lie {
    DENSE,
    GAPS,       // every axis is longer in memory than it is seen
    TRANSPOSED, // the last two axes are exchanged in memory
    HEADS_OUT,  // axes 1 and 2 are exchanged in memory, as heads and tokens are
    REPEATED,   // axis 0 has stride 0
    ABSENT,
} lie;

typedef struct operand {
    dit_dtype dtype;
    dit_shape shape;
    lie lie;
    double scale; // of its values, uniform in [-scale, scale]; 0: 1
} operand;

enum { MOST_OPERANDS = 8 };

typedef struct kernel_case {
    dit_op_id op;
    const void *attributes;
    int inputs;
    operand in[MOST_OPERANDS];
    bool prepared;    // through `prepare`
    int in_place;     // 1 + the input whose memory output 0 takes; 0: none
    double tolerance; // of each output: max |difference| <= tolerance * max(typical, max |reference|)
    double typical;   // the size of a usual result, for when the largest of a few happens to be small
    double (*adjust)(int input, int64_t i, double value); // changes values before the run; NULL: none
} kernel_case;

// Fails the test, naming the set, when the kernel and the reference differ. `what` names the case.
void check_kernel(dit_isa isa, const kernel_case *c, const char *what);

// What rounding may do to a sum of k products: half an ulp a step, in random directions, and a few ulp for the rest.
double tolerance_of_sum(int64_t k);

// Runs `check` for every instruction set of this machine.
void for_every_isa(void (*check)(dit_isa isa));

#endif
