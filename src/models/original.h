// models/original.h: single files with the tensor names of a model's original repository, as networks.
//
// What the names of a family become, and what its tensors' shapes say of its configuration, is data: one file
// models/names/FAMILY.def, whose rows are explained in original_rows.h. A file belongs to the family whose signature
// its names hold; the tensors may stand under a prefix ("model.diffusion_model.", "ema.").
#ifndef DIT_MODELS_ORIGINAL_H
#define DIT_MODELS_ORIGINAL_H

#include "graph/weights.h"
#include "io/tensor_file.h"

typedef struct dit_original dit_original; // a file that belongs to a family; see dit_original_free

// Finds the family of `file`, which must outlive the answer. `class_name` asks for a network of that class (a file may
// hold several); NULL takes the first family in the order of names/families.def. *original stays NULL when there is
// none. Fails with DIT_BAD_FILE (shapes from which no configuration follows) or DIT_NO_MEMORY.
dit_status dit_original_find(dit_original **original, dit_tensor_file *file, const char *class_name, dit_error *error);
void dit_original_free(dit_original *original); // may be NULL

const char *dit_original_class(const dit_original *original);  // "FluxTransformer2DModel"
const char *dit_original_family(const dit_original *original); // "flux"
const char *dit_original_prefix(const dit_original *original);
// The configuration that follows from the shapes, as the text of a config.json.
const char *dit_original_config(const dit_original *original);

// Adds every tensor of the family under its published names. Tensors whose bytes are the file's stay views of it; what
// has to be put together anew (halves that change places) is owned. Tensors outside the prefix are left out; one under
// it that no row names is DIT_BAD_FILE.
dit_status dit_original_weights(const dit_original *original, dit_weights *weights, dit_error *error);

// What a tensor of an original network became: the rows of one as several (`consecutive`), the same under several
// names, or with the halves of its rows in the other order.
typedef struct dit_renamed {
    int count;
    char name[8][300];
    bool consecutive, swapped;
} dit_renamed;

// The published names of the tensor `name` of an original network of that class; with `underscored`, underscores may
// stand for dots. `weights` are the network's. False when there are none.
bool dit_original_rename(const char *class_name, const char *name, bool underscored, const dit_weights *weights,
                         dit_renamed *renamed);

#endif
