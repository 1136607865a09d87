// graph/ops/timestep_embedding.c: a time as sines and cosines of a geometric row of frequencies.
// Ho et al. 2020 (arXiv 2006.11239), after Vaswani et al. 2017 (arXiv 1706.03762), section 3.5; the options and the
// order of float operations are those of diffusers' get_timestep_embedding (downscale_freq_shift is `shift`).
//   t: (...) float, i32 or i64; the kernel takes t * frequency * scale in f32
//   width: >= 1; an odd one ends with a zero     shift: below width / 2     max_period: > 0
//   y: (..., width) f32: [sines, cosines], or with `flip` [cosines, sines], of
//      t * scale * max_period^(-i / (width/2 - shift)), i < width/2
// Backward, with frequencies w:  dt = sum of scale * w * (d sine * cosine - d cosine * sine).
#include "backend/rounding.h"
#include "graph/ops/rules.h"
#include <stdlib.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_timestep_embedding_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "timestep_embedding", 1, error);
    if (status)
        return status;
    const dit_view *t = &call->in[0];
    char text[160];
    if ((!dit_dtype_is_float(t->dtype) && t->dtype != DIT_I32 && t->dtype != DIT_I64) || t->shape.rank >= DIT_MAX_RANK)
        return dit_fail(error, DIT_BAD_ARGUMENT, "timestep_embedding: t is %s %s; it must be float, i32 or i64",
                        dit_dtype_name(t->dtype), dit_shape_text(&t->shape, text));
    int half = a->width / 2;
    if (a->width < 1 || !(a->max_period > 0) || a->max_period > 1e30f || (half > 0 && !(a->shift < (float)half)))
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "timestep_embedding: width %d, max_period %g, shift %g; the width must be at least 1, the "
                        "period above 0 and the shift below half the width",
                        a->width, (double)a->max_period, (double)a->shift);
    call->out[0].dtype = DIT_F32;
    call->out[0].shape = t->shape;
    call->out[0].shape.dim[call->out[0].shape.rank++] = a->width;
    return DIT_OK;
}

// scale * w, as a constant of shape (half).
static dit_tensor scaled_frequencies(dit_graph *g, const struct dit_timestep_embedding_attributes *a, int half)
{
    float *w = malloc((size_t)half * sizeof *w);
    if (!w) {
        dit_graph_fail(g, DIT_NO_MEMORY, "timestep_embedding: no memory for %d frequencies", half);
        return DIT_NONE;
    }
    for (int i = 0; i < half; i++)
        w[i] = a->scale * dit_timestep_frequency(i, half, a->shift, a->max_period);
    dit_tensor t = dit_constant(g, DIT_F32, DIT_SHAPE(half), w);
    free(w);
    return t;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_timestep_embedding_attributes *a = c->attributes;
    int half = a->width / 2, sine = a->flip ? half : 0, cosine = a->flip ? 0 : half;
    if (half == 0)
        return;
    dit_tensor y = c->out[0], dy = c->dout[0];
    dit_tensor dsine = dit_slice(g, dy, -1, sine, half, 1), dcosine = dit_slice(g, dy, -1, cosine, half, 1);
    dit_tensor turn = dit_sub(g, dit_mul(g, dsine, dit_slice(g, y, -1, cosine, half, 1)),
                              dit_mul(g, dcosine, dit_slice(g, y, -1, sine, half, 1)));
    turn = dit_mul(g, turn, scaled_frequencies(g, a, half));
    c->din[0] = dit_sum(g, turn, 1u << dit_shape_of(g, c->in[0])->rank, false);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_timestep_embedding_attributes *a = call->attributes;
    int half = a->width / 2;
    int64_t count = dit_shape_count(&call->in[0].shape);
    for (int64_t n = 0; n < count; n++) {
        double *y = out[0] + n * a->width;
        y[a->width - 1] = 0; // overwritten when the width is even
        for (int i = 0; i < half; i++) {
            double w = (double)dit_timestep_frequency(i, half, a->shift, a->max_period);
            double angle = in[0][n] * w * (double)a->scale;
            y[a->flip ? half + i : i] = sin(angle);
            y[a->flip ? i : half + i] = cos(angle);
        }
    }
}

const dit_op dit_op_timestep_embedding = {
    .name = "timestep_embedding",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_timestep_embedding_attributes),
};

dit_tensor dit_timestep_embedding(dit_graph *g, dit_tensor t, int width, bool flip, float shift, float max_period,
                                  float scale)
{
    struct dit_timestep_embedding_attributes a = {width, flip, shift, max_period, scale};
    return dit_apply(g, DIT_OP_timestep_embedding, &t, 1, &a);
}
