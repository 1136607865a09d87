// cli/terminal_picture.c: pictures in the terminal, by libchafa.
#include "cli/terminal.h"
#include <chafa.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct screen {
    int columns, rows;           // characters
    int cell_width, cell_height; // pixels of one character; guessed when the terminal does not say
};

static struct screen screen_of(int fd)
{
    struct winsize size;
    struct screen screen = {80, 24, 8, 16};
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        screen.columns = size.ws_col;
        screen.rows = size.ws_row;
        if (size.ws_xpixel >= size.ws_col && size.ws_ypixel >= size.ws_row) {
            screen.cell_width = size.ws_xpixel / size.ws_col;
            screen.cell_height = size.ws_ypixel / size.ws_row;
        }
    }
    return screen;
}

// The best that the terminal is known to show.
static void choose_modes(ChafaTermInfo *info, ChafaCanvasConfig *config)
{
    ChafaPixelMode pixels = CHAFA_PIXEL_MODE_SYMBOLS;
    if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1))
        pixels = CHAFA_PIXEL_MODE_KITTY;
    else if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_SIXELS))
        pixels = CHAFA_PIXEL_MODE_SIXELS;
    ChafaCanvasMode colours = CHAFA_CANVAS_MODE_FGBG;
    if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_DIRECT))
        colours = CHAFA_CANVAS_MODE_TRUECOLOR;
    else if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_256))
        colours = CHAFA_CANVAS_MODE_INDEXED_240;
    else if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_16))
        colours = CHAFA_CANVAS_MODE_INDEXED_16;
    if (!terminal_is_utf8()) {
        ChafaSymbolMap *map = chafa_symbol_map_new();
        chafa_symbol_map_add_by_tags(map, CHAFA_SYMBOL_TAG_ASCII);
        chafa_canvas_config_set_symbol_map(config, map);
        chafa_symbol_map_unref(map);
    }
    chafa_canvas_config_set_pixel_mode(config, pixels);
    chafa_canvas_config_set_canvas_mode(config, colours);
}

// libchafa reads RGB with or without alpha; grey is widened.
static guint8 *widen_grey(const dit_image *image)
{
    size_t n = (size_t)image->width * (size_t)image->height;
    guint8 *rgb = g_try_malloc_n(n, 3);
    for (size_t i = 0; rgb && i < n; i++)
        memset(rgb + 3 * i, image->pixels[i], 3);
    return rgb;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

bool terminal_picture(int fd, const dit_image *image, int max_rows)
{
    if (!terminal_is_interactive(fd) || image->width < 1 || image->height < 1)
        return false;
    guint8 *widened = image->channels == 1 ? widen_grey(image) : NULL;
    const guint8 *pixels = image->channels == 1 ? widened : image->pixels;
    if (!pixels)
        return false;

    struct screen screen = screen_of(fd);
    gint columns = screen.columns, rows = screen.rows - 2; // the prompt stays in sight
    if (max_rows > 0 && rows > max_rows)
        rows = max_rows;
    if (rows < 1)
        rows = 1;
    chafa_calc_canvas_geometry(image->width, image->height, &columns, &rows,
                               (float)screen.cell_width / (float)screen.cell_height, TRUE, FALSE);
    gchar **environment = g_get_environ();
    ChafaTermInfo *info = chafa_term_db_detect(chafa_term_db_get_default(), environment);
    ChafaCanvasConfig *config = chafa_canvas_config_new();
    choose_modes(info, config);
    chafa_canvas_config_set_geometry(config, columns, rows);
    chafa_canvas_config_set_cell_geometry(config, screen.cell_width, screen.cell_height);
    ChafaCanvas *canvas = chafa_canvas_new(config);
    int channels = image->channels == 4 ? 4 : 3;
    chafa_canvas_draw_all_pixels(canvas, channels == 4 ? CHAFA_PIXEL_RGBA8_UNASSOCIATED : CHAFA_PIXEL_RGB8, pixels,
                                 image->width, image->height, image->width * channels);
    GString *text = chafa_canvas_print(canvas, info);
    g_string_append_c(text, '\n');
    bool drawn = write_all(fd, text->str, text->len);

    g_string_free(text, TRUE);
    chafa_canvas_unref(canvas);
    chafa_canvas_config_unref(config);
    chafa_term_info_unref(info);
    g_strfreev(environment);
    g_free(widened);
    return drawn;
}
