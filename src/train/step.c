// train/step.c: the graph of a training step.
#include "train/step.h"
#include "graph/ops.h"
#include <stdlib.h>

static const char GRADIENT_PREFIX[] = "d ";

// The network over x_t, with its conditions as inputs.
static dit_tensor describe_network(dit_graph *g, const dit_model_class *class, const void *config,
                                   const dit_step_shape *s, dit_tensor noisy)
{
    dit_named_tensors in = {0}, out = {0};
    dit_named_add(&in, "hidden_states", noisy);
    dit_named_add(&in, "timestep", dit_input(g, "timestep", DIT_F32, DIT_SHAPE(s->batch)));
    if (s->text_length) {
        dit_shape text = DIT_SHAPE(s->batch, s->text_length);
        dit_named_add(&in, "input_ids", dit_input(g, "input_ids", DIT_I64, text));
        dit_named_add(&in, "attention_mask", dit_input(g, "attention_mask", DIT_BOOL, text));
    } else {
        dit_named_add(&in, "class_labels", dit_input(g, "class_labels", DIT_I64, DIT_SHAPE(s->batch)));
    }
    class->method[DIT_FORWARD].describe(g, config, &in, &out);
    return dit_named_find(&out, "sample");
}

dit_status dit_step_create_weights(const dit_model_class *class, const void *config, const dit_step_shape *shape,
                                   uint64_t seed, dit_weights *weights, dit_error *error)
{
    dit_graph *g = dit_graph_new(NULL);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    dit_shape pixels = DIT_SHAPE(shape->batch, shape->channels, shape->height, shape->width);
    describe_network(g, class, config, shape, dit_input(g, "pixels", DIT_F32, pixels));
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

static void bind_inputs(dit_step *step)
{
    step->pixels = dit_plan_input(step->plan, "pixels").data;
    step->noise = dit_plan_input(step->plan, "noise").data;
    step->coefficients = dit_plan_input(step->plan, "coefficients").data;
    step->timestep = dit_plan_input(step->plan, "timestep").data;
    step->labels = dit_plan_input(step->plan, "class_labels").data;
    step->ids = dit_plan_input(step->plan, "input_ids").data;
    step->text_mask = dit_plan_input(step->plan, "attention_mask").data;
    step->loss = dit_plan_output(step->plan, "loss").data;
}

dit_status dit_step_open(dit_step *step, const dit_model_class *class, const void *config, dit_weights *weights,
                         const dit_objective *objective, const dit_step_shape *s, dit_optimizer *optimizer,
                         dit_error *error)
{
    char name[512];
    *step = (dit_step){0};
    dit_graph *g = dit_graph_new(weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    dit_shape shape = DIT_SHAPE(s->batch, s->channels, s->height, s->width);
    if (s->recompute)
        dit_recompute_scopes(g, "transformer_blocks.*");
    dit_tensor x0 = dit_input(g, "pixels", DIT_F32, shape), noise = dit_input(g, "noise", DIT_F32, shape);
    dit_tensor coefficients = dit_input(g, "coefficients", DIT_F32, DIT_SHAPE(s->batch, DIT_COEFFICIENTS));
    dit_tensor noisy = dit_objective_noisy(g, x0, noise, coefficients);
    dit_tensor output = describe_network(g, class, config, s, noisy);
    dit_tensor loss = dit_objective_loss(g, objective, output, x0, noise, noisy, coefficients);
    dit_output(g, "loss", loss);
    describe_gradients(g, loss);
    dit_plan_new(g, weights, NULL, &step->plan, error);
    dit_graph_free(g);
    if (error->status)
        return error->status;
    bind_inputs(step);
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
