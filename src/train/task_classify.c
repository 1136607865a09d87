// train/task_classify.c: a network sees a picture and says what it shows: cross-entropy with smoothed labels (Szegedy
// et al. 2015, arXiv 1512.00567, section 7).
#include "graph/ops.h"
#include "train/task.h"

// The fraction of the batch whose largest logit is the label's. logits: (B, K); labels: (B).
static dit_tensor accuracy_of(dit_graph *g, dit_tensor logits, dit_tensor labels)
{
    dit_tensor said = dit_sibling(g, dit_top_k(g, logits, 1), 1); // (B, 1)
    dit_tensor right = dit_equal(g, dit_reshape(g, said, *dit_shape_of(g, labels)), labels);
    return dit_mean(g, dit_cast(g, right, DIT_F32), 1, false);
}

static dit_tensor describe(dit_graph *g, const dit_model_class *class, const void *config, const dit_objective *o,
                           const dit_step_shape *s)
{
    const int64_t none_ignored = -1;
    dit_named_tensors in = {0}, out = {0};
    dit_shape shape = DIT_SHAPE(s->batch, s->channels, s->height, s->width);
    dit_named_add(&in, "pixel_values", dit_input(g, "pixels", DIT_F32, shape));
    dit_tensor labels = dit_input(g, "class_labels", DIT_I64, DIT_SHAPE(s->batch));
    class->method[DIT_FORWARD].describe(g, config, &in, &out);
    dit_tensor logits = dit_named_find(&out, "logits"); // (B, K)
    dit_output(g, "accuracy", accuracy_of(g, logits, labels));
    dit_tensor losses = dit_cross_entropy(g, logits, labels, (float)o->label_smoothing, none_ignored); // (B)
    return dit_mean(g, losses, 1, false);
}

const dit_task dit_task_classify = {.metric = "accuracy", .describe = describe};
