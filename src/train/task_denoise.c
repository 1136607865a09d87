// train/task_denoise.c: a network sees x_t, its time and its condition, and predicts what the objective says.
#include "train/task.h"

// The network over x_t, with its conditions as inputs.
static dit_tensor network(dit_graph *g, const dit_model_class *class, const void *config, const dit_step_shape *s,
                          dit_tensor noisy)
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

static dit_tensor describe(dit_graph *g, const dit_model_class *class, const void *config, const dit_objective *o,
                           const dit_step_shape *s)
{
    dit_shape shape = DIT_SHAPE(s->batch, s->channels, s->height, s->width);
    dit_tensor x0 = dit_input(g, "pixels", DIT_F32, shape), noise = dit_input(g, "noise", DIT_F32, shape);
    dit_tensor coefficients = dit_input(g, "coefficients", DIT_F32, DIT_SHAPE(s->batch, DIT_COEFFICIENTS));
    dit_tensor noisy = dit_objective_noisy(g, x0, noise, coefficients);
    dit_tensor output = network(g, class, config, s, noisy);
    return dit_objective_loss(g, o, output, x0, noise, noisy, coefficients);
}

const dit_task dit_task_denoise = {.describe = describe};
