// graph/plan_fold.c: what depends on constants alone is computed once, by a small plan of its own.
#include "graph/plan_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Bytes: a larger result is not worth keeping, and what is made of weights least of all when memory is bounded.
// Of all results together MOST_FOLDED are kept: a table of positions for every layer adds up.
enum { LARGEST_FOLDED = 64 << 20, LARGEST_FOLDED_BOUNDED = 1 << 20, MOST_FOLDED = 256 << 20 };

static size_t value_bytes(const dit_value *v)
{
    dit_array array = {v->dtype, v->shape, NULL};
    return dit_array_bytes(&array);
}

// known[v]: v can be computed before any run.
static void mark_known(const dit_graph *g, const dit_plan_options *options, bool *known)
{
    const size_t largest = options->memory ? LARGEST_FOLDED_BOUNDED : LARGEST_FOLDED;
    const bool frozen = options->frozen && !options->figures_only;
    for (int v = 1; v <= g->value_count; v++)
        known[v] = g->values[v].kind == DIT_VALUE_CONSTANT || (frozen && g->values[v].kind == DIT_VALUE_PARAMETER);
    for (int n = 0; n < g->node_count; n++) {
        const dit_node *node = &g->nodes[n];
        bool all = true;
        for (int i = 0; i < node->inputs; i++)
            all &= !node->in[i] || known[node->in[i]];
        for (int k = 0; k < node->outputs; k++)
            known[node->out + k] = all && value_bytes(&g->values[node->out + k]) <= largest;
    }
}

// A view costs nothing at run time: what is worth computing is what it looks at.
static int behind_views(const dit_graph *g, int v)
{
    while (g->values[v].kind == DIT_VALUE_COMPUTED) {
        const dit_node *node = &g->nodes[g->values[v].node];
        if (!dit_op_of(node->op)->view)
            break;
        v = node->in[0];
    }
    return v;
}

// needed[v]: an output depends on v.
static void mark_needed(const dit_graph *g, bool *needed)
{
    for (int i = 0; i < g->output_count; i++)
        needed[g->outputs[i].value] = true;
    for (int n = g->node_count - 1; n >= 0; n--) {
        const dit_node *node = &g->nodes[n];
        bool any = false;
        for (int k = 0; k < node->outputs; k++)
            any |= needed[node->out + k];
        for (int i = 0; any && i < node->inputs; i++)
            needed[node->in[i]] = true;
    }
}

// Collects the known results that unknown nodes which are needed, or the graph's outputs, use.
static int frontier(const dit_graph *g, const bool *known, const bool *needed, bool *taken, dit_named_value *list)
{
    int count = 0;
    size_t room = MOST_FOLDED;
    for (int n = 0; n < g->node_count + g->output_count; n++) {
        bool is_node = n < g->node_count, used = !is_node;
        for (int k = 0; is_node && k < g->nodes[n].outputs; k++)
            used |= needed[g->nodes[n].out + k];
        if (!used || (is_node && known[g->nodes[n].out]))
            continue;
        int inputs = is_node ? g->nodes[n].inputs : 1;
        for (int i = 0; i < inputs; i++) {
            int v = is_node ? g->nodes[n].in[i] : g->outputs[n - g->node_count].value;
            if (!v || !known[v])
                continue;
            v = behind_views(g, v);
            size_t bytes = value_bytes(&g->values[v]);
            if (g->values[v].kind == DIT_VALUE_COMPUTED && !taken[v] && bytes <= room) {
                room -= bytes;
                taken[v] = true;
                list[count++] = (dit_named_value){NULL, v};
            }
        }
    }
    return count;
}

// Keeps what the small plan computed.
static dit_status keep_results(const dit_graph *g, dit_plan *plan, const dit_named_value *list, int count,
                               plan_folded *folded, dit_error *error)
{
    dit_status status = dit_plan_run(plan, NULL, NULL, error);
    for (int i = 0; i < count && !status; i++) {
        const dit_value *v = &g->values[list[i].value];
        dit_array result = dit_plan_output(plan, list[i].name), *kept = &folded->of[list[i].value];
        *kept = (dit_array){v->dtype, v->shape, dit_arena_alloc(folded->arena, dit_array_bytes(&result) + 1)};
        if (!kept->data)
            status = dit_fail(error, DIT_NO_MEMORY, "no memory to fold constants");
        else
            memcpy(kept->data, result.data, dit_array_bytes(&result));
    }
    folded->count = plan->figures.nodes;
    return status;
}

dit_status dit_plan_fold(const dit_graph *g, dit_weights *weights, const dit_plan_options *options, plan_folded *folded,
                         dit_error *error)
{
    size_t values = (size_t)g->value_count + 1;
    bool *known = calloc(values, 1), *needed = calloc(values, 1), *taken = calloc(values, 1);
    dit_named_value *list = calloc(values, sizeof *list);
    dit_plan *plan = NULL;
    dit_status status = DIT_OK;
    if (!known || !needed || !taken || !list) {
        status = dit_fail(error, DIT_NO_MEMORY, "no memory to fold constants");
        goto done;
    }
    mark_known(g, options, known);
    mark_needed(g, needed);
    int count = frontier(g, known, needed, taken, list);
    if (!count)
        goto done;
    for (int i = 0; i < count; i++)
        if (!(list[i].name = dit_arena_printf(folded->arena, "%d", list[i].value)))
            status = dit_fail(error, DIT_NO_MEMORY, "no memory to fold constants");
    if (!status)
        status = dit_plan_build(g, weights, list, count, NULL, &(dit_plan_options){.no_fusion = true}, &plan, error);
    if (!status)
        status = keep_results(g, plan, list, count, folded, error);
    for (int b = 0; plan && b < plan->buffer_count; b++)
        if (plan->buffers[b].weight)
            dit_weights_release(weights, plan->buffers[b].weight->weight);
done:
    dit_plan_free(plan);
    free(known);
    free(needed);
    free(taken);
    free(list);
    return status;
}
