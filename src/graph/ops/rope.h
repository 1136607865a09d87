// graph/ops/rope.h: what rope and its fusion with the norm of queries and keys share.
#ifndef DIT_GRAPH_OPS_ROPE_H
#define DIT_GRAPH_OPS_ROPE_H

#include "graph/ops/rules.h"

// Checks x, input 0, (B, T, H, D) with even D, against the table, input `table`: (T, D/2, 2) or (B, T, D/2, 2).
static inline dit_status dit_rope_check(const dit_op_call *call, const char *op, int table, dit_error *error)
{
    dit_status status = dit_rule_float(call, op, 0, error);
    if (status || (status = dit_rule_float(call, op, table, error)))
        return status;
    const dit_shape *x = &call->in[0].shape, *t = &call->in[table].shape;
    bool fits = x->rank == 4 && x->dim[3] % 2 == 0 && (t->rank == 3 || (t->rank == 4 && t->dim[0] == x->dim[0])) &&
                t->dim[t->rank - 3] == x->dim[1] && t->dim[t->rank - 2] == x->dim[3] / 2 && t->dim[t->rank - 1] == 2;
    char a[160], b[160];
    if (!fits)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "%s: x %s is not (B, T, H, D), or the table %s is no (T, D/2, 2) or "
                        "(B, T, D/2, 2) for it",
                        op, dit_shape_text(x, a), dit_shape_text(t, b));
    return DIT_OK;
}

// Turns one head: y = x under the rotation of every pair by its angle. x and y may be the same.
static inline void dit_rope_turn(const double *x, const double *table, double *y, int64_t D, bool interleaved,
                                 bool inverse)
{
    for (int64_t i = 0; i < D / 2; i++) {
        int64_t first = interleaved ? 2 * i : i, second = interleaved ? 2 * i + 1 : i + D / 2;
        double c = table[2 * i], s = inverse ? -table[2 * i + 1] : table[2 * i + 1], a = x[first], b = x[second];
        y[first] = a * c - b * s;
        y[second] = b * c + a * s;
    }
}

// Where the table's row for token t of batch element b starts.
static inline int64_t dit_rope_row(const dit_shape *table, int64_t b, int64_t t)
{
    int64_t T = table->dim[table->rank - 3];
    return ((table->rank == 4 ? b * T : 0) + t) * table->dim[table->rank - 2] * 2;
}

#endif
