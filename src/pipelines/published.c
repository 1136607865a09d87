// pipelines/published.c: what no tensor says of a published model.
#include "pipelines/published.h"
#include <string.h>

static const struct row {
    const char *pipeline, *key;
    int value;
    dit_published published;
} rows[] = {
#define PUBLISHED(pipeline, key, value, scheduler, autoencoder) {pipeline, key, value, {scheduler, autoencoder}},
#include "pipelines/published.def"
};

static bool holds(const struct row *row, const json_t *config)
{
    const json_t *value = json_object_get(config, row->key);
    return !*row->key || (json_is_boolean(value)   ? json_is_true(value) == row->value
                          : json_is_integer(value) ? json_integer_value(value) == row->value
                                                   : false);
}

dit_published dit_published_find(const char *pipeline, const json_t *config)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].pipeline, pipeline) && holds(&rows[i], config))
            return rows[i].published;
    return (dit_published){0};
}
