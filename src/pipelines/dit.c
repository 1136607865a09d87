// pipelines/dit.c: DiTPipeline: a class label in, a picture out. Peebles and Xie 2023 (arXiv 2212.09748); defaults of
// diffusers.
#include "models/dit.h"
#include "pipelines/pipeline.h"
#include <stdlib.h>
#include <string.h>

enum { PUBLISHED_NULL_CLASS = 1000 };

static const dit_dit_config *config_of(const dit_model *m)
{
    return m->transformer.config;
}

static dit_status open(dit_model *m, dit_error *error)
{
    extern const dit_model_class dit_model_class_dit;
    if (m->transformer.class != &dit_model_class_dit)
        return dit_fail(error, DIT_BAD_FILE, "%s/transformer: DiTPipeline takes a %s, this is a %s", m->folder,
                        dit_model_class_dit.name, m->transformer.class->name);
    return DIT_OK;
}

static dit_status start(const dit_model *m, dit_job *job, dit_error *error)
{
    const dit_dit_config *c = config_of(m);
    const dit_request *r = job->request;
    if (r->prompt || r->negative_prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: this model draws classes; give --class 0 to %d",
                        c->classes - 1);
    if (r->class_label < 0 || r->class_label >= c->classes)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--class: give a class of this model, 0 to %d", c->classes - 1);
    dit_job_choose(m, job, 50, 4);
    job->channels = c->in_channels;
    job->height = job->width = c->sample_size;
    return DIT_OK;
}

static void describe(const dit_model *m, dit_graph *g, const dit_job *job, dit_named_tensors *in)
{
    (void)m;
    dit_named_add(in, "class_labels", dit_input(g, "class_labels", DIT_I64, DIT_SHAPE(job->rows)));
}

static dit_status fill(const dit_model *m, const dit_job *job, dit_plan *plan, dit_error *error)
{
    int64_t *labels = dit_plan_input(plan, "class_labels").data;
    int classes = config_of(m)->classes, null_class = classes >= PUBLISHED_NULL_CLASS ? PUBLISHED_NULL_CLASS : classes;
    for (int64_t i = 0; i < job->rows; i++)
        labels[i] = i < job->count ? job->request->class_label : null_class;
    return dit_plan_check_inputs(plan, error);
}

const dit_pipeline_class dit_pipeline_class_dit = {
    .name = "DiTPipeline",
    .steps_network_input = true,
    .open = open,
    .start = start,
    .describe = describe,
    .fill = fill,
};
