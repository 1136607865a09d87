// pipelines/text_dit.c: TextDiTPipeline: a prompt in, a picture out, in pixels. The family of the model that comes with
// dit.
#include "models/text_dit.h"
#include "pipelines/pipeline.h"
#include "text/padded.h"

static const dit_text_dit_config *config_of(const dit_model *m)
{
    return dit_model_transformer_config(m);
}

static dit_status open(dit_model *m, dit_error *error)
{
    const dit_tokenizer *tokenizer = dit_model_tokenizer(m, "tokenizer", error);
    if (tokenizer && dit_tokenizer_size(tokenizer) > config_of(m)->vocabulary)
        return dit_fail(error, DIT_BAD_FILE, "%s/tokenizer: has %d tokens, the transformer knows %d", m->folder,
                        dit_tokenizer_size(tokenizer), config_of(m)->vocabulary);
    return error->status;
}

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_text_dit_config *c = config_of(m);
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    dit_job_choose(m, job, 30, 2.5);
    job->channels = c->channels;
    job->height = job->width = c->sample_size;
    return DIT_OK;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator, (void)watch;
    const char *texts[2];
    const int64_t length = config_of(m)->text_length;
    dit_array *ids = dit_arrays_add(&conditions[0], "input_ids", DIT_I64, DIT_SHAPE(job->rows, length), error);
    dit_array *mask = dit_arrays_add(&conditions[0], "attention_mask", DIT_BOOL, DIT_SHAPE(job->rows, length), error);
    const dit_tokenizer *tokenizer = dit_model_tokenizer(m, "tokenizer", error);
    dit_job_texts(job, texts);
    for (int64_t i = 0; i < job->rows && !error->status; i++) {
        bool conditional = i < job->count;
        if (dit_encode_padded(tokenizer, texts[conditional ? 0 : 1], (size_t)length, (int64_t *)ids->data + i * length,
                              (uint8_t *)mask->data + i * length, error))
            dit_error_locate(error, conditional ? "--prompt" : "--negative-prompt");
    }
    return error->status;
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"TextDiTTransformer2DModel", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_text_dit = {
    .name = "TextDiTPipeline", .parts = parts, .open = open, .start = start, .encode = encode};
