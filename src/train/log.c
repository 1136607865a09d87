// train/log.c: lines of JSON, cut back to the step that a run resumes from.
#include "train/log.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dit_log {
    FILE *file;
    char path[4096];
};

// Where the first line after `taken` steps starts, or one that a full disk cut short: lines are in the order of their
// steps.
static long end_of_step(FILE *file, int64_t taken)
{
    char line[512];
    long end = 0;
    while (fgets(line, sizeof line, file)) {
        long long step;
        if (sscanf(line, "{\"step\": %lld,", &step) != 1 || step > taken || !strchr(line, '\n'))
            break;
        end = ftell(file);
    }
    return end;
}

dit_status dit_log_open(dit_log **log, const char *folder, int64_t taken, dit_error *error)
{
    dit_log *l = calloc(1, sizeof *l);
    *log = NULL;
    if (!l)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for the log", folder);
    if ((size_t)snprintf(l->path, sizeof l->path, "%s/log.jsonl", folder) >= sizeof l->path)
        dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", folder);
    else if (!(l->file = fopen(l->path, "a+")))
        dit_fail_errno(error, errno, "%s", l->path);
    else {
        rewind(l->file);
        long end = end_of_step(l->file, taken);
        if (ftruncate(fileno(l->file), end))
            dit_fail_errno(error, errno, "%s", l->path);
        fseek(l->file, 0, SEEK_END);
    }
    if (error->status)
        dit_log_close(l);
    else
        *log = l;
    return error->status;
}

// A number that JSON has, or null.
static const char *number(char text[32], double value)
{
    snprintf(text, 32, isfinite(value) ? "%.9g" : "null", value);
    return text;
}

dit_status dit_log_write(dit_log *log, const dit_log_line *l, dit_error *error)
{
    char loss[32], norm[32], rate[32], value[32], metric[128] = "";
    if (l->metric)
        snprintf(metric, sizeof metric, ", \"%s\": %s", l->metric, number(value, l->metric_value));
    if (fprintf(log->file, "{\"step\": %lld, \"loss\": %s, \"grad_norm\": %s, \"lr\": %s%s, \"seconds\": %.4f}\n",
                (long long)l->step, number(loss, l->loss), number(norm, l->gradient_norm), number(rate, l->rate),
                metric, l->seconds) < 0 ||
        fflush(log->file))
        return dit_fail_errno(error, errno, "%s", log->path);
    return DIT_OK;
}

dit_status dit_log_sync(dit_log *log, dit_error *error)
{
    if (fflush(log->file) || fsync(fileno(log->file)))
        return dit_fail_errno(error, errno, "%s", log->path);
    return DIT_OK;
}

void dit_log_close(dit_log *log)
{
    if (log && log->file)
        fclose(log->file);
    free(log);
}
