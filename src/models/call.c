// models/call.c: one call of a network over arrays in memory.
#include "models/call.h"
#include "base/memory.h"
#include "base/progress.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dit_status dit_arrays_give(dit_arrays *arrays, const char *name, dit_array array, dit_error *error)
{
    if (arrays->count == DIT_MAX_ARGUMENTS || strlen(name) >= sizeof arrays->item[0].name ||
        dit_arrays_find(arrays, name)) {
        free(array.data);
        return dit_fail(error, DIT_BAD_ARGUMENT, "%.100s: no place for one more array of this name", name);
    }
    snprintf(arrays->item[arrays->count].name, sizeof arrays->item[0].name, "%s", name);
    arrays->item[arrays->count++].array = array;
    return DIT_OK;
}

dit_array *dit_arrays_add(dit_arrays *arrays, const char *name, dit_dtype dtype, dit_shape shape, dit_error *error)
{
    dit_array array;
    if (dit_array_alloc(&array, dtype, shape, error) || dit_arrays_give(arrays, name, array, error))
        return NULL;
    return &arrays->item[arrays->count - 1].array;
}

dit_array *dit_arrays_find(const dit_arrays *arrays, const char *name)
{
    for (int i = 0; i < arrays->count; i++)
        if (!strcmp(arrays->item[i].name, name))
            return (dit_array *)&arrays->item[i].array;
    return NULL;
}

dit_array dit_arrays_take(dit_arrays *arrays, const char *name)
{
    for (int i = 0; i < arrays->count; i++)
        if (!strcmp(arrays->item[i].name, name)) {
            dit_array taken = arrays->item[i].array;
            arrays->item[i] = arrays->item[--arrays->count];
            return taken;
        }
    return (dit_array){0};
}

void dit_arrays_free(dit_arrays *arrays)
{
    for (int i = 0; i < arrays->count; i++)
        free(arrays->item[i].array.data);
    arrays->count = 0;
}

void dit_arrays_describe(const dit_arrays *arrays, dit_graph *g, dit_named_tensors *in)
{
    for (int i = 0; i < arrays->count; i++) {
        const dit_array *a = &arrays->item[i].array;
        dit_named_add(in, arrays->item[i].name, dit_input(g, arrays->item[i].name, a->dtype, a->shape));
    }
}

dit_status dit_arrays_fill(const dit_arrays *arrays, const dit_plan *plan, dit_error *error)
{
    for (int i = 0; i < arrays->count; i++) {
        dit_array to = dit_plan_input(plan, arrays->item[i].name);
        if (to.data) // an argument may turn out to be of no use
            memcpy(to.data, arrays->item[i].array.data, dit_array_bytes(&to));
    }
    return dit_plan_check_inputs(plan, error);
}

// The result of that name; "hidden_states.-2" is the last but one of the list hidden_states.
static dit_tensor find_result(const dit_named_tensors *results, const char *name)
{
    const char *dash = strstr(name, ".-");
    char member[64];
    int count = 0;
    if (!dash)
        return dit_named_find(results, name);
    size_t list = (size_t)(dash - name) + 1; // with its dot
    for (int i = 0; i < results->count; i++)
        count += !strncmp(results->item[i].name, name, list);
    snprintf(member, sizeof member, "%.*s%ld", (int)list, name, count + strtol(dash + 1, NULL, 10));
    return dit_named_find(results, member);
}

// Plans the call, or describes it alone where `plan` is NULL. `g` owns names that `out` lists.
static dit_status plan_call(const dit_component *c, dit_graph *g, dit_method method, const dit_arrays *in,
                            const char *const *wanted, const dit_plan_options *options, dit_plan **plan,
                            dit_named_tensors *out, dit_error *error)
{
    dit_named_tensors arguments = {.dtype = c->dtype}, results = {0};
    dit_arrays_describe(in, g, &arguments);
    c->class->method[method].describe(g, c->config, &arguments, &results);
    for (int i = 0; wanted ? wanted[i] != NULL : i < results.count; i++) {
        const char *name = wanted ? wanted[i] : results.item[i].name;
        dit_tensor result = find_result(&results, name);
        if (dit_is_none(result))
            dit_graph_fail(g, DIT_BAD_FILE, "the model has no output %s", name);
        dit_output(g, name, result);
        dit_named_add(out, name, result);
    }
    if (plan)
        dit_plan_new(g, c->weights, options, plan, error);
    else if (dit_graph_error(g)->status)
        dit_fail(error, dit_graph_error(g)->status, "%s", dit_graph_error(g)->message);
    if (error->status)
        dit_error_locate(error, c->folder);
    return error->status;
}

dit_status dit_component_call(const dit_component *c, dit_method method, const dit_arrays *in,
                              const char *const *wanted, const dit_watch *watch, dit_arrays *out, dit_error *error)
{
    dit_plan *plan = NULL;
    dit_named_tensors results = {0};
    if (!c->class->method[method].describe)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: a %s has no such method", c->folder, c->class->name);
    dit_graph *g = dit_graph_new(c->weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to describe the model", c->folder);
    const dit_plan_options options = {.frozen = true, .memory = dit_memory_left(c->memory), .bound = c->memory};
    if (!plan_call(c, g, method, in, wanted, &options, &plan, &results, error) && !dit_arrays_fill(in, plan, error) &&
        !dit_plan_run(plan, dit_watch_stops, (void *)watch, error))
        for (int i = 0; i < results.count && !error->status; i++) {
            const char *name = results.item[i].name;
            dit_array from = dit_plan_output(plan, name), *to;
            if ((to = dit_arrays_add(out, name, from.dtype, from.shape, error)))
                memcpy(to->data, from.data, dit_array_bytes(&from));
        }
    dit_plan_free(plan);
    dit_graph_free(g);
    return error->status;
}

dit_status dit_component_figures(const dit_component *c, dit_method method, const dit_arrays *in,
                                 const char *const *wanted, dit_arrays *out, dit_plan_figures *figures,
                                 dit_error *error)
{
    dit_plan *plan = NULL;
    dit_named_tensors results = {0};
    const dit_plan_options options = {.frozen = true, .figures_only = true};
    dit_graph *g = dit_graph_new(c->weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to describe the model", c->folder);
    if (!plan_call(c, g, method, in, wanted, &options, figures ? &plan : NULL, &results, error)) {
        if (figures)
            *figures = dit_plan_figures_of(plan);
        for (int i = 0; i < results.count && !error->status; i++) {
            const dit_tensor result = results.item[i].tensor;
            dit_arrays_add(out, results.item[i].name, dit_dtype_of(g, result), *dit_shape_of(g, result), error);
        }
    }
    dit_plan_free(plan);
    dit_graph_free(g);
    return error->status;
}
