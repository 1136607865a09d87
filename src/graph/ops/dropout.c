// graph/ops/dropout.c: each element becomes 0 with the given probability, and is divided by 1 - probability otherwise.
// Srivastava et al. 2014. Element i is dropped when number i of the counter-based stream (seed, stream) is below the
// probability (base/random.h), so a run depends on neither threads nor order, and the backward pass draws the same
// mask.
//   x: float     seed: one i64, new for every step     probability: 0 <= p < 1     y: like x
//   stream: tells the dropouts of a graph apart; the builder numbers them
// Backward: dropout of dy with the same seed and stream.
#include "base/random.h"
#include "graph/ops/rules.h"
#include "graph/private.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_dropout_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "dropout", 2, error);
    if (status || (status = dit_rule_float(call, "dropout", 0, error)))
        return status;
    const dit_view *seed = &call->in[1];
    char text[160];
    if (seed->dtype != DIT_I64 || dit_shape_count(&seed->shape) != 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "dropout: the seed is %s %s; it must be one i64",
                        dit_dtype_name(seed->dtype), dit_shape_text(&seed->shape, text));
    if (!(a->probability >= 0 && a->probability < 1))
        return dit_fail(error, DIT_BAD_ARGUMENT, "dropout: the probability is %g; it must be in 0 <= p < 1",
                        (double)a->probability);
    return dit_shape_like_float(call, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_apply(g, DIT_OP_dropout, (dit_tensor[]){c->dout[0], c->in[1]}, 2, c->attributes);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_dropout_attributes *a = call->attributes;
    int64_t count = dit_shape_count(&call->in[0].shape);
    uint64_t seed = (uint64_t)(int64_t)in[1][0];
    for (int64_t i = 0; i < count; i++) {
        bool kept = dit_counter_uniform(seed, (uint64_t)a->stream, (uint64_t)i) >= a->probability;
        out[0][i] = kept ? in[0][i] / (1 - (double)a->probability) : 0;
    }
}

const dit_op dit_op_dropout = {
    .name = "dropout",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_dropout_attributes),
};

dit_tensor dit_dropout(dit_graph *g, dit_tensor x, dit_tensor seed, float probability)
{
    struct dit_dropout_attributes a = {.probability = probability, .stream = g->node_count};
    return dit_apply(g, DIT_OP_dropout, (dit_tensor[]){x, seed}, 2, &a);
}
