// backend/cpu/kernels/unpatchify.c: every element of the image comes from its token.
#include "backend/cpu/patch_rows.h"

DIT_PATCH_LOOPS(lay, *pixel = *feature)

static void run(const dit_op_call *call)
{
    const struct dit_unpatchify_attributes *a = call->attributes;
    dit_patch_rows p = dit_patch_rows_of(&call->out[0], &call->in[0], a->patch, a->order);
    lay(&p, dit_dtype_size(call->in[0].dtype));
}

DIT_KERNEL(unpatchify) = {.run = run, .layout = DIT_DENSE, .any_dtype = true};
