// pipelines/dit.c: DiTPipeline: a class label in, a picture out. Peebles and Xie 2023 (arXiv 2212.09748); defaults of
// diffusers.
#include "models/dit.h"
#include "pipelines/pipeline.h"

enum { PUBLISHED_NULL_CLASS = 1000 };

static const dit_dit_config *config_of(const dit_model *m)
{
    return dit_model_transformer_config(m);
}

// A folder without an autoencoder is of a model that draws pixels. A single file of one says nothing of it.
static dit_status open(dit_model *m, dit_error *error)
{
    int channels = config_of(m)->in_channels;
    if (dit_sources_is_file(m->sources) && !dit_model_has_part(m, "vae") && channels != 1 && channels != 3)
        return dit_fail(error, DIT_NO_FILE,
                        "%s: draws latents of %d channels and holds no vae; give one as --part vae=PATH", m->folder,
                        channels);
    return DIT_OK;
}

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
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

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator, (void)watch;
    dit_array *labels = dit_arrays_add(&conditions[0], "class_labels", DIT_I64, DIT_SHAPE(job->rows), error);
    int classes = config_of(m)->classes, null_class = classes >= PUBLISHED_NULL_CLASS ? PUBLISHED_NULL_CLASS : classes;
    for (int64_t i = 0; labels && i < job->rows; i++)
        ((int64_t *)labels->data)[i] = i < job->count ? job->request->class_label : null_class;
    return error->status;
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"DiTTransformer2DModel", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", NULL}, true},
    {0},
};

const dit_pipeline_class dit_pipeline_class_dit = {
    .name = "DiTPipeline",
    .parts = parts,
    .steps_network_input = true,
    .draws_classes = true,
    .open = open,
    .start = start,
    .encode = encode,
};
