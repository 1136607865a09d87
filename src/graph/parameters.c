// graph/parameters.c: how a new model's parameters start.
#include "base/name_map.h"
#include "base/random.h"
#include "graph/private.h"

static void start(dit_initial initial, uint64_t seed, uint64_t stream, float *data, int64_t n)
{
    switch (initial.kind) {
    case DIT_INIT_ZEROS:
        break; // as it was created
    case DIT_INIT_ONES:
        for (int64_t i = 0; i < n; i++)
            data[i] = 1;
        break;
    case DIT_INIT_UNIFORM:
        dit_counter_uniforms(seed, stream, 0, data, (size_t)n);
        for (int64_t i = 0; i < n; i++)
            data[i] = (2 * data[i] - 1) * initial.spread;
        break;
    case DIT_INIT_NORMAL:
        for (int64_t i = 0; i < n; i++)
            data[i] = (float)(dit_counter_normal(seed, stream, (uint64_t)i) * initial.spread);
        break;
    }
}

dit_status dit_parameters_create(const dit_graph *g, dit_weights *weights, uint64_t seed, dit_error *error)
{
    if (g->error.status)
        return dit_fail(error, g->error.status, "%s", g->error.message);
    for (int i = 0; i < g->parameter_count; i++) {
        const dit_value *v = &g->values[g->parameters[i].value];
        if (dit_weights_create(weights, v->name, v->shape, error))
            return error->status;
        start(v->initial, seed, dit_name_hash(v->name), dit_weights_find(weights, v->name)->array.data,
              dit_shape_count(&v->shape));
    }
    return DIT_OK;
}
