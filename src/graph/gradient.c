// graph/gradient.c: reverse-mode differentiation as ordinary nodes, with values recomputed block by block on request
// (Chen et al. 2016, arXiv 1604.06174).
#include "graph/ops.h"
#include "graph/private.h"
#include <stdlib.h>
#include <string.h>

void dit_recompute_begin(dit_graph *g)
{
    g->recompute = ++g->recompute_blocks;
}

void dit_recompute_end(dit_graph *g)
{
    g->recompute = 0;
}

void dit_recompute_scopes(dit_graph *g, const char *pattern)
{
    g->recompute_pattern = pattern;
}

dit_tensor dit_detach(dit_graph *g, dit_tensor value)
{
    dit_tensor y = dit_reshape(g, value, *dit_shape_of(g, value));
    if (!dit_is_none(y))
        g->nodes[g->node_count - 1].detached = true;
    return y;
}

// The state of one backward pass. Arrays are indexed by the ids of the forward values.
struct pass {
    dit_graph *g;
    int nodes, values;    // of the forward graph
    bool *reached;        // depends on something that a gradient is wanted of
    dit_tensor *gradient; // so far
    dit_tensor *again;    // the value's copy made for the backward pass, or DIT_NONE
    int recomputed;       // the block whose copies have been made last
};

// Which values depend on one of `of`.
static void mark_reached(struct pass *p, const dit_tensor *of, int count)
{
    for (int i = 0; i < count; i++)
        p->reached[of[i].id] = true;
    for (int n = 0; n < p->nodes; n++) {
        const dit_node *node = &p->g->nodes[n];
        bool any = false;
        for (int i = 0; i < node->inputs && !node->detached; i++)
            any |= p->reached[node->in[i]];
        for (int k = 0; any && k < node->outputs; k++)
            p->reached[node->out + k] |= dit_dtype_is_float(p->g->values[node->out + k].dtype);
    }
}

// Describes the nodes of a block once more, from the block's inputs; what the backward pass does not need is dropped by
// the plan. `last` is the block's last node.
static void recompute_block(struct pass *p, int last)
{
    dit_graph *g = p->g;
    int block = g->nodes[last].recompute, first = last;
    while (first > 0 && g->nodes[first - 1].recompute == block)
        first--;
    for (int n = first; n <= last && !g->error.status; n++) {
        dit_node node = g->nodes[n];
        dit_tensor *in = malloc(((size_t)node.inputs + 1) * sizeof *in);
        if (!in) {
            dit_graph_no_memory(g);
            return;
        }
        for (int i = 0; i < node.inputs; i++)
            in[i] = dit_is_none(p->again[node.in[i]]) ? (dit_tensor){node.in[i]} : p->again[node.in[i]];
        dit_tensor out = dit_apply(g, node.op, in, node.inputs, node.attributes);
        free(in);
        for (int k = 0; k < node.outputs && !dit_is_none(out); k++)
            p->again[node.out + k] = (dit_tensor){out.id + k};
    }
    p->recomputed = block;
}

static dit_tensor kept_or_again(const struct pass *p, int value)
{
    return dit_is_none(p->again[value]) ? (dit_tensor){value} : p->again[value];
}

static void add_gradient(struct pass *p, int value, dit_tensor gradient)
{
    dit_tensor sum = p->gradient[value];
    p->gradient[value] = dit_is_none(sum) ? gradient : dit_add(p->g, sum, gradient);
}

// Calls the rule of one application whose outputs have gradients.
static void differentiate(struct pass *p, int n)
{
    dit_graph *g = p->g;
    const dit_node node = g->nodes[n];
    const dit_op *op = dit_op_of(node.op);
    if (!op->gradient) {
        dit_graph_fail(g, DIT_UNSUPPORTED, "%s: %s is not differentiable", node.scope, op->name);
        return;
    }
    if (node.recompute && node.recompute != p->recomputed)
        recompute_block(p, n);
    size_t count = (size_t)node.inputs + 1;
    dit_tensor *in = calloc(2 * count, sizeof *in), *din = in + count, out[DIT_MAX_OUTPUTS], dout[DIT_MAX_OUTPUTS];
    bool *wanted = calloc(count, sizeof *wanted);
    if (!in || !wanted) {
        dit_graph_no_memory(g);
        goto done;
    }
    for (int i = 0; i < node.inputs; i++) {
        in[i] = kept_or_again(p, node.in[i]);
        wanted[i] = node.in[i] && p->reached[node.in[i]];
    }
    for (int k = 0; k < node.outputs; k++) {
        out[k] = kept_or_again(p, node.out + k);
        dout[k] = p->gradient[node.out + k];
    }
    op->gradient(g, &(dit_gradient_call){node.inputs, node.outputs, in, out, dout, wanted, din, node.attributes});
    for (int i = 0; i < node.inputs && !g->error.status; i++) {
        if (!wanted[i] || dit_is_none(din[i]))
            continue;
        if (!dit_shape_equal(dit_shape_of(g, din[i]), dit_shape_of(g, in[i])))
            dit_graph_fail(g, DIT_UNSUPPORTED, "the gradient rule of %s gives input %d another shape", op->name, i);
        else
            add_gradient(p, node.in[i], din[i]);
    }
done:
    free(in);
    free(wanted);
}

static void run_backwards(struct pass *p, dit_tensor loss)
{
    dit_graph *g = p->g;
    const char *outer = g->scope;
    float one = 1;
    p->gradient[loss.id] = dit_constant(g, DIT_F32, *dit_shape_of(g, loss), &one);
    for (int n = p->nodes - 1; n >= 0 && !g->error.status; n--) {
        const dit_node *node = &g->nodes[n];
        bool any = false;
        for (int k = 0; k < node->outputs; k++)
            any |= p->reached[node->out + k] && !dit_is_none(p->gradient[node->out + k]);
        if (!any)
            continue;
        g->scope = node->scope;
        differentiate(p, n);
    }
    g->scope = outer;
}

dit_status dit_graph_gradient(dit_graph *g, dit_tensor loss, const dit_tensor *of, int count, dit_tensor *gradients)
{
    struct pass p = {.g = g, .nodes = g->node_count, .values = g->value_count};
    size_t values = (size_t)p.values + 1;
    if (g->error.status)
        return g->error.status;
    if (dit_shape_count(dit_shape_of(g, loss)) != 1) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "a gradient is taken of a scalar loss");
        return g->error.status;
    }
    p.reached = calloc(values, sizeof *p.reached);
    p.gradient = calloc(values, sizeof *p.gradient);
    p.again = calloc(values, sizeof *p.again);
    if (!p.reached || !p.gradient || !p.again) {
        dit_graph_no_memory(g);
        goto done;
    }
    int open_block = g->recompute;
    g->recompute = 0;
    mark_reached(&p, of, count);
    run_backwards(&p, loss);
    for (int i = 0; i < count && !g->error.status; i++) {
        dit_tensor d = p.gradient[of[i].id];
        if (dit_is_none(d))
            d = dit_filled(g, *dit_shape_of(g, of[i]), 0);
        gradients[i] = dit_dtype_of(g, d) == DIT_F32 ? d : dit_cast(g, d, DIT_F32);
    }
    g->recompute = open_block;
done:
    free(p.reached);
    free(p.gradient);
    free(p.again);
    return g->error.status;
}
