// train/curve.c: the loss curve as SVG.
#include "base/arena.h"
#include "io/atomic_file.h"
#include "train/log.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 720, HEIGHT = 400, LEFT = 64, RIGHT = 16, TOP = 24, BOTTOM = 44, POINTS = 600 };

struct curve {
    double *step, *loss;
    size_t count, step_capacity, loss_capacity;
    double least, most; // of the loss, over what is drawn
};

static dit_status read_losses(struct curve *c, const char *folder, dit_error *error)
{
    char path[4096], line[512];
    snprintf(path, sizeof path, "%s/log.jsonl", folder);
    FILE *file = fopen(path, "r");
    if (!file)
        return dit_fail(error, DIT_NO_FILE, "%s: the log cannot be read", path);
    while (!error->status && fgets(line, sizeof line, file)) {
        double step, loss;
        if (sscanf(line, "{\"step\": %lf, \"loss\": %lf", &step, &loss) != 2 || !(loss > 0) || !isfinite(loss))
            continue;
        if (!dit_grow(&c->step, &c->step_capacity, c->count + 1, sizeof *c->step) ||
            !dit_grow(&c->loss, &c->loss_capacity, c->count + 1, sizeof *c->loss)) {
            dit_fail(error, DIT_NO_MEMORY, "%s: no memory for the curve", path);
            break;
        }
        c->step[c->count] = step;
        c->loss[c->count++] = loss;
    }
    fclose(file);
    return error->status;
}

// The mean of the losses whose index lies in [first, last).
static double mean(const struct curve *c, size_t first, size_t last)
{
    double sum = 0;
    for (size_t i = first; i < last; i++)
        sum += c->loss[i];
    return sum / (double)(last - first);
}

static void find_range(struct curve *c)
{
    c->least = c->most = c->loss[0];
    for (size_t i = 0; i < c->count; i++) {
        c->least = fmin(c->least, c->loss[i]);
        c->most = fmax(c->most, c->loss[i]);
    }
    c->least *= 0.95;
    c->most *= 1.05;
}

static double x_of(const struct curve *c, double step)
{
    double last = log(c->step[c->count - 1] + 1);
    return LEFT + (WIDTH - LEFT - RIGHT) * log(step + 1) / (last > 0 ? last : 1);
}

static double y_of(const struct curve *c, double loss)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * log(loss / c->least) / log(c->most / c->least);
}

// Points evenly spaced along the axis of log(step); each stands for the steps up to the next, averaged over `window`
// steps.
static void draw_line(FILE *svg, const struct curve *c, double window, const char *style)
{
    fprintf(svg, "<polyline fill=\"none\" %s points=\"", style);
    double last = log((double)c->count + 1);
    size_t previous = (size_t)-1;
    for (int p = 0; p <= POINTS; p++) {
        size_t at = (size_t)(exp(last * p / POINTS) - 1);
        if (at >= c->count)
            at = c->count - 1;
        if (at == previous)
            continue;
        size_t reach = (size_t)((double)at * window), first = at > reach ? at - reach : 0;
        size_t end = at + reach + 1 < c->count ? at + reach + 1 : c->count;
        fprintf(svg, "%.1f,%.1f ", x_of(c, c->step[at]), y_of(c, mean(c, first, end)));
        previous = at;
    }
    fprintf(svg, "\"/>\n");
}

static void draw_axes(FILE *svg, const struct curve *c)
{
    for (double decade = 1; decade <= c->step[c->count - 1]; decade *= 10)
        fprintf(svg,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#ddd\"/>"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
                x_of(c, decade), x_of(c, decade), TOP, HEIGHT - BOTTOM, x_of(c, decade), HEIGHT - BOTTOM + 18, decade);
    double exponent = floor(log10(c->least));
    for (double decade = pow(10, exponent); decade <= c->most; decade *= 10)
        for (int k = 1; k < 10; k++) {
            double loss = decade * k;
            if (loss < c->least || loss > c->most)
                continue;
            fprintf(svg, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>", LEFT, WIDTH - RIGHT,
                    y_of(c, loss), y_of(c, loss));
            if (k == 1 || k == 2 || k == 5 || c->most / c->least < 3)
                fprintf(svg, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT - 6, y_of(c, loss) + 4,
                        loss);
        }
    fprintf(svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n", WIDTH / 2, HEIGHT - 6);
    fprintf(svg, "<text x=\"%d\" y=\"%d\">loss, last %.4g</text>\n", LEFT, TOP - 8, c->loss[c->count - 1]);
}

dit_status dit_log_draw_curve(const char *folder, dit_error *error)
{
    struct curve c = {0};
    char path[4096], *text = NULL;
    size_t size = 0;
    if (read_losses(&c, folder, error) || c.count < 2)
        goto done;
    FILE *svg = open_memstream(&text, &size);
    if (!svg) {
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory for the curve", folder);
        goto done;
    }
    find_range(&c);
    fprintf(svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            WIDTH, HEIGHT);
    draw_axes(svg, &c);
    draw_line(svg, &c, 0, "stroke=\"#9bbce0\" stroke-width=\"0.8\"");
    draw_line(svg, &c, 0.05, "stroke=\"#1f5fa8\" stroke-width=\"1.8\"");
    fprintf(svg, "</svg>\n");
    fclose(svg);
    snprintf(path, sizeof path, "%s/loss.svg", folder);
    dit_atomic_file_save(path, text, size, error);
done:
    free(text);
    free(c.step);
    free(c.loss);
    return error->status;
}
