// cli/model.h: the options that say which model to open, and where its parts lie.
#ifndef DIT_CLI_MODEL_H
#define DIT_CLI_MODEL_H

#include "cli/option.h"
#include "dit/dit.h"

// Opens --model with what --base, --part (repeated, each NAME=PATH) --pipeline and --variant say, to compute in `dtype`
// (NULL: f32). The caller releases *model.
dit_status model_open(const struct option_value *model_option, const struct option_value *base,
                      const struct option_value *parts, const struct option_value *pipeline,
                      const struct option_value *variant, const char *dtype, dit_model **model, dit_error *error);

#endif
