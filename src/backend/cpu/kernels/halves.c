// backend/cpu/kernels/halves.c: element-wise loops of floats over f16 and bf16 operands, in runs that stay in the first
// cache: the plan need not widen whole tensors, and memory is read and written as it is stored.
#include "backend/cpu/elementwise.h"
#include "backend/cpu/half.h"

enum { RUN = 512 }; // elements

struct wide_call {
    dit_row_loop loop;
    const void *attributes;
    int operands;
    dit_dtype dtype[DIT_NEST_OPERANDS];
};

// Puts the elements of operand k into `wide` and the part on them: dense, or of stride 0 where one is repeated.
static void widen_operand(const struct wide_call *call, int k, dit_row *part, float *wide)
{
    uint16_t gathered[RUN];
    const uint16_t *x = (const uint16_t *)(const void *)part->at[k];
    int64_t n = part->stride[k] ? part->n : 1;
    if (n > 1 && part->stride[k] != sizeof *x) {
        for (int64_t i = 0; i < n; i++)
            gathered[i] = DIT_ELEMENT(const uint16_t, part, k, i);
        x = gathered;
    }
    dit_widen(call->dtype[k], wide, x, n);
    part->at[k] = (char *)wide;
    part->stride[k] = part->stride[k] ? sizeof *wide : 0;
}

static void loop_over_halves(const dit_row *row, const void *context)
{
    const struct wide_call *call = context;
    float wide[DIT_NEST_OPERANDS][RUN];
    for (int64_t i = 0; i < row->n; i += RUN) {
        dit_row part = {.n = row->n - i < RUN ? row->n - i : RUN};
        for (int k = 0; k < call->operands; k++) {
            part.at[k] = row->at[k] + i * row->stride[k];
            part.stride[k] = row->stride[k];
        }
        dit_row result = part;
        for (int k = 1; k < call->operands; k++)
            if (dit_is_half(call->dtype[k]))
                widen_operand(call, k, &part, wide[k]);
        if (!dit_is_half(call->dtype[0])) {
            call->loop(&part, call->attributes);
            continue;
        }
        part.at[0] = (char *)wide[0];
        part.stride[0] = sizeof(float);
        call->loop(&part, call->attributes);
        if (result.stride[0] == sizeof(uint16_t)) {
            dit_round(call->dtype[0], (uint16_t *)(void *)result.at[0], wide[0], part.n);
        } else {
            uint16_t rounded[RUN];
            dit_round(call->dtype[0], rounded, wide[0], part.n);
            for (int64_t j = 0; j < part.n; j++)
                DIT_ELEMENT(uint16_t, &result, 0, j) = rounded[j];
        }
    }
}

void DIT_CPU_SYMBOL(dit_run_halves)(const dit_op_call *call, int cost, dit_row_loop loop)
{
    const dit_view *operand[DIT_NEST_OPERANDS] = {&call->out[0]};
    struct wide_call wide = {loop, call->attributes, call->inputs + 1, {call->out[0].dtype}};
    for (int i = 0; i < call->inputs; i++) {
        operand[i + 1] = &call->in[i];
        wide.dtype[i + 1] = call->in[i].dtype;
    }
    dit_nest nest = dit_nest_of(&call->out[0].shape, operand, call->inputs + 1, true);
    dit_nest_run(&nest, cost, loop_over_halves, &wide);
}
