// graph/plan_import.c: the live part of a graph, copied into a plan, so that the graph may go.
#include "graph/plan_private.h"
#include <stdlib.h>
#include <string.h>

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory to plan the model");
}

int dit_plan_add_value(dit_plan *plan, plan_value value)
{
    if (!dit_grow(&plan->values, &plan->value_capacity, (size_t)plan->value_count + 1, sizeof *plan->values))
        return 0;
    plan->values[plan->value_count] = value;
    return plan->value_count++;
}

// Marks the nodes that the outputs need, from the last to the first.
static void mark_live(const dit_graph *g, const dit_named_value *outputs, int output_count, const plan_folded *folded,
                      bool *wanted, bool *live)
{
    for (int i = 0; i < output_count; i++)
        wanted[outputs[i].value] = true;
    for (int n = g->node_count - 1; n >= 0; n--) {
        const dit_node *node = &g->nodes[n];
        for (int k = 0; k < node->outputs; k++)
            live[n] |= wanted[node->out + k] && !(folded && folded->of[node->out + k].data);
        for (int i = 0; live[n] && i < node->inputs; i++)
            wanted[node->in[i]] = true;
    }
}

// The plan's number for a source value, or 0 after an error.
static int import_source(dit_plan *plan, const dit_graph *g, int id, dit_weights *weights, const plan_folded *folded,
                         dit_error *error)
{
    const dit_value *v = &g->values[id];
    plan_value copy = {
        .kind = v->kind, .dtype = v->dtype, .shape = v->shape, .producer = -1, .buffer = -1, .indexes = v->indexes};
    dit_array array = {v->dtype, v->shape, NULL};
    const void *data = folded && folded->of[id].data ? folded->of[id].data : v->data;
    if (data) {
        copy.kind = DIT_VALUE_CONSTANT;
        void *kept = dit_arena_alloc(plan->arena, dit_array_bytes(&array) + 1);
        copy.data = kept ? memcpy(kept, data, dit_array_bytes(&array)) : NULL;
        if (!kept)
            return no_memory(error), 0;
    } else if (v->kind == DIT_VALUE_PARAMETER) {
        copy.weight = weights ? dit_weights_find(weights, v->name) : NULL;
        if (!copy.weight || !dit_shape_equal(&copy.weight->array.shape, &v->shape))
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: the weights lack this tensor", v->name), 0;
        copy.dtype = copy.weight->array.dtype;
    }
    if (v->name && !(copy.name = dit_arena_copy_text(plan->arena, v->name)))
        return no_memory(error), 0;
    int number = dit_plan_add_value(plan, copy);
    if (!number)
        no_memory(error);
    return number;
}

// Copies node `n`; `numbers` maps graph values to plan values.
static dit_status import_node(dit_plan *plan, const dit_graph *g, int n, int *numbers, dit_weights *weights,
                              const plan_folded *folded, dit_error *error)
{
    const dit_node *node = &g->nodes[n];
    size_t bytes = dit_op_of(node->op)->attribute_bytes;
    plan_step step = {.op = node->op, .inputs = node->inputs, .outputs = node->outputs, .workspace = -1};
    step.in = dit_arena_alloc(plan->arena, (size_t)node->inputs * sizeof *step.in + 1);
    step.attributes = dit_arena_alloc(plan->arena, bytes + 1);
    step.scope = dit_arena_copy_text(plan->arena, node->scope);
    if (!step.in || !step.attributes || !step.scope ||
        !dit_grow(&plan->steps, &plan->step_capacity, (size_t)plan->step_count + 1, sizeof *plan->steps))
        return no_memory(error);
    memcpy(step.attributes, node->attributes, bytes);
    for (int i = 0; i < node->inputs; i++) {
        int id = node->in[i];
        if (id && !numbers[id] && !(numbers[id] = import_source(plan, g, id, weights, folded, error)))
            return error->status;
        step.in[i] = numbers[id];
    }
    for (int k = 0; k < node->outputs; k++) {
        const dit_value *v = &g->values[node->out + k];
        int number = dit_plan_add_value(plan, (plan_value){.kind = DIT_VALUE_COMPUTED,
                                                           .dtype = v->dtype,
                                                           .shape = v->shape,
                                                           .producer = plan->step_count,
                                                           .buffer = -1});
        if (!number)
            return no_memory(error);
        if (k == 0)
            step.out = number;
        numbers[node->out + k] = number;
    }
    plan->steps[plan->step_count++] = step;
    return DIT_OK;
}

