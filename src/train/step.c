// train/step.c: the graph of a training step.
#include "train/step.h"
#include "base/memory.h"
#include "train/task.h"
#include <stdlib.h>

static const char GRADIENT_PREFIX[] = "d ";

static double parameter_bytes(const dit_graph *g)
{
    double bytes = 0;
    for (int i = 0; i < dit_parameter_count(g); i++) {
        const dit_shape *shape = dit_shape_of(g, dit_parameter_at(g, i));
        double count = 1;
        for (int k = 0; k < shape->rank; k++)
            count *= (double)shape->dim[k];
        bytes += count * sizeof(float);
    }
    return bytes;
}

dit_status dit_step_create_weights(const dit_model_class *class, const void *config, const dit_objective *objective,
                                   const dit_step_shape *shape, uint64_t seed, int averages, dit_weights *weights,
                                   dit_error *error)
{
    dit_graph *g = dit_graph_new(NULL);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    dit_task_of(objective)->describe(g, class, config, objective, shape);
    double bytes = parameter_bytes(g) * (4 + averages);
    if (!dit_memory_check(bytes, "weights, gradients and the optimizer's state", error))
        dit_parameters_create(g, weights, seed, error);
    dit_graph_free(g);
    return error->status;
}

// The gradient of every parameter as an output "d NAME".
static void describe_gradients(dit_graph *g, dit_tensor loss)
{
    int count = dit_parameter_count(g);
    dit_tensor *parameters = calloc(2 * (size_t)count + 1, sizeof *parameters), *gradients = parameters + count;
    char name[512];
    if (!parameters) {
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory to list the parameters");
        return;
    }
    for (int i = 0; i < count; i++)
        parameters[i] = dit_parameter_at(g, i);
    dit_graph_gradient(g, loss, parameters, count, gradients);
    for (int i = 0; i < count && !dit_graph_error(g)->status; i++) {
        snprintf(name, sizeof name, "%s%s", GRADIENT_PREFIX, dit_parameter_name(g, parameters[i]));
        dit_output(g, name, gradients[i]);
    }
    free(parameters);
}

static void bind(dit_step *step, const dit_task *task)
{
    step->pixels = dit_plan_input(step->plan, "pixels").data;
    step->noise = dit_plan_input(step->plan, "noise").data;
    step->coefficients = dit_plan_input(step->plan, "coefficients").data;
    step->timestep = dit_plan_input(step->plan, "timestep").data;
    step->labels = dit_plan_input(step->plan, "class_labels").data;
    step->ids = dit_plan_input(step->plan, "input_ids").data;
    step->text_mask = dit_plan_input(step->plan, "attention_mask").data;
    step->loss = dit_plan_output(step->plan, "loss").data;
    step->metric = task->metric ? dit_plan_output(step->plan, task->metric).data : NULL;
}

dit_status dit_step_open(dit_step *step, const dit_model_class *class, const void *config, dit_weights *weights,
                         const dit_objective *objective, const dit_step_shape *s, dit_optimizer *optimizer,
                         dit_error *error)
{
    const dit_task *task = dit_task_of(objective);
    char name[512];
    *step = (dit_step){0};
    dit_graph *g = dit_graph_new(weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    if (s->recompute)
        dit_recompute_scopes(g, "transformer_blocks.*");
    dit_tensor loss = task->describe(g, class, config, objective, s);
    dit_output(g, "loss", loss);
    describe_gradients(g, loss);
    dit_plan_new(g, weights, NULL, &step->plan, error);
    dit_graph_free(g);
    if (error->status)
        return error->status;
    bind(step, task);
    for (int i = 0; i < optimizer->count; i++) {
        snprintf(name, sizeof name, "%s%s", GRADIENT_PREFIX, optimizer->items[i].name);
        optimizer->items[i].gradient = dit_plan_output(step->plan, name).data;
        if (!optimizer->items[i].gradient)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: the model does not use this weight",
                            optimizer->items[i].name);
    }
    return DIT_OK;
}

void dit_step_close(dit_step *step)
{
    dit_plan_free(step->plan);
    *step = (dit_step){0};
}
