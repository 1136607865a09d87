// eval/retrieval.c: cosines and ranks.
#include "eval/retrieval.h"
#include "base/random.h"
#include "train/stream.h"
#include <math.h>
#include <stdlib.h>

// A copy of (count, width) features, each of length one; NULL with an error.
static float *unit_features(const float *features, size_t count, size_t width, const char *what, dit_error *error)
{
    float *unit = malloc((count * width + 1) * sizeof *unit);
    if (!unit) {
        dit_fail(error, DIT_NO_MEMORY, "no memory for the features of %zu pictures", count);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t k = 0; k < width; k++)
            sum += (double)features[i * width + k] * features[i * width + k];
        if (!(sum > 0 && isfinite(sum))) {
            dit_fail(error, DIT_BAD_NUMBER, "the features of %s picture %zu are %s", what, i,
                     sum == 0 ? "all zero" : "not finite");
            free(unit);
            return NULL;
        }
        for (size_t k = 0; k < width; k++)
            unit[i * width + k] = (float)(features[i * width + k] / sqrt(sum));
    }
    return unit;
}

static double cosine(const float *a, const float *b, size_t width)
{
    double sum = 0;
    for (size_t k = 0; k < width; k++)
        sum += (double)a[k] * b[k];
    return sum;
}

struct setup {
    const float *real; // (count, width), unit
    size_t count, width;
    const uint32_t *same;
    const dit_retrieval_options *options;
};

// The place of the own picture among the candidates of query number `query`, 1 or more. The others come in the order of
// a permutation that belongs to the query, whichever picture is judged.
static int rank_of(const struct setup *s, const float *drawn, uint64_t query, size_t own)
{
    double own_cosine = cosine(drawn, s->real + own * s->width, s->width);
    int rank = 1;
    uint64_t stream = dit_stream(DIT_STREAM_EVAL, query);
    for (size_t k = 0, others = 0; k < s->count && others + 1 < (size_t)s->options->candidates; k++) {
        size_t other = (size_t)dit_counter_permutation(s->options->seed, stream, s->count, k);
        if (other == own || s->same[other] == s->same[own])
            continue;
        others++;
        rank += cosine(drawn, s->real + other * s->width, s->width) >= own_cosine;
    }
    return rank;
}

// drawing_of(q) is the drawing that query q is judged by.
static dit_retrieval_rates rate(const struct setup *s, const float *drawn, size_t queries, const size_t *own,
                                const size_t *drawing_of, int *ranks)
{
    size_t first = 0, five = 0;
#pragma omp parallel for reduction(+ : first, five) schedule(static)
    for (size_t q = 0; q < queries; q++) {
        size_t drawing = drawing_of ? drawing_of[q] : q;
        int rank = rank_of(s, drawn + drawing * s->width, q, own[q]);
        first += rank == 1;
        five += rank <= 5;
        if (ranks)
            ranks[q] = rank;
    }
    return (dit_retrieval_rates){(double)first / (double)queries, (double)five / (double)queries};
}

// Hands every query the drawing of another one: the queries in random order, each takes the next one's.
static void exchange(size_t queries, uint64_t seed, size_t *drawing_of)
{
    uint64_t stream = dit_stream(DIT_STREAM_EVAL, UINT64_MAX);
    for (size_t k = 0; k < queries; k++) {
        size_t from = (size_t)dit_counter_permutation(seed, stream, queries, k);
        drawing_of[from] = (size_t)dit_counter_permutation(seed, stream, queries, (k + 1) % queries);
    }
}

// How many candidates the query with this own picture could have.
static size_t available(const uint32_t *same, size_t count, size_t own)
{
    size_t n = 1;
    for (size_t i = 0; i < count; i++)
        n += same[i] != same[own];
    return n;
}

dit_status dit_retrieval_check(size_t queries, size_t count, const size_t *own, const uint32_t *same,
                               const dit_retrieval_options *options, dit_error *error)
{
    if (queries < 2 || options->candidates < 2)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%zu pictures against %d candidates: both are 2 or more", queries,
                        options->candidates);
    for (size_t q = 0; q < queries; q++)
        if (own[q] >= count || available(same, count, own[q]) < (size_t)options->candidates)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%d candidates are more than there are different pictures",
                            options->candidates);
    return DIT_OK;
}

dit_status dit_retrieval(const float *drawn, size_t queries, const float *real, size_t count, size_t width,
                         const size_t *own, const uint32_t *same, const dit_retrieval_options *options, int *ranks,
                         dit_retrieval_rates *rates, dit_retrieval_rates *chance, dit_error *error)
{
    dit_status status = dit_retrieval_check(queries, count, own, same, options, error);
    if (status)
        return status;
    dit_error ours = {0};
    float *unit_real = unit_features(real, count, width, "real", &ours);
    float *unit_drawn = unit_real ? unit_features(drawn, queries, width, "drawn", &ours) : NULL;
    size_t *drawing_of = malloc(queries * sizeof *drawing_of);
    if (unit_drawn && drawing_of) {
        const struct setup s = {unit_real, count, width, same, options};
        *rates = rate(&s, unit_drawn, queries, own, NULL, ranks);
        exchange(queries, options->seed, drawing_of);
        *chance = rate(&s, unit_drawn, queries, own, drawing_of, NULL);
    } else
        dit_fail(&ours, DIT_NO_MEMORY, "no memory to compare %zu pictures", queries);
    free(unit_real);
    free(unit_drawn);
    free(drawing_of);
    return ours.status ? dit_fail(error, ours.status, "%s", ours.message) : DIT_OK;
}
