// eval/classifier.h: what a trained classifier (models/image_classifier.h) sees in pictures.
#ifndef DIT_EVAL_CLASSIFIER_H
#define DIT_EVAL_CLASSIFIER_H

#include "base/error.h"
#include "dit/dit.h"
#include <stddef.h>
#include <stdint.h>

typedef struct dit_classifier dit_classifier;

// Opens the model folder that `dit train` wrote for a classifier. Fails as dit_component_open, or with DIT_BAD_FILE
// when the folder holds another network.
dit_status dit_classifier_open(dit_classifier **classifier, const char *folder, dit_error *error);
void dit_classifier_close(dit_classifier *classifier); // may be NULL

int dit_classifier_classes(const dit_classifier *classifier);

// Gives picture number `index`, which the classifier frees.
typedef dit_status (*dit_classifier_source)(void *context, size_t index, dit_image *image, dit_error *error);

// The most probable class of each of `count` pictures, asked for in order, into classes[count]. A picture is brought to
// the channels and the size that the classifier was trained on; where it is not square, black is put beside it.
dit_status dit_classifier_run(dit_classifier *classifier, dit_classifier_source source, void *context, size_t count,
                              int *classes, const dit_watch *watch, dit_error *error);

#endif
