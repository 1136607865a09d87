// eval/judge.h: features of pictures by an image network that this project did not train (models/efficientnet_lite.h).
#ifndef DIT_EVAL_JUDGE_H
#define DIT_EVAL_JUDGE_H

#include "base/error.h"
#include "dit/dit.h"
#include <stddef.h>

typedef struct dit_judge dit_judge;

// Opens the folder that tools/data/judge makes; NULL: the one in the cache. Fails as dit_component_open, or with
// DIT_NO_FILE and what to run when there is none.
dit_status dit_judge_open(dit_judge **judge, const char *folder, dit_error *error);
void dit_judge_close(dit_judge *judge); // may be NULL

int dit_judge_width(const dit_judge *judge); // D, features of a picture

// Gives picture number `index`, which the judge frees.
typedef dit_status (*dit_judge_source)(void *context, size_t index, dit_image *image, dit_error *error);

// Features of `count` pictures, asked for in order, into `features` (count, D). A picture is put on white, padded to a
// square and scaled (bicubic) to what the network was trained on.
dit_status dit_judge_run(dit_judge *judge, dit_judge_source source, void *context, size_t count, float *features,
                         const dit_watch *watch, dit_error *error);

#endif
