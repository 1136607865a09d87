// tests/models/distance.h: how far a network's tensors are from those of the public implementation.
#ifndef TESTS_MODELS_DISTANCE_H
#define TESTS_MODELS_DISTANCE_H

#include "../io/support.h"
#include "base/tensor.h"
#include <math.h>

struct distance {
    double largest; // of the difference, relative to the largest value or to `floor` where that is more
    double root_mean_square;
};

static inline double largest_of(const dit_array *a)
{
    double largest = 0;
    for (int64_t i = 0; i < dit_shape_count(&a->shape); i++)
        largest = fmax(largest, fabs(dit_element_get(a->dtype, a->data, i)));
    return largest;
}

static inline struct distance distance_of(const dit_array *found, const dit_array *wanted, double floor)
{
    struct distance d = {0};
    double squares = 0, scale = fmax(largest_of(wanted), floor);
    int64_t count = dit_shape_count(&wanted->shape);
    assert_true(dit_shape_equal(&found->shape, &wanted->shape));
    assert_true(count > 0 && scale > 0);
    for (int64_t i = 0; i < count; i++) {
        double a = dit_element_get(found->dtype, found->data, i), b = dit_element_get(wanted->dtype, wanted->data, i);
        assert_true(isfinite(a));
        d.largest = fmax(d.largest, fabs(a - b) / scale);
        d.root_mean_square += (a - b) * (a - b);
        squares += b * b;
    }
    d.root_mean_square = sqrt(d.root_mean_square / squares);
    return d;
}

static inline void hold(const char *what, const char *model, double found, double most)
{
    if (!(found <= most)) {
        print_error("%s: %s differs by %.2g, %.2g allowed\n", model, what, found, most);
        fail();
    }
}

#endif
