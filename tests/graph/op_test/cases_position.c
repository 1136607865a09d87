// tests/graph/op_test/cases_position.c: positions, times, and dropout.
#include "graph/op_test/case.h"

// cos and sin of angles up to 2000 in float: half a unit in the last place of the angle is 6e-5.
#define LARGE_ANGLES .tolerance = 1.3e-4f, .why = "the contract rounds angles of up to 1000 to float"

static const op_case cases[] = {
    CASE(rope_table, INPUTS(FIXED(-8, 8, 5, 1)), .axes = 1, .split = {6}, .theta = 10000, .angles = DIT_F64),
    CASE(rope_table, INPUTS(FIXED(0, 3000, 7, 2)), .axes = 2, .split = {4, 8}, .theta = 10000, .angles = DIT_F64),
    CASE(rope_table, INPUTS(FIXED(-500, 3000, 2, 7, 3)), .axes = 3, .split = {16, 56, 56}, .theta = 256,
         .angles = DIT_F32),
    CASE(rope_table, INPUTS(FIXED(0, 64, 3, 3)), .axes = 3, .split = {0, 2, 4}, .theta = 1e6f, .angles = DIT_F32),
    CASE(rope_table, INPUTS(FIXED(0, 64, 150, 2)), .axes = 2, .split = {32, 32}, .theta = 10000, .angles = DIT_F64),

    CASE(rope, INPUTS(FLOATS(2, 3, 2, 6), FIXED(-1, 1, 3, 3, 2)), .interleaved = true),
    CASE(rope, INPUTS(FLOATS(2, 3, 2, 6), FIXED(-1, 1, 2, 3, 3, 2)), .interleaved = false),
    CASE(rope, INPUTS(FLOATS(1, 4, 3, 64), FIXED(-1, 1, 4, 32, 2)), .interleaved = true, .inverse = true),
    CASE(rope, INPUTS(FLOATS(2, 5, 3, 72), FIXED(-1, 1, 2, 5, 36, 2)), .interleaved = false, .inverse = true),
    CASE(rope, INPUTS(FLOATS(1, 2, 2, 2052), FIXED(-1, 1, 2, 1026, 2)), .interleaved = true),
    CASE(rope, INPUTS(FLOATS(1, 2, 2, 2052), FIXED(-1, 1, 2, 1026, 2)), .interleaved = false),
    CASE(rope, INPUTS(FLOATS(2, 96, 3, 64), FIXED(-1, 1, 96, 32, 2)), .interleaved = true),

    CASE(qk_norm_rope, INPUTS(FLOATS(2, 3, 2, 6), WEIGHT(6), FIXED(-1, 1, 3, 3, 2)), .eps = 1e-6f, .interleaved = true),
    CASE(qk_norm_rope, INPUTS(FLOATS(2, 3, 2, 6), ABSENT, FIXED(-1, 1, 2, 3, 3, 2)), .eps = 1e-5f),
    CASE(qk_norm_rope, INPUTS(FLOATS(1, 5, 3, 72), WEIGHT(72), FIXED(-1, 1, 5, 36, 2)), .eps = 1e-6f),
    CASE(qk_norm_rope, INPUTS(FLOATS(1, 4, 3, 64), ABSENT, FIXED(-1, 1, 4, 32, 2)), .eps = 0.5f, .interleaved = true),
    CASE(qk_norm_rope, INPUTS(FLOATS(1, 2, 2, 2052), WEIGHT(2052), FIXED(-1, 1, 2, 1026, 2)), .eps = 1e-6f,
         .interleaved = true),
    CASE(qk_norm_rope, INPUTS(FLOATS(1, 2, 2, 2052), WEIGHT(2052), FIXED(-1, 1, 2, 1026, 2)), .eps = 1e-6f),

    CASE(timestep_embedding, INPUTS(FLOATS_IN(0, 3, 5)), .width = 8, .flip = true, .shift = 0, .max_period = 10000,
         .scale = 1),
    CASE(timestep_embedding, INPUTS(FLOATS_IN(-2, 2, 2, 3)), .width = 9, .flip = false, .shift = 1, .max_period = 100,
         .scale = 2.5f),
    CASE(timestep_embedding, INPUTS(FLOATS_IN(0, 1)), .width = 1, .shift = 0, .max_period = 10000, .scale = 1),
    CASE(timestep_embedding, INPUTS(I64(0, 3, 4)), .width = 6, .flip = true, .shift = 0, .max_period = 10000,
         .scale = 1),
    CASE_WITH((LARGE_ANGLES, .forward_only = true), timestep_embedding, INPUTS(FLOATS_IN(0, 1000, 130)), .width = 256,
              .flip = true, .shift = 0, .max_period = 10000, .scale = 1),
    CASE_WITH((LARGE_ANGLES), timestep_embedding, INPUTS(I32(0, 999, 4)), .width = 320, .flip = false, .shift = 1,
              .max_period = 10000, .scale = 1),

    CASE_WITH((.same_bits = true), dropout, INPUTS(FLOATS(3, 7), I64(5, 5)), .probability = 0.5f, .stream = 3),
    CASE_WITH((.same_bits = true), dropout, INPUTS(FLOATS(1001), I64(-77, 77)), .probability = 0.1f, .stream = 1),
    CASE_WITH((.same_bits = true), dropout, INPUTS(FLOATS(90, 333), I64(0, 1000000, 1)), .probability = 0.9f),
    CASE(dropout, INPUTS(FLOATS(64), I64(1, 1)), .probability = 0),

    PERF(rope_table, INPUTS(FIXED(0, 64, 4096, 3)), .axes = 3, .split = {16, 56, 56}, .theta = 10000,
         .angles = DIT_F64),
    PERF(rope, INPUTS(FLOATS(2, 1024, 16, 72), FIXED(-1, 1, 1024, 36, 2)), .interleaved = true),
    PERF(rope, INPUTS(FLOATS(2, 1024, 16, 72), FIXED(-1, 1, 1024, 36, 2)), .interleaved = false),
    PERF(rope, INPUTS(FLOATS(1, 1024, 24, 128), FIXED(-1, 1, 1024, 64, 2)), .interleaved = true),
    PERF(qk_norm_rope, INPUTS(FLOATS(2, 1024, 16, 72), WEIGHT(72), FIXED(-1, 1, 1024, 36, 2)), .eps = 1e-6f,
         .interleaved = true),
    PERF(qk_norm_rope, INPUTS(FLOATS(1, 1024, 24, 128), WEIGHT(128), FIXED(-1, 1, 1024, 64, 2)), .eps = 1e-6f),
    PERF(timestep_embedding, INPUTS(FLOATS_IN(0, 1000, 64)), .width = 256, .flip = true, .max_period = 10000,
         .scale = 1),
    PERF(dropout, INPUTS(FLOATS(2048, 1152), I64(1, 1)), .probability = 0.1f),
};

OP_CASES(position)
