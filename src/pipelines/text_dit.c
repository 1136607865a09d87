// pipelines/text_dit.c: TextDiTPipeline: a prompt in, a picture out, in pixels. The family of the model that comes with
// dit.
#include "models/text_dit.h"
#include "pipelines/pipeline.h"
#include "text/padded.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const dit_model_class dit_model_class_text_dit;

static const dit_text_dit_config *config_of(const dit_model *m)
{
    return m->transformer.config;
}

static dit_status open(dit_model *m, dit_error *error)
{
    char path[4096];
    if (m->transformer.class != &dit_model_class_text_dit)
        return dit_fail(error, DIT_BAD_FILE, "%s/transformer: TextDiTPipeline takes a %s, this is a %s", m->folder,
                        dit_model_class_text_dit.name, m->transformer.class->name);
    if ((size_t)snprintf(path, sizeof path, "%s/tokenizer", m->folder) >= sizeof path)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", m->folder);
    dit_tokenizer *tokenizer = NULL;
    if (dit_tokenizer_open(&tokenizer, path, error))
        return error->status;
    m->private = tokenizer;
    if (dit_tokenizer_size(tokenizer) > config_of(m)->vocabulary)
        return dit_fail(error, DIT_BAD_FILE, "%s: has %d tokens, the transformer knows %d", path,
                        dit_tokenizer_size(tokenizer), config_of(m)->vocabulary);
    return DIT_OK;
}

static void close(dit_model *m)
{
    dit_tokenizer_close(m->private);
}

static dit_status start(const dit_model *m, dit_job *job, dit_error *error)
{
    const dit_text_dit_config *c = config_of(m);
    if (job->request->class_label >= 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--class: this model draws from text; give --prompt");
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    dit_job_choose(m, job, 30, 2.5);
    job->channels = c->channels;
    job->height = job->width = c->sample_size;
    return DIT_OK;
}

static void describe(const dit_model *m, dit_graph *g, const dit_job *job, dit_named_tensors *in)
{
    dit_shape text = DIT_SHAPE(job->rows, config_of(m)->text_length);
    dit_named_add(in, "input_ids", dit_input(g, "input_ids", DIT_I64, text));
    dit_named_add(in, "attention_mask", dit_input(g, "attention_mask", DIT_BOOL, text));
}

static dit_status fill(const dit_model *m, const dit_job *job, dit_plan *plan, dit_error *error)
{
    const dit_request *r = job->request;
    size_t length = (size_t)config_of(m)->text_length;
    int64_t *ids = dit_plan_input(plan, "input_ids").data;
    uint8_t *mask = dit_plan_input(plan, "attention_mask").data;
    for (int64_t i = 0; i < job->rows && !error->status; i++) {
        bool conditional = i < job->count;
        const char *text = conditional ? r->prompt : r->negative_prompt ? r->negative_prompt : "";
        if (dit_encode_padded(m->private, text, length, ids + i * (int64_t)length, mask + i * (int64_t)length, error))
            dit_error_locate(error, conditional ? "--prompt" : "--negative-prompt");
    }
    return error->status ? error->status : dit_plan_check_inputs(plan, error);
}

const dit_pipeline_class dit_pipeline_class_text_dit = {
    .name = "TextDiTPipeline", .open = open, .close = close, .start = start, .describe = describe, .fill = fill};
