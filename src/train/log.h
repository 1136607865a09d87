// train/log.h: log.jsonl, one line a step, and the curve drawn from it.
#ifndef DIT_TRAIN_LOG_H
#define DIT_TRAIN_LOG_H

#include "base/error.h"
#include <stdint.h>

typedef struct dit_log_line {
    int64_t step; // counted from 1
    double loss, gradient_norm, rate, seconds;
    const char *metric; // name of a further value, or NULL
    double metric_value;
} dit_log_line;

typedef struct dit_log dit_log;

// Opens FOLDER/log.jsonl for a run that has taken `taken` steps: lines of later steps, which a killed run left, are cut
// off.
dit_status dit_log_open(dit_log **log, const char *folder, int64_t taken, dit_error *error);
dit_status dit_log_write(dit_log *log, const dit_log_line *line, dit_error *error);
// Forces what was written to the disk; called before a checkpoint, so that no checkpoint is ahead of its log.
dit_status dit_log_sync(dit_log *log, dit_error *error);
void dit_log_close(dit_log *log); // may be NULL

// Draws FOLDER/loss.svg from FOLDER/log.jsonl: the loss of every step and its running mean, over logarithmic axes.
dit_status dit_log_draw_curve(const char *folder, dit_error *error);

#endif
