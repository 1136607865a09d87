// models/original.h: single files with the tensor names of a model's original repository, as networks.
//
// What the names of a family become, and what its tensors' shapes say of its configuration, is data: one file
// models/names/FAMILY.def, whose rows are explained in original_rows.h. A file belongs to the family whose signature
// its names hold; the tensors may stand under a prefix ("model.diffusion_model.", "ema.").
#ifndef DIT_MODELS_ORIGINAL_H
#define DIT_MODELS_ORIGINAL_H

#include "graph/weights.h"
#include "io/tensor_file.h"
#include <jansson.h>

typedef struct dit_original dit_original; // a file that belongs to a family; see dit_original_free

// Which of a file's networks is meant, and what is known of it beside its tensors.
typedef struct dit_original_query {
    const char *const *classes;  // it is of one of them; NULL-ended. NULL: of any
    const char *const *prefixes; // its names begin with one of them, tried in this order; NULL-ended. NULL: with any
    const json_t *known;         // a configuration; it counts when its `_class_name` is absent or the network's
} dit_original_query;

// Finds the family of `file`, which must outlive the answer: the first one in the order of names/families.def that the
// query (NULL: it asks for nothing) leaves. *original stays NULL when there is none. Fails with DIT_BAD_FILE (shapes
// from which no configuration follows) or DIT_NO_MEMORY.
dit_status dit_original_find(dit_original **original, dit_tensor_file *file, const dit_original_query *query,
                             dit_error *error);
void dit_original_free(dit_original *original); // may be NULL
// The beginnings of names that files are known to have; ends with NULL.
const char *const *dit_original_prefixes(void);

const char *dit_original_class(const dit_original *original);  // "FluxTransformer2DModel"
const char *dit_original_family(const dit_original *original); // "flux"
const char *dit_original_prefix(const dit_original *original);
// The configuration as the text of a config.json: what follows from the shapes, then what is known, then what every
// release of the family has.
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
