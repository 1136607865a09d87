// cli/adapters.h: low-rank adapters named on the command line and in prompts.
#ifndef DIT_CLI_ADAPTERS_H
#define DIT_CLI_ADAPTERS_H

#include "cli/option.h"
#include "pipelines/pipeline.h"
#include "text/weighted.h"

// --lora FILE or FILE=0.8, any number of them.
dit_status adapters_add(dit_model *model, const struct option_value *lora, dit_error *error);
// Takes every <lora:name:0.8> out of a prompt; a name that is a path is refused. `loras` then holds them and the prompt
// without; it is freed with dit_prompt_loras_free, and empty after a failure.
dit_status adapters_in_prompt(const char *prompt, dit_prompt_loras *loras, dit_error *error);
// Adds `folder`/name.safetensors for each.
dit_status adapters_add_named(dit_model *model, const char *folder, const dit_prompt_loras *loras, dit_error *error);

#endif
