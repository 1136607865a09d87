// eval/agreement.c: counting.
#include "eval/agreement.h"
#include "base/random.h"
#include "train/stream.h"
#include <math.h>
#include <stdlib.h>

static dit_status check(const int *labels, const int *seen, size_t count, int classes, dit_error *error)
{
    if (count < 1 || classes < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%zu pictures of %d classes: there is nothing to count", count,
                        classes);
    for (size_t i = 0; i < count; i++)
        if (labels[i] < 0 || labels[i] >= classes || seen[i] < 0 || seen[i] >= classes)
            return dit_fail(error, DIT_BAD_ARGUMENT, "picture %zu is of class %d and seen as %d; there are %d classes",
                            i, labels[i], seen[i], classes);
    return DIT_OK;
}

dit_status dit_agreement_count(dit_agreement *a, const int *labels, const int *seen, size_t count, int classes,
                               uint64_t seed, dit_error *error)
{
    *a = (dit_agreement){.pictures = count, .classes = classes};
    if (check(labels, seen, count, classes, error))
        return error->status;
    a->of_class = calloc((size_t)classes, sizeof *a->of_class);
    a->right = calloc((size_t)classes, sizeof *a->right);
    if (!a->of_class || !a->right)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to count %d classes", classes);
    size_t right = 0, by_chance = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t other = dit_counter_permutation(seed, dit_stream(DIT_STREAM_EVAL, 0), count, i);
        a->of_class[labels[i]]++;
        a->right[labels[i]] += seen[i] == labels[i];
        right += seen[i] == labels[i];
        by_chance += seen[i] == labels[other];
    }
    a->rate = (double)right / (double)count;
    a->shuffled = (double)by_chance / (double)count;
    return DIT_OK;
}

void dit_agreement_free(dit_agreement *a)
{
    free(a->of_class);
    free(a->right);
    *a = (dit_agreement){0};
}

double dit_agreement_of_class(const dit_agreement *a, int class)
{
    return a->of_class[class] ? (double)a->right[class] / (double)a->of_class[class] : NAN;
}
