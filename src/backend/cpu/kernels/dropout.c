// backend/cpu/kernels/dropout.c: counters are numbered like elements, so that any thread can draw any of them.
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include "base/random.h"

enum { BLOCKS = 16, DRAWN = 4 * BLOCKS }; // Philox blocks drawn together, one a vector lane, and the numbers they give

// Numbers `first` to `first + DRAWN - 1` of a stream; first is a multiple of 4.
static void draw(uint64_t seed, uint64_t stream, uint64_t first, uint32_t word[DRAWN])
{
#pragma omp simd
    for (int i = 0; i < BLOCKS; i++) {
        dit_philox_block block = dit_counter_block(seed, stream, first / 4 + (uint64_t)i);
        for (int w = 0; w < 4; w++)
            word[4 * i + w] = block.word[w];
    }
}

static void run(const dit_op_call *call)
{
    const struct dit_dropout_attributes *a = call->attributes;
    int64_t count = dit_shape_count(&call->in[0].shape), seed = *(const int64_t *)call->in[1].data;
    const float *from = call->in[0].data;
    float *to = call->out[0].data, scale = 1 / (1 - a->probability);
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK / 4)
    for (int64_t first = 0; first < count; first += DRAWN) {
        uint32_t word[DRAWN];
        int64_t n = count - first < DRAWN ? count - first : DRAWN;
        const float *x = from + first;
        float *y = to + first;
        draw((uint64_t)seed, (uint64_t)a->stream, (uint64_t)first, word);
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            float uniform = (float)(int32_t)(word[i] >> 8) * 0x1p-24f;
            y[i] = uniform >= a->probability ? x[i] * scale : 0;
        }
    }
}

DIT_KERNEL(dropout) = {.run = run, .layout = DIT_DENSE, .in_place = 1};
