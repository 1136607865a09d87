// cli/model.c: the options that say which model to open, and where its parts lie.
#include "cli/model.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

// "vae=ae.safetensors" as a source, whose name is malloc'd.
static dit_status read_part(const char *text, dit_model_source *source, dit_error *error)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--part: %.80s is no NAME=PATH, such as vae=ae.safetensors", text);
    *source = (dit_model_source){strndup(text, (size_t)(equals - text)), equals + 1};
    return source->part ? DIT_OK : dit_fail(error, DIT_NO_MEMORY, "--part: no memory for its name");
}

dit_status model_open(const struct option_value *model_option, const struct option_value *base,
                      const struct option_value *parts, const struct option_value *pipeline,
                      const struct option_value *variant, const char *dtype, dit_model **model, dit_error *error)
{
    int count = (int)parts->count;
    dit_model_source *sources = calloc(parts->count + 1, sizeof *sources);
    if (!sources)
        return dit_fail(error, DIT_NO_MEMORY, "--part: no memory for %d parts", count);
    for (int i = 0; i < count && !error->status; i++)
        read_part(parts->texts[i], &sources[i], error);
    const dit_model_options options = {.sources = sources,
                                       .source_count = count,
                                       .base = base->text,
                                       .pipeline = pipeline->text,
                                       .variant = variant->text,
                                       .dtype = dtype};
    if (!error->status)
        dit_model_open_with(model_option->text, &options, model, error);
    for (int i = 0; i < count; i++)
        free((char *)sources[i].part);
    free(sources);
    return error->status;
}
