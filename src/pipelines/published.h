// pipelines/published.h: what no tensor says of a published model (published.def), for models opened from single files.
#ifndef DIT_PIPELINES_PUBLISHED_H
#define DIT_PIPELINES_PUBLISHED_H

#include <jansson.h>
#include <stdbool.h>

typedef struct dit_published {
    const char *scheduler;   // scheduler_config.json; NULL: not known
    const char *autoencoder; // what vae/config.json says beside what its tensors do; NULL: not known
} dit_published;

// Of a pipeline by its `_class_name`, whose transformer has the configuration.
dit_published dit_published_find(const char *pipeline, const json_t *config);

#endif
