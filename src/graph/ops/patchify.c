// graph/ops/patchify.c: an image cut into non-overlapping patches, one token each.
// Dosovitskiy et al. 2020 (arXiv 2010.11929), section 3.1; the orders (backend/kernel.h) are those of diffusers.
//   x: any dtype, (B, C, [F,] H, W)     patch: frames (1 when x has none), rows, columns; each divides its extent
//   y: (B, T, patch volume * C), tokens over frames, rows, columns
// Backward: unpatchify.
#include "graph/ops/patch.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_patchify_attributes *a = call->attributes;
    dit_patch_grid p;
    dit_status status = dit_rule_present(call, "patchify", 1, error);
    if (status || (status = dit_patch_grid_of("patchify", &call->in[0].shape, a->patch, a->order, &p, error)))
        return status;
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = dit_patch_tokens(&p);
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_patchify_attributes *a = c->attributes;
    c->din[0] = dit_unpatchify(g, c->dout[0], a->patch, a->order, *dit_shape_of(g, c->in[0]));
}

struct arrays {
    const double *image;
    double *tokens;
};

static void move(void *context, int64_t pixel, int64_t token)
{
    struct arrays *m = context;
    m->tokens[token] = m->image[pixel];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_patchify_attributes *a = call->attributes;
    dit_patch_grid p;
    if (!dit_patch_grid_of("patchify", &call->in[0].shape, a->patch, a->order, &p, NULL))
        dit_patch_walk(&p, a->order, move, &(struct arrays){in[0], out[0]});
}

const dit_op dit_op_patchify = {
    .name = "patchify",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_patchify_attributes),
};

dit_tensor dit_patchify(dit_graph *g, dit_tensor x, const int *patch, dit_patch_order order)
{
    struct dit_patchify_attributes a = {.order = order};
    memcpy(a.patch, patch, sizeof a.patch);
    return dit_apply(g, DIT_OP_patchify, &x, 1, &a);
}
