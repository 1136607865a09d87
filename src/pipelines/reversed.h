// pipelines/reversed.h: networks whose time runs from noise at 0 to the picture at 1, and that answer with the picture
// minus the noise: what the Lumina families' pipelines say of them.
#ifndef DIT_PIPELINES_REVERSED_H
#define DIT_PIPELINES_REVERSED_H

#include "pipelines/pipeline.h"

// 1 - timestep / num_train_timesteps of the scheduler, for dit_pipeline_class.time.
double dit_reversed_time(const dit_model *model, const dit_job *job, double timestep);
// `sample` (B, C, H, W), negated, for dit_pipeline_class.answer.
dit_tensor dit_reversed_answer(const dit_model *model, dit_graph *g, const dit_job *job, const dit_named_tensors *out);

#endif
