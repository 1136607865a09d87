// eval/retrieval.h: does a drawn picture look like what it was asked to be? Its features are compared with those of the
// real picture and of others: how often is its own the nearest of all, or among the nearest five?
#ifndef DIT_EVAL_RETRIEVAL_H
#define DIT_EVAL_RETRIEVAL_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct dit_retrieval_options {
    int candidates; // the own picture and candidates - 1 others: 2 or more
    uint64_t seed;  // of the choice of the others
} dit_retrieval_options;

// Rates from 0 to 1.
typedef struct dit_retrieval_rates {
    double first, first_five;
} dit_retrieval_rates;

// Refuses, with DIT_BAD_ARGUMENT, what dit_retrieval would refuse before it looks at features: fewer than two queries,
// or more candidates than there are different real pictures.
dit_status dit_retrieval_check(size_t queries, size_t count, const size_t *own, const uint32_t *same,
                               const dit_retrieval_options *options, dit_error *error);

// drawn: (queries, D) features; real: (count, D); own[q]: which real picture query q was to be; same[i]: equal numbers
// mark real pictures that are one and the same, which are no candidates beside each other. The distance is the cosine;
// a candidate as near as the own picture counts as nearer. ranks[q], if not NULL, gets 1 for the nearest. `chance` gets
// the rates when every query is judged by the drawing of another one, which is what no relation at all would give.
// Fails with DIT_BAD_ARGUMENT (too few real pictures), DIT_BAD_NUMBER (a feature is not finite, or all are zero) or
// DIT_NO_MEMORY.
dit_status dit_retrieval(const float *drawn, size_t queries, const float *real, size_t count, size_t width,
                         const size_t *own, const uint32_t *same, const dit_retrieval_options *options, int *ranks,
                         dit_retrieval_rates *rates, dit_retrieval_rates *chance, dit_error *error);

#endif
