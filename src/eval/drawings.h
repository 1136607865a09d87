// eval/drawings.h: drawn pictures beside what they were asked to be, and how well a judge finds the one by the other.
#ifndef DIT_EVAL_DRAWINGS_H
#define DIT_EVAL_DRAWINGS_H

#include "dit/dit.h"
#include "eval/judge.h"
#include "eval/retrieval.h"
#include "train/dataset.h"

typedef struct dit_drawing {
    size_t own; // the sample of the real set that it was asked to be
    dit_image image;
} dit_drawing;

// Chooses `count` samples with a caption, each caption once, by a permutation that the seed selects. own: [count].
// Fails with DIT_BAD_ARGUMENT when there are fewer.
dit_status dit_drawings_choose(const dit_dataset *real, uint64_t seed, size_t count, size_t *own, dit_error *error);

// Finds what the pictures of `drawn` were asked to be by their captions, which must be captions of `real`, and reads at
// most `count` of them, chosen by the seed. *drawings is malloc'd; free with dit_drawings_free. *found says how many.
dit_status dit_drawings_read(const dit_dataset *drawn, const dit_dataset *real, uint64_t seed, size_t count,
                             dit_drawing **drawings, size_t *found, dit_error *error);
void dit_drawings_free(dit_drawing *drawings, size_t count); // NULL is fine

typedef struct dit_drawings_result {
    int size; // pixels of a side: the real pictures were first brought to the size of the drawn ones
    dit_retrieval_rates rates, chance;
} dit_drawings_result;

// Judges the drawings against the real pictures (eval/retrieval.h). ranks: [count], may be NULL.
dit_status dit_drawings_judge(dit_judge *judge, const dit_dataset *real, const dit_drawing *drawings, size_t count,
                              const dit_retrieval_options *options, const dit_watch *watch, int *ranks,
                              dit_drawings_result *result, dit_error *error);

#endif
