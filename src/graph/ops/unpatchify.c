// graph/ops/unpatchify.c: tokens laid back into the image that patchify would cut them from.
//   x: any dtype, (B, T, patch volume * C)     patch: as for patchify     image: (B, C, [F,] H, W)     y: image
// Backward: patchify.
#include "graph/ops/patch.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_unpatchify_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    dit_patch_grid p;
    dit_status status = dit_rule_present(call, "unpatchify", 1, error);
    if (status || (status = dit_rule_sane("unpatchify", &a->image, error)) ||
        (status = dit_patch_grid_of("unpatchify", &a->image, a->patch, a->order, &p, error)))
        return status;
    if (dit_shape_check(&a->image, x->dtype, NULL)) {
        char image[160];
        return dit_fail(error, DIT_NO_MEMORY, "unpatchify: the image %s is larger than any memory",
                        dit_shape_text(&a->image, image));
    }
    dit_shape tokens = dit_patch_tokens(&p);
    if (!dit_shape_equal(&tokens, &x->shape)) {
        char have[160], need[160], image[160];
        return dit_fail(error, DIT_BAD_ARGUMENT, "unpatchify: the tokens are %s; the image %s needs %s",
                        dit_shape_text(&x->shape, have), dit_shape_text(&a->image, image),
                        dit_shape_text(&tokens, need));
    }
    call->out[0].dtype = x->dtype;
    call->out[0].shape = a->image;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_unpatchify_attributes *a = c->attributes;
    c->din[0] = dit_patchify(g, c->dout[0], a->patch, a->order);
}

struct arrays {
    const double *tokens;
    double *image;
};

static void move(void *context, int64_t pixel, int64_t token)
{
    struct arrays *m = context;
    m->image[pixel] = m->tokens[token];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_unpatchify_attributes *a = call->attributes;
    dit_patch_grid p;
    if (!dit_patch_grid_of("unpatchify", &a->image, a->patch, a->order, &p, NULL))
        dit_patch_walk(&p, a->order, move, &(struct arrays){in[0], out[0]});
}

const dit_op dit_op_unpatchify = {
    .name = "unpatchify",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_unpatchify_attributes),
};

dit_tensor dit_unpatchify(dit_graph *g, dit_tensor x, const int *patch, dit_patch_order order, dit_shape image)
{
    struct dit_unpatchify_attributes a = {.order = order, .image = image};
    memcpy(a.patch, patch, sizeof a.patch);
    return dit_apply(g, DIT_OP_unpatchify, &x, 1, &a);
}