// Every input of the graph is kept, used or not: who runs the plan fills them by name.
static dit_status import_names(dit_plan *plan, const dit_graph *g, const dit_named_value *outputs, int output_count,
                               int *numbers, dit_weights *weights, const plan_folded *folded, dit_error *error)
{
    plan->inputs = dit_arena_alloc(plan->arena, (size_t)g->input_count * sizeof *plan->inputs + 1);
    plan->outputs = dit_arena_alloc(plan->arena, (size_t)output_count * sizeof *plan->outputs + 1);
    if (!plan->inputs || !plan->outputs)
        return no_memory(error);
    for (int i = 0; i < g->input_count; i++) {
        int id = g->inputs[i].value;
        if (!numbers[id] && !(numbers[id] = import_source(plan, g, id, weights, NULL, error)))
            return error->status;
        plan->inputs[plan->input_count++] = (dit_named_value){plan->values[numbers[id]].name, numbers[id]};
    }
    for (int i = 0; i < output_count; i++) {
        int id = outputs[i].value;
        if (!numbers[id] && !(numbers[id] = import_source(plan, g, id, weights, folded, error)))
            return error->status;
        char *name = dit_arena_copy_text(plan->arena, outputs[i].name);
        if (!name)
            return no_memory(error);
        plan->outputs[plan->output_count++] = (dit_named_value){name, numbers[id]};
        plan->values[numbers[id]].output = true;
    }
    return DIT_OK;
}

dit_status dit_plan_import(dit_plan *plan, const dit_graph *g, dit_weights *weights, const dit_named_value *outputs,
                           int output_count, const plan_folded *folded, dit_error *error)
{
    int *numbers = calloc((size_t)g->value_count + 1, sizeof *numbers);
    bool *wanted = calloc((size_t)g->value_count + 1, sizeof *wanted);
    bool *live = calloc((size_t)g->node_count + 1, sizeof *live);
    dit_status status = DIT_OK;
    plan->value_count = 1; // number 0 is no value
    if (!numbers || !wanted || !live ||
        !dit_grow(&plan->values, &plan->value_capacity, (size_t)g->value_count + 1, sizeof *plan->values)) {
        status = no_memory(error);
        goto done;
    }
    plan->values[0] = (plan_value){.producer = -1, .buffer = -1};
    mark_live(g, outputs, output_count, folded, wanted, live);
    for (int n = 0; n < g->node_count && !status; n++)
        if (live[n])
            status = import_node(plan, g, n, numbers, weights, folded, error);
    if (!status)
        status = import_names(plan, g, outputs, output_count, numbers, weights, folded, error);
    plan->figures.nodes = plan->step_count;
done:
    free(numbers);
    free(wanted);
    free(live);
    return status;
}

void dit_plan_count_uses(dit_plan *plan)
{
    for (int v = 0; v < plan->value_count; v++)
        plan->values[v].uses = plan->values[v].output;
    for (int s = plan->step_count - 1; s >= 0; s--) {
        plan_step *step = &plan->steps[s];
        int used = 0;
        for (int k = 0; k < step->outputs; k++)
            used += plan->values[step->out + k].uses;
        for (int i = 0; used && i < step->inputs; i++)
            plan->values[step->in[i]].uses++;
    }
    int kept = 0;
    for (int s = 0; s < plan->step_count; s++) {
        const plan_step *step = &plan->steps[s];
        int used = 0;
        for (int k = 0; k < step->outputs; k++)
            used += plan->values[step->out + k].uses;
        if (!used)
            continue;
        for (int k = 0; k < step->outputs; k++)
            plan->values[step->out + k].producer = kept;
        plan->steps[kept++] = *step;
    }
    plan->step_count = kept;
}
