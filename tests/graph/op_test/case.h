// tests/graph/op_test/case.h: how a case of an op is written down.
//
//     CASE(softmax, INPUTS(FLOATS(2, 3, 17)), .axis = 1),
//     CASE(concat, INPUTS(ANY(2, 3), ANY(2, 5)), .axis = 1),
//     PERF(add, INPUTS(FLOATS(4096, 1152), FLOATS(1152))),
//
// The last arguments initialise struct dit_NAME_attributes. A case is run in every dtype that its inputs sweep, in
// every memory layout that the kernel accepts, in place where it may be, and as a gradient where the op has one.
// Options go in front: CASE_WITH((.tolerance = 4e-6f, .why = "sums of 4096 products"), linear, INPUTS(...)).
// REFUSE is a call that the op's shape rule must refuse, with a message that names the op; its tensors have no memory,
// so sizes may be absurd.
//
// A group of cases is a file op_test/cases_NAME.c that ends with OP_CASES(NAME), and a row in groups.def.
#ifndef OP_TEST_CASE_H
#define OP_TEST_CASE_H

#include "graph/ops.h"

enum { OP_MAX_INPUTS = 8 };

typedef enum op_values {
    OP_NOT_GIVEN, // the op takes no more inputs
    OP_ABSENT,
    OP_FLOATS,    // uniform in [low, high]; f32, f16 and bf16 in turn
    OP_WEIGHT,    // the same, and also bf16 and f16 while OP_FLOATS are f32
    OP_QUANTIZED, // blocks of every quantised dtype in turn, OP_FLOATS then being f32; rows of multiples of 256
    OP_FIXED,     // uniform in [low, high], always f32, no gradient is asked for (tables, float masks)
    OP_ANY,       // every dtype in turn; uniform in [low, high]
    OP_APART,     // as OP_FLOATS, but shuffled odd multiples of 1/8: no two are equal, none is a multiple of 1/4
    OP_GRID,      // as OP_FLOATS, but multiples of 1/4 within 2: never near an OP_APART value
    OP_I32,       // integers in low ..= high
    OP_I64,
    OP_ASCENDING, // the same, i64, in ascending order
    OP_BOOL,      // true with probability `high`
} op_values;

typedef struct op_input {
    op_values values;
    dit_shape shape;
    float low, high;
} op_input;

#define INPUTS(...) (__VA_ARGS__)
#define OP_SHAPE(...)                                                                                                  \
    {                                                                                                                  \
        sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                                                            \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define FLOATS(...) FLOATS_IN(-2, 2, __VA_ARGS__)
#define FLOATS_IN(low, high, ...)                                                                                      \
    {                                                                                                                  \
        OP_FLOATS, OP_SHAPE(__VA_ARGS__), low, high                                                                    \
    }
#define WEIGHT(...)                                                                                                    \
    {                                                                                                                  \
        OP_WEIGHT, OP_SHAPE(__VA_ARGS__), -1, 1                                                                        \
    }
#define QUANTIZED(...)                                                                                                 \
    {                                                                                                                  \
        OP_QUANTIZED, OP_SHAPE(__VA_ARGS__), -1, 1                                                                     \
    }
#define FIXED(low, high, ...)                                                                                          \
    {                                                                                                                  \
        OP_FIXED, OP_SHAPE(__VA_ARGS__), low, high                                                                     \
    }
#define ANY(...)                                                                                                       \
    {                                                                                                                  \
        OP_ANY, OP_SHAPE(__VA_ARGS__), -50, 50                                                                         \
    }
#define APART(...)                                                                                                     \
    {                                                                                                                  \
        OP_APART, OP_SHAPE(__VA_ARGS__), 0, 0                                                                          \
    }
#define GRID(...)                                                                                                      \
    {                                                                                                                  \
        OP_GRID, OP_SHAPE(__VA_ARGS__), 0, 0                                                                           \
    }
#define I32(low, high, ...)                                                                                            \
    {                                                                                                                  \
        OP_I32, OP_SHAPE(__VA_ARGS__), low, high                                                                       \
    }
#define I64(low, high, ...)                                                                                            \
    {                                                                                                                  \
        OP_I64, OP_SHAPE(__VA_ARGS__), low, high                                                                       \
    }
#define ASCENDING(low, high, ...)                                                                                      \
    {                                                                                                                  \
        OP_ASCENDING, OP_SHAPE(__VA_ARGS__), low, high                                                                 \
    }
#define BOOLS(part, ...)                                                                                               \
    {                                                                                                                  \
        OP_BOOL, OP_SHAPE(__VA_ARGS__), 0, part                                                                        \
    }
#define ABSENT                                                                                                         \
    {                                                                                                                  \
        OP_ABSENT, {0, {0}}, 0, 0                                                                                      \
    }

typedef struct op_case {
    dit_op_id op;
    bool perf;    // large, for the stop-watch only
    bool refused; // by the shape rule
    op_input in[OP_MAX_INPUTS];
    const void *attributes;
    // Options:
    float tolerance;          // of f32 results, relative to the largest one; 0: OP_TOLERANCE
    float gradient_tolerance; // likewise; 0: OP_GRADIENT_TOLERANCE
    const char *why;          // the reason for a tolerance of its own
    bool forward_only;        // no gradient here (kinks, ties); some other case of the op must have one
    unsigned loss_outputs;    // bit k: output k enters the loss of the gradient test; 0: every float output
    bool same_bits;           // the result must not depend on the number of threads
    bool sparse;              // for the stop-watch: reads as much of input 0 as it writes
} op_case;

#define OP_TOLERANCE 1e-6f
#define OP_GRADIENT_TOLERANCE 1e-5f
#define OP_BF16_GRADIENT_TOLERANCE 0x1p-5 // a few roundings of 2^-9

#define OP_UNWRAP(...) __VA_ARGS__
#define CASE_WITH(OPTIONS, NAME, IN, ...)                                                                              \
    {                                                                                                                  \
        .op = DIT_OP_##NAME, .in = {OP_UNWRAP IN}, .attributes = &(const struct dit_##NAME##_attributes){__VA_ARGS__}, \
        OP_UNWRAP OPTIONS                                                                                              \
    }
#define CASE(NAME, IN, ...) CASE_WITH((.perf = false), NAME, IN, __VA_ARGS__)
#define PERF(NAME, IN, ...) CASE_WITH((.perf = true), NAME, IN, __VA_ARGS__)
#define REFUSE(NAME, IN, ...) CASE_WITH((.refused = true), NAME, IN, __VA_ARGS__)

// Whether the gradient test differentiates with respect to such an input.
static inline bool op_is_differentiated(const op_input *in)
{
    return in->values == OP_FLOATS || in->values == OP_WEIGHT || in->values == OP_APART || in->values == OP_GRID ||
           in->values == OP_ANY;
}

typedef struct op_group {
    const op_case *cases;
    int count;
} op_group;

#define OP_CASES(NAME) const op_group op_group_##NAME = {cases, (int)(sizeof cases / sizeof *cases)};
#define GROUP(NAME) extern const op_group op_group_##NAME;
#include "graph/op_test/groups.def"
#undef GROUP

#endif
