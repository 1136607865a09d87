// pipelines/save.h: opened models as folders that other programs open.
#ifndef DIT_PIPELINES_SAVE_H
#define DIT_PIPELINES_SAVE_H

#include "dit/dit.h"

// Writes the model as Diffusers saves one: a folder for each network with its configuration and its weights under their
// published names, as they are stored (those in block formats as GGUF), the tokenizers' files, the scheduler, and
// model_index.json. `folder` appears whole or not at all; it must not be there yet, or be empty. Fails with
// DIT_NO_FILE, DIT_NO_MEMORY (a full disk too), DIT_CANCELLED, or DIT_UNSUPPORTED: a tokenizer that lies in a text
// encoder's file is no folder.
dit_status dit_model_save(dit_model *model, const char *folder, const dit_watch *watch, dit_error *error);

#endif
