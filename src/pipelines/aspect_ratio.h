// pipelines/aspect_ratio.h: families that draw in one of a few shapes, near the one asked for, and resize the picture.
#ifndef DIT_PIPELINES_ASPECT_RATIO_H
#define DIT_PIPELINES_ASPECT_RATIO_H

#include "pipelines/pipeline.h"

// For a family's `start`: the picture is drawn in the shape nearest to the request's, of about `side` x `side` pixels
// (256, 512, 1024, 2048 or 4096), and handed out in the request's size, `height` x `width` where it says none. Sets the
// latents' and all pictures' sizes.
dit_status dit_job_size_by_aspect_ratio(dit_model *model, dit_job *job, int side, int height, int width,
                                        dit_error *error);

#endif
