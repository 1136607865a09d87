// eval/agreement.h: how often what was seen in pictures is what they are, as a whole and class by class, beside what
// pictures without any relation to their labels would give.
#ifndef DIT_EVAL_AGREEMENT_H
#define DIT_EVAL_AGREEMENT_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

// Rates from 0 to 1.
typedef struct dit_agreement {
    size_t pictures;
    double rate;
    double shuffled; // the same, with the labels given to the pictures in another order: the control
    int classes;
    size_t *of_class, *right; // [classes]: pictures of each class, and those seen as such
} dit_agreement;

// labels, seen: [count], both below `classes` (others are DIT_BAD_ARGUMENT). The order of the control depends on `seed`
// alone. Release with dit_agreement_free, also after a failure.
dit_status dit_agreement_count(dit_agreement *a, const int *labels, const int *seen, size_t count, int classes,
                               uint64_t seed, dit_error *error);
void dit_agreement_free(dit_agreement *a);

// The rate of one class; NaN when there is no picture of it.
double dit_agreement_of_class(const dit_agreement *a, int class);

#endif
