// models/probe.c: arguments in, outputs or gradients out.
#include "models/probe.h"
#include "base/memory.h"
#include "graph/ops.h"
#include "models/lora.h"
#include <stdlib.h>
#include <string.h>

// A file of arguments may serve `dit grad` too: its target is no argument of the network.
static const char *const target_only[] = {"target", NULL};

// Remembers the name of one more output.
static void add_output(dit_probe *p, const char *name, dit_error *error)
{
    if (!(p->names[p->count] = strdup(name)))
        dit_fail(error, DIT_NO_MEMORY, "no memory to list the outputs");
    else
        p->count++;
}

static void describe_gradients(dit_probe *p, dit_graph *g, dit_tensor sample, dit_error *error)
{
    int count = dit_parameter_count(g);
    dit_tensor *parameters = calloc(2 * (size_t)count + 1, sizeof *parameters), *gradients = parameters + count;
    const dit_safetensors_entry *e = NULL;
    ptrdiff_t at = dit_safetensors_find(p->inputs, "target");
    if (!parameters) {
        dit_fail(error, DIT_NO_MEMORY, "no memory to list the parameters");
        return;
    }
    dit_shape shape = *dit_shape_of(g, sample);
    if (at >= 0)
        e = dit_safetensors_at(p->inputs, (size_t)at);
    if (!e || e->rank != shape.rank || memcmp(e->dim, shape.dim, (size_t)shape.rank * sizeof *e->dim)) {
        char text[160];
        dit_fail(error, DIT_BAD_FILE, "%s: %s a tensor `target` of the output's shape %s",
                 dit_safetensors_path(p->inputs), e ? "has another shape than" : "lacks", dit_shape_text(&shape, text));
        goto done;
    }
    dit_tensor loss = dit_mse(g, sample, dit_input(g, "target", DIT_F32, shape));
    for (int i = 0; i < count; i++)
        parameters[i] = dit_parameter_at(g, i);
    dit_graph_gradient(g, loss, parameters, count, gradients);
    for (int i = 0; i < count && !dit_graph_error(g)->status; i++)
        dit_output(g, dit_parameter_name(g, parameters[i]), gradients[i]);
done:
    free(parameters);
}

// Describes the network with its outputs or its gradients.
static dit_status describe(dit_probe *p, dit_graph *g, const dit_probe_options *o, dit_error *error)
{
    dit_named_tensors out = {0};
    if (dit_component_describe(&p->component, g, o->method, p->inputs, target_only, o->dtype, &out, error))
        return error->status;
    int count = o->gradient ? dit_parameter_count(g) : out.count;
    p->names = calloc((size_t)count + 1, sizeof *p->names);
    if (!p->names)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to list the outputs");
    if (o->gradient)
        describe_gradients(p, g, out.item[0].tensor, error);
    for (int i = 0; i < count && !error->status; i++)
        add_output(p, o->gradient ? dit_parameter_name(g, dit_parameter_at(g, i)) : out.item[i].name, error);
    if (!o->gradient)
        for (int i = 0; i < out.count; i++)
            dit_output(g, out.item[i].name, out.item[i].tensor);
    if (dit_graph_error(g)->status)
        return dit_fail(error, dit_graph_error(g)->status, "%s: %s", p->component.folder, dit_graph_error(g)->message);
    return error->status;
}

// Puts copies in the place of the weights that the file lends.
static dit_status own_weights(dit_component *c, dit_error *error)
{
    dit_weights *own = dit_weights_new();
    if (!own)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to copy the weights");
    for (int i = 0; i < dit_weights_count(c->weights) && !error->status; i++) {
        const dit_weight *w = dit_weights_at(c->weights, i);
        dit_array copy;
        if (dit_array_alloc(&copy, w->array.dtype, w->array.shape, error))
            break;
        memcpy(copy.data, w->array.data, dit_array_bytes(&copy));
        dit_tensor_file_release(c->file, &w->array);
        dit_weights_add(own, w->name, copy, true, error);
    }
    dit_weights_free(error->status ? own : c->weights);
    if (!error->status)
        c->weights = own;
    return error->status;
}

static dit_status apply_lora(dit_component *c, const dit_probe_options *o, dit_error *error)
{
    int applied = 0;
    const char *name = c->class->name;
    dit_lora_part part = strstr(name, "2DModel") ? DIT_LORA_TRANSFORMER : DIT_LORA_TEXT_ENCODER;
    if (!dit_lora_apply(c->weights, name, part, o->lora, o->lora_strength, &applied, error) && !applied)
        dit_fail(error, DIT_BAD_FILE, "%s: holds no adapter for %s", o->lora, name);
    return error->status;
}

dit_status dit_probe_open(dit_probe *p, const char *folder, const char *inputs, const dit_probe_options *o,
                          dit_error *error)
{
    *p = (dit_probe){0};
    if (o->gradient && o->dtype != DIT_F32)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--dtype: gradients are computed in f32");
    const dit_component_options options = {.dtype = o->dtype, .bounded = o->memory && !o->own_weights};
    if (dit_component_open_with(&p->component, folder, &options, error) ||
        dit_safetensors_open(&p->inputs, inputs, error))
        return error->status;
    if ((o->lora && apply_lora(&p->component, o, error)) || (o->own_weights && own_weights(&p->component, error)))
        return error->status;
    dit_graph *g = dit_graph_new(p->component.weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    const dit_plan_options plan = {.no_fusion = o->no_fusion,
                                   .frozen = !o->gradient,
                                   .memory = o->figures_only ? o->memory : dit_memory_left(o->memory),
                                   .bound = o->figures_only ? 0 : o->memory,
                                   .figures_only = o->figures_only};
    if (!describe(p, g, o, error)) {
        if (dit_weights_check_all_used(p->component.weights, p->component.class->buffers, error))
            dit_error_locate(error, dit_tensor_file_path(p->component.file));
        else if (!dit_plan_new(g, p->component.weights, &plan, &p->plan, error) && !o->figures_only)
            dit_component_fill(p->plan, p->inputs, error);
    }
    dit_graph_free(g);
    return error->status;
}

void dit_probe_close(dit_probe *p)
{
    dit_plan_free(p->plan);
    dit_safetensors_close(p->inputs);
    dit_component_close(&p->component);
    for (int i = 0; i < p->count; i++)
        free(p->names[i]);
    free(p->names);
    *p = (dit_probe){0};
}

dit_status dit_probe_run(dit_probe *p, bool (*cancelled)(void *context), void *context, dit_error *error)
{
    return dit_plan_run(p->plan, cancelled, context, error);
}

dit_status dit_probe_write(const dit_probe *p, const char *path, dit_error *error)
{
    dit_safetensors_item *items = calloc((size_t)p->count + 1, sizeof *items);
    if (!items)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to list the outputs", path);
    for (int i = 0; i < p->count; i++) {
        dit_array a = dit_plan_output(p->plan, p->names[i]);
        items[i] = (dit_safetensors_item){p->names[i], a.dtype, a.shape, a.data};
    }
    dit_status status = dit_safetensors_write(path, items, (size_t)p->count, NULL, 0, NULL, NULL, error);
    free(items);
    return status;
}
