// backend/cpu/kernels/route.c: a counting sort: one pass counts each expert's choices, one puts them in their places.
#include "backend/cpu/ids.h"
#include "backend/cpu/isa.h"
#include <string.h>

static void run(const dit_op_call *call)
{
    const struct dit_route_attributes *a = call->attributes;
    const dit_view *chosen = &call->in[0];
    const dit_shape *s = &chosen->shape;
    int64_t *expert = call->out[0].data, *token = call->out[1].data, *choice = call->out[2].data,
            *places = call->out[3].data;
    int64_t A = s->dim[s->rank - 1], R = dit_shape_count(s);
    int64_t *next = call->workspace; // (experts): how many choices so far, then where an expert's next one goes
    memset(next, 0, (size_t)a->experts * sizeof *next);
    for (int64_t n = 0; n < R; n++)
        next[dit_id(chosen, n, a->experts)]++;
    for (int64_t e = 0, before = 0; e < a->experts; e++) {
        int64_t own = next[e];
        next[e] = before;
        before += own;
    }
    for (int64_t n = 0; n < R; n++) {
        int64_t e = dit_id(chosen, n, a->experts), r = next[e]++;
        expert[r] = e;
        token[r] = n / A;
        choice[r] = n;
        int64_t *own = places + n / A * A, i = n % A; // of the token, sorted so far
        for (; i > 0 && own[i - 1] > r; i--)
            own[i] = own[i - 1];
        own[i] = r;
    }
}

static size_t workspace(const dit_op_call *call)
{
    return (size_t)((const struct dit_route_attributes *)call->attributes)->experts * sizeof(int64_t);
}

DIT_KERNEL(route) = {.run = run, .workspace = workspace, .layout = DIT_DENSE};
