// media/png_encode.c: writing PNG files with libpng. See png_decode.c for its errors.
#include "base/arena.h"
#include "io/atomic_file.h"
#include "media/image.h"
#include "media/png.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

struct writer {
    png_structp png;
    png_infop info;
    png_text *texts;
    unsigned char *bytes;
    size_t size, capacity;
    bool out_of_memory;
    char message[160];
};

static void on_error(png_structp png, png_const_charp message)
{
    struct writer *w = png_get_error_ptr(png);
    snprintf(w->message, sizeof w->message, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

static void on_write(png_structp png, png_bytep from, size_t size)
{
    struct writer *w = png_get_io_ptr(png);
    if (!dit_grow(&w->bytes, &w->capacity, w->size + size, 1)) {
        w->out_of_memory = true;
        png_error(png, "no memory");
    }
    memcpy(w->bytes + w->size, from, size);
    w->size += size;
}

static void on_flush(png_structp png)
{
    (void)png;
}

static bool is_key(const char *key)
{
    size_t length = strlen(key);
    if (length < 1 || length > 79 || key[0] == ' ' || key[length - 1] == ' ' || strstr(key, "  "))
        return false;
    for (const char *c = key; *c; c++)
        if (*c < ' ' || *c > '~')
            return false;
    return true;
}

static bool is_utf8(const char *text)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    while (*at) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate(at, -1, &code);
        if (n < 1)
            return false;
        at += n;
    }
    return true;
}

static bool is_ascii(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80)
            return false;
    return true;
}

static dit_status describe_texts(struct writer *w, const dit_text_pair *texts, size_t count, dit_error *error)
{
    w->texts = calloc(count + 1, sizeof *w->texts);
    if (!w->texts)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a picture's texts");
    for (size_t i = 0; i < count; i++) {
        if (!is_key(texts[i].key))
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "\"%.80s\" cannot be the key of a PNG text; it must have 1 to 79 "
                            "printable ASCII characters and no stray spaces",
                            texts[i].key);
        if (!is_utf8(texts[i].value))
            return dit_fail(error, DIT_BAD_ARGUMENT, "the PNG text \"%s\" is not UTF-8", texts[i].key);
        bool ascii = is_ascii(texts[i].value);
        w->texts[i] = (png_text){
            .compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
            .key = (char *)texts[i].key,
            .text = (char *)texts[i].value,
            .text_length = ascii ? strlen(texts[i].value) : 0,
            .itxt_length = ascii ? 0 : strlen(texts[i].value),
            .lang = (char *)"",
            .lang_key = (char *)"",
        };
    }
    return DIT_OK;
}

static dit_status write_picture(struct writer *w, const dit_image *image, size_t texts, dit_error *error)
{
    if (setjmp(png_jmpbuf(w->png)))
        return dit_fail(error, w->out_of_memory ? DIT_NO_MEMORY : DIT_BAD_ARGUMENT, "cannot encode a PNG: %s",
                        w->message);
    static const int color_types[] = {[1] = PNG_COLOR_TYPE_GRAY, [3] = PNG_COLOR_TYPE_RGB, [4] = PNG_COLOR_TYPE_RGBA};
    png_set_user_limits(w->png, DIT_IMAGE_LONGEST_SIDE, DIT_IMAGE_LONGEST_SIDE);
    png_set_write_fn(w->png, w, on_write, on_flush);
    png_set_IHDR(w->png, w->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 color_types[image->channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    png_set_text(w->png, w->info, w->texts, (int)texts);
    png_write_info(w->png, w->info);
    size_t row = (size_t)image->width * (size_t)image->channels;
    for (int y = 0; y < image->height; y++)
        png_write_row(w->png, image->pixels + (size_t)y * row);
    png_write_end(w->png, w->info);
    return DIT_OK;
}

dit_status dit_png_encode(const dit_image *image, const dit_text_pair *texts, size_t count, unsigned char **bytes,
                          size_t *size, dit_error *error)
{
    if (!image->pixels || image->width < 1 || image->height < 1 ||
        (image->channels != 1 && image->channels != 3 && image->channels != 4))
        return dit_fail(error, DIT_BAD_ARGUMENT, "cannot encode a PNG of %d x %d pixels and %d channels", image->width,
                        image->height, image->channels);
    struct writer w = {0};
    dit_status status = describe_texts(&w, texts, count, error);
    if (!status) {
        w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
        w.info = w.png ? png_create_info_struct(w.png) : NULL;
        status = w.info ? write_picture(&w, image, count, error)
                        : dit_fail(error, DIT_NO_MEMORY, "no memory to encode a PNG");
    }
    png_destroy_write_struct(&w.png, &w.info);
    free(w.texts);
    if (status) {
        free(w.bytes);
        return status;
    }
    *bytes = w.bytes;
    *size = w.size;
    return DIT_OK;
}

dit_status dit_png_save(const char *path, const dit_image *image, const dit_text_pair *texts, size_t count,
                        dit_error *error)
{
    unsigned char *bytes;
    size_t size;
    dit_status status = dit_png_encode(image, texts, count, &bytes, &size, error);
    if (status)
        return status;
    status = dit_atomic_file_save(path, bytes, size, error);
    free(bytes);
    return status;
}
