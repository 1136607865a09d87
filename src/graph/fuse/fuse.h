// graph/fuse/fuse.h: what a fusion rule may ask and do.
//
// A rule looks at one step as the last node of its pattern. When the nodes before it match and nothing else uses their
// results, it rewrites that step into the fused op and says how many nodes it absorbed; the plan drops what is unused.
// Rules keep to f32: rounded formats keep the reference's order of casts.
#ifndef DIT_GRAPH_FUSE_FUSE_H
#define DIT_GRAPH_FUSE_FUSE_H

#include "graph/plan_private.h"

#define FUSE(name) bool dit_fuse_##name(dit_plan *plan, plan_step *step);
#include "graph/fuse/fuse.def"

// The step that computes `value` with op `op`, when `value` is its only used output, is f32, and has a single use;
// otherwise NULL.
plan_step *dit_fuse_sole(const dit_plan *plan, int value, dit_op_id op);
// Which input of `step`, an op of two operands, is made by such a step: 0 or 1, or -1 when none is.
int dit_fuse_operand(const dit_plan *plan, const plan_step *step, dit_op_id op);
// Turns `step` into an application of `op`; inputs and attributes are copied. False when memory is out.
bool dit_fuse_rewrite(dit_plan *plan, plan_step *step, dit_op_id op, const int *in, int inputs, const void *attributes,
                      int absorbed);

#endif
