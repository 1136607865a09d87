// cli/progress.c: progress bars.
#include "cli/progress.h"
#include "cli/format.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const double BAR_INTERVAL = 0.1, LINE_INTERVAL = 10.0; // seconds

enum {
    STEADY_COLUMNS = 42, // what the figures beside the bar usually take
    PREVIEW_ROWS = 12,   // how high a preview is in the terminal
};

static struct {
    bool silent;
    char phase[32];
    double started;      // when the phase's first report came
    uint64_t first_done; // what was done by then: a resumed run does not count it into its rate
    double drawn;        // when the last bar or line was written
    bool visible;        // a bar is on the terminal now
} state;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// "12 steps"; bytes with their prefix.
static void format_done(char *text, size_t size, uint64_t done, const char *unit)
{
    if (strcmp(unit, "byte") == 0) {
        char bytes[FORMAT_SIZE];
        snprintf(text, size, "%s", format_bytes(bytes, (double)done));
    } else
        snprintf(text, size, "%" PRIu64 " %s%s", done, unit, done == 1 ? "" : "s");
}

// "3.21 steps/s", "41.0 MB/s", or for slow work "12.5 s/step"; empty while nothing is known.
static void format_rate(char *text, size_t size, double rate, const char *unit)
{
    *text = 0;
    if (!(rate > 0))
        return;
    if (strcmp(unit, "byte") == 0)
        snprintf(text, size, "%s/s", format_bytes((char[FORMAT_SIZE]){0}, rate));
    else if (rate >= 1)
        snprintf(text, size, "%.*f %ss/s", rate >= 100 ? 0 : 2, rate, unit);
    else
        snprintf(text, size, "%.2f s/%s", 1 / rate, unit);
}

static double rate_of(const dit_progress *p, double now)
{
    double elapsed = now - state.started;
    return elapsed > 0.05 && p->done > state.first_done ? (double)(p->done - state.first_done) / elapsed : 0;
}

// What stands beside the bar: "12/20 steps  3.21 steps/s  0:03 left  loss 0.127"
static void format_figures(char *text, size_t size, const dit_progress *p, double now)
{
    char count[48], rate[48], left[48] = "";
    double r = rate_of(p, now);
    if (p->total && strcmp(p->unit, "byte") == 0)
        snprintf(count, sizeof count, "%3.0f%%", 100.0 * (double)p->done / (double)p->total);
    else if (p->total)
        snprintf(count, sizeof count, "%" PRIu64 "/%" PRIu64 " %ss", p->done, p->total, p->unit);
    else
        format_done(count, sizeof count, p->done, p->unit);
    format_rate(rate, sizeof rate, r, p->unit);
    if (r > 0 && p->total > p->done) {
        char duration[FORMAT_SIZE];
        snprintf(left, sizeof left, "  %s left", format_duration(duration, (double)(p->total - p->done) / r));
    }
    snprintf(text, size, "%s%s%s%s%s%s", count, *rate ? "  " : "", rate, left, p->note ? "  " : "",
             p->note ? p->note : "");
}

// One write for the whole line, over the old one, so that it does not flicker.
static void draw_bar(const dit_progress *p, double now)
{
    char figures[160], line[1024], bar[512] = "";
    format_figures(figures, sizeof figures, p, now);
    int columns = terminal_columns(2) - 1, beside = (int)strlen(figures);
    if (beside < STEADY_COLUMNS) // the bar keeps its length while the figures beside it grow and shrink
        beside = STEADY_COLUMNS;
    int left = columns - (int)strlen(p->phase) - 2, room = left - beside - 2;
    if (room > 40)
        room = 40;
    if (p->total && room >= 8) {
        bool blocks = terminal_is_utf8();
        double filled = (double)p->done / (double)p->total * room;
        size_t n = 0;
        for (int i = 0; i < room; i++)
            n += (size_t)snprintf(bar + n, sizeof bar - n, "%s",
                                  i + 0.5 < filled ? (blocks ? "━" : "#")
                                  : blocks         ? "╌"
                                                   : "-");
        snprintf(bar + n, sizeof bar - n, "  ");
    }
    int n = snprintf(line, sizeof line, "\r%s  %s%.*s\033[K", p->phase, bar, left > 0 ? left : 0, figures);
    if (n > 0 && (size_t)n < sizeof line) {
        fwrite(line, 1, (size_t)n, stderr);
        state.visible = true;
    }
}

static void draw_line(const dit_progress *p, double now, bool finished)
{
    if (finished) {
        char count[48], rate[48];
        format_done(count, sizeof count, p->done - state.first_done, p->unit);
        format_rate(rate, sizeof rate, rate_of(p, now), p->unit);
        fprintf(stderr, "%s  %s in %.2f s%s%s%s%s\n", p->phase, count, now - state.started, *rate ? "  " : "", rate,
                p->note ? "  " : "", p->note ? p->note : "");
    } else {
        char figures[160];
        format_figures(figures, sizeof figures, p, now);
        fprintf(stderr, "%s  %s\n", p->phase, figures);
    }
}

void progress_silence(void)
{
    state.silent = true;
}

void progress_hide(void)
{
    if (state.visible)
        fputs("\r\033[K", stderr);
    state.visible = false;
}

void progress_end(void)
{
    progress_hide();
    state.phase[0] = 0;
}

int progress_report(void *context, const dit_progress *progress)
{
    (void)context;
    if (state.silent || (progress->done == 0 && progress->total == 0)) // the latter only asks whether to stop
        return interrupted();
    double now = seconds_now();
    if (strncmp(state.phase, progress->phase, sizeof state.phase - 1) != 0) {
        progress_end();
        snprintf(state.phase, sizeof state.phase, "%s", progress->phase);
        state.started = now;
        state.drawn = now;
        state.first_done = progress->done;
    }
    if (progress->preview && terminal_is_interactive(2)) {
        progress_hide();
        terminal_picture(2, progress->preview, PREVIEW_ROWS);
    }
    bool finished = progress->total && progress->done >= progress->total;
    bool on_terminal = terminal_is_interactive(2);
    if (finished) {
        progress_hide();
        draw_line(progress, now, true);
        state.phase[0] = 0;
    } else if (now - state.drawn >= (on_terminal ? BAR_INTERVAL : LINE_INTERVAL)) {
        if (on_terminal)
            draw_bar(progress, now);
        else
            draw_line(progress, now, false);
        state.drawn = now;
    }
    return interrupted();
}
