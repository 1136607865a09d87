// graph/ops/route.c: the choices of all tokens in the order of the experts they name, so that an expert finds its
// tokens side by side. Shazeer et al. 2017 (arXiv 1701.06538), section 3.1.
//   chosen: (..., A) i32 or i64, clamped to 0 ..= experts - 1; N tokens, choice n of R = N * A is token n / A's
//   expert, token, choice: (R) i64: choice[r] names expert[r] and is token[r]'s. Experts ascend; of one expert, choices
//   do. places: (N, A) i64: the rows r of a token's choices, ascending
#include "graph/ops/rules.h"

enum { EXPERT, TOKEN, CHOICE, PLACES };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_route_attributes *a = call->attributes;
    dit_status status = dit_rule_ids(call, "route", 0, error);
    if (status)
        return status;
    const dit_shape *chosen = &call->in[0].shape;
    char text[160];
    if (chosen->rank < 1 || chosen->dim[chosen->rank - 1] < 1 || a->experts < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "route: choices %s among %d experts; a token chooses at least one",
                        dit_shape_text(chosen, text), a->experts);
    int64_t R = dit_shape_count(chosen), A = chosen->dim[chosen->rank - 1];
    call->outputs = 4;
    for (int i = 0; i < 4; i++) {
        call->out[i].dtype = DIT_I64;
        call->out[i].shape = i == PLACES ? DIT_SHAPE(R / A, A) : DIT_SHAPE(R);
    }
    return DIT_OK;
}

// Every expert looks through all choices.
static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_route_attributes *a = call->attributes;
    const dit_shape *chosen = &call->in[0].shape;
    int64_t R = dit_shape_count(chosen), A = chosen->dim[chosen->rank - 1], r = 0;
    for (int64_t e = 0; e < a->experts; e++)
        for (int64_t n = 0; n < R; n++)
            if (dit_clamped_id(in[0][n], a->experts) == e) {
                out[EXPERT][r] = (double)e;
                out[TOKEN][r] = (double)(n / A);
                out[CHOICE][r++] = (double)n;
            }
    for (int64_t t = 0, p = 0; t < R / A; t++)
        for (r = 0; r < R; r++)
            if (out[TOKEN][r] == (double)t)
                out[PLACES][p++] = (double)r;
}

const dit_op dit_op_route = {
    .name = "route",
    .shape = shape,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_route_attributes),
};

dit_tensor dit_route(dit_graph *g, dit_tensor chosen, int experts)
{
    struct dit_route_attributes a = {.experts = experts};
    return dit_apply(g, DIT_OP_route, &chosen, 1, &a);
}
