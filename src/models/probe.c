// models/probe.c: arguments in, outputs or gradients out.
#include "models/probe.h"
#include "base/memory.h"
#include "graph/ops.h"
#include "models/lora.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A file of arguments may serve `dit grad` too: its target is no argument of the network.
static const char *const targets_only[] = {"target", "target.*", NULL};

// Remembers the name of one more output.
static void add_output(dit_probe *p, const char *name, dit_error *error)
{
    if (!(p->names[p->count] = strdup(name)))
        dit_fail(error, DIT_NO_MEMORY, "no memory to list the outputs");
    else
        p->count++;
}

static const dit_safetensors_entry *find_entry(const dit_probe *p, const char *name)
{
    ptrdiff_t at = dit_safetensors_find(p->inputs, name);
    return at < 0 ? NULL : dit_safetensors_at(p->inputs, (size_t)at);
}

static bool has_shape(const dit_safetensors_entry *e, const dit_shape *shape)
{
    return e && e->rank == shape->rank && !memcmp(e->dim, shape->dim, (size_t)shape->rank * sizeof *e->dim);
}

// The file's tensor `name` as an input of that shape; none and an error where it has another, or is not there.
static dit_tensor target_input(const dit_probe *p, dit_graph *g, const char *name, const dit_shape *shape,
                               dit_error *error)
{
    char text[160];
    const dit_safetensors_entry *e = find_entry(p, name);
    if (has_shape(e, shape))
        return dit_input(g, e->name, DIT_F32, *shape);
    if (!error->status)
        dit_fail(error, DIT_BAD_FILE, "%s: %s a tensor `%s` of the output's shape %s", dit_safetensors_path(p->inputs),
                 e ? "has another shape than" : "lacks", name, dit_shape_text(shape, text));
    return DIT_NONE;
}

// The shape (N, ...) of a list of N outputs, one after the other; of rank 0 where their shapes differ.
static dit_shape stacked_shape(const dit_graph *g, const dit_named_tensors *out)
{
    const dit_shape *first = dit_shape_of(g, out->item[0].tensor);
    dit_shape stacked = {.rank = first->rank + 1, .dim = {out->count}};
    for (int i = 1; i < out->count; i++)
        if (!dit_shape_equal(dit_shape_of(g, out->item[i].tensor), first))
            return (dit_shape){0};
    if (stacked.rank > DIT_MAX_RANK)
        return (dit_shape){0};
    memcpy(stacked.dim + 1, first->dim, (size_t)first->rank * sizeof *first->dim);
    return stacked;
}

// The mean square over all values of a list of outputs, sample.0 to sample.N-1: of their distance from target.0 to
// target.N-1, or from one `target` of the shape `stacked`, when that has a rank.
static dit_tensor list_loss(const dit_probe *p, dit_graph *g, const dit_named_tensors *out, const dit_shape *stacked,
                            dit_error *error)
{
    dit_tensor samples[DIT_MAX_ARGUMENTS], targets[DIT_MAX_ARGUMENTS];
    for (int i = 0; i < out->count && !error->status; i++) {
        char name[32];
        const dit_shape *shape = dit_shape_of(g, out->item[i].tensor);
        const dit_shape flat = DIT_SHAPE(dit_shape_count(shape));
        snprintf(name, sizeof name, "target.%d", i);
        samples[i] = dit_reshape(g, out->item[i].tensor, flat);
        if (!stacked->rank)
            targets[i] = dit_reshape(g, target_input(p, g, name, shape, error), flat);
    }
    if (error->status)
        return DIT_NONE;
    dit_tensor y = dit_concat(g, samples, out->count, 0);
    if (!stacked->rank)
        return dit_mse(g, y, dit_concat(g, targets, out->count, 0));
    return dit_mse(g, dit_reshape(g, y, *stacked), target_input(p, g, "target", stacked, error));
}

// mean((sample - target)^2), a scalar. A list of outputs takes a list of targets, or one target that stacks them; a
// target of the shape of the first output is compared with that one, of a list too.
static dit_tensor describe_loss(const dit_probe *p, dit_graph *g, const dit_named_tensors *out, dit_error *error)
{
    dit_tensor first = out->item[0].tensor;
    if (!strcmp(out->item[0].name, "sample.0")) {
        const dit_shape stacked = stacked_shape(g, out), none = {0};
        if (!find_entry(p, "target"))
            return list_loss(p, g, out, &none, error);
        if (stacked.rank && has_shape(find_entry(p, "target"), &stacked))
            return list_loss(p, g, out, &stacked, error);
    }
    dit_tensor target = target_input(p, g, "target", dit_shape_of(g, first), error);
    return error->status ? DIT_NONE : dit_mse(g, first, target);
}

static void describe_gradients(dit_probe *p, dit_graph *g, const dit_named_tensors *out, dit_error *error)
{
    int count = dit_parameter_count(g);
    dit_tensor *parameters = calloc(2 * (size_t)count + 1, sizeof *parameters), *gradients = parameters + count;
    if (!parameters) {
        dit_fail(error, DIT_NO_MEMORY, "no memory to list the parameters");
        return;
    }
    dit_tensor loss = describe_loss(p, g, out, error);
    if (error->status)
        goto done;
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
    if (dit_component_describe(&p->component, g, o->method, p->inputs, targets_only, o->dtype, &out, error))
        return error->status;
    int count = o->gradient ? dit_parameter_count(g) : out.count;
    p->names = calloc((size_t)count + 1, sizeof *p->names);
    if (!p->names)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to list the outputs");
    if (o->gradient)
        describe_gradients(p, g, &out, error);
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
    const dit_lora lora = {o->lora, part, o->lora_strength, .keep_mapped = o->memory > 0};
    if (!dit_lora_apply(c->weights, name, &lora, &applied, error) && !applied)
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
