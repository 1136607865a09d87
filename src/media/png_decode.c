// media/png_decode.c: reading PNG files with libpng.
//
// libpng reports an error by jumping to the setjmp of its caller. Everything that must survive the jump lies in a
// struct outside the jumping function, which frees nothing and returns at once.
#include "base/arena.h"
#include "io/file.h"
#include "media/decode.h"
#include "media/png.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t size, at;
    char message[160]; // libpng's, once it has failed
    dit_image image;
    uint8_t *row; // for skipping pixels
    int orientation;
};

static void on_error(png_structp png, png_const_charp message)
{
    struct reader *r = png_get_error_ptr(png);
    snprintf(r->message, sizeof r->message, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message; // a broken chunk that the pixels do not need
}

static void on_read(png_structp png, png_bytep to, size_t size)
{
    struct reader *r = png_get_io_ptr(png);
    if (size > r->size - r->at)
        png_error(png, "the file is cut short");
    memcpy(to, r->bytes + r->at, size);
    r->at += size;
}

// libpng takes a chunk's memory by its claimed length, however large, before it reads: no chunk may be longer than what
// is left of the file.
static dit_status check_chunks(const struct reader *r, const char *name, dit_error *error)
{
    enum { SIGNATURE = 8, AROUND = 12 }; // bytes; around a chunk's data lie its length, type and checksum
    for (size_t at = SIGNATURE; at < r->size;) {
        size_t left = r->size - at;
        const uint8_t *c = r->bytes + at;
        size_t length = left < AROUND ? SIZE_MAX : (size_t)c[0] << 24 | (size_t)c[1] << 16 | (size_t)c[2] << 8 | c[3];
        if (left < AROUND || length > left - AROUND)
            return dit_fail(error, DIT_BAD_FILE, "%s: broken PNG: the file is cut short", name);
        if (!memcmp(c + 4, "IEND", 4))
            break; // what follows is not the picture's
        at += AROUND + length;
    }
    return DIT_OK;
}

static dit_status start(struct reader *r, const char *name, dit_error *error)
{
    dit_status status = check_chunks(r, name, error);
    if (status)
        return status;
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_error, on_warning);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    if (!r->info)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to decode it", name);
    png_set_read_fn(r->png, r, on_read);
    png_set_user_limits(r->png, DIT_IMAGE_LONGEST_SIDE, DIT_IMAGE_LONGEST_SIDE);
    return DIT_OK;
}

static dit_status report(const struct reader *r, const char *name, dit_error *error)
{
    return dit_fail(error, DIT_BAD_FILE, "%s: broken PNG: %s", name, r->message);
}

// Everything up to the first pixel. Texts are skipped here: compressed ones could be of any size.
static dit_status read_start(struct reader *r, const char *name, dit_error *error)
{
    if (setjmp(png_jmpbuf(r->png)))
        return report(r, name, error);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep) "tEXt\0zTXt\0iTXt\0iCCP\0sPLT", 5);
    png_set_chunk_malloc_max(r->png, 8 << 20);
    png_read_info(r->png, r->info);
    dit_status status = dit_image_check_claim(name, png_get_image_width(r->png, r->info),
                                              png_get_image_height(r->png, r->info), r->size, error);
    if (status)
        return status;
    bool grey = !(png_get_color_type(r->png, r->info) & PNG_COLOR_MASK_COLOR);
    bool alpha =
        png_get_color_type(r->png, r->info) & PNG_COLOR_MASK_ALPHA || png_get_valid(r->png, r->info, PNG_INFO_tRNS);
    png_set_expand(r->png);
    png_set_strip_16(r->png);
    if (grey && alpha)
        png_set_gray_to_rgb(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    return dit_image_alloc(&r->image, (int)png_get_image_width(r->png, r->info),
                           (int)png_get_image_height(r->png, r->info), png_get_channels(r->png, r->info), error);
}

static dit_status read_pixels(struct reader *r, const char *name, dit_error *error)
{
    if (setjmp(png_jmpbuf(r->png)))
        return report(r, name, error);
    size_t row = (size_t)r->image.width * (size_t)r->image.channels;
    if (png_get_rowbytes(r->png, r->info) != row)
        return dit_fail(error, DIT_BAD_FILE, "%s: broken PNG: its rows are not what its header says", name);
    int passes = png_get_interlace_type(r->png, r->info) == PNG_INTERLACE_ADAM7 ? 7 : 1;
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < r->image.height; y++)
            png_read_row(r->png, r->image.pixels + (size_t)y * row, NULL);
    png_read_end(r->png, r->info);
    png_bytep exif;
    png_uint_32 exif_size;
    if (png_get_eXIf_1(r->png, r->info, &exif_size, &exif))
        r->orientation = dit_exif_orientation(exif, exif_size);
    return DIT_OK;
}

dit_status dit_png_decode(dit_image *image, int *orientation, const char *name, const uint8_t *bytes, size_t size,
                          dit_error *error)
{
    struct reader r = {.bytes = bytes, .size = size, .orientation = 1};
    dit_status status = start(&r, name, error);
    if (!status)
        status = read_start(&r, name, error);
    if (!status)
        status = read_pixels(&r, name, error);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    if (status) {
        dit_image_free(&r.image);
        return status;
    }
    *image = r.image;
    *orientation = r.orientation;
    return DIT_OK;
}

struct dit_png_texts {
    dit_arena *arena;
    dit_text_pair *pairs;
    size_t count;
};

// Reads everything, since texts may follow the pixels; these go row by row into one scratch row.
static dit_status read_texts(struct reader *r, const char *name, dit_error *error)
{
    if (setjmp(png_jmpbuf(r->png)))
        return report(r, name, error);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep) "iCCP\0sPLT", 2);
    png_set_chunk_malloc_max(r->png, 1 << 20); // of one text, unpacked
    png_set_chunk_cache_max(r->png, 128);      // texts
    png_read_info(r->png, r->info);
    size_t height = png_get_image_height(r->png, r->info);
    dit_status status = dit_image_check_claim(name, png_get_image_width(r->png, r->info), height, r->size, error);
    if (status)
        return status;
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    r->row = malloc(png_get_rowbytes(r->png, r->info));
    if (!r->row)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to decode it", name);
    for (size_t left = (size_t)passes * height; left > 0; left--)
        png_read_row(r->png, r->row, NULL);
    png_read_end(r->png, r->info);
    return DIT_OK;
}

// tEXt and zTXt hold Latin-1, iTXt UTF-8. Keys are Latin-1 always.
static char *as_utf8(dit_arena *arena, const char *text, bool latin_1)
{
    if (!latin_1)
        return dit_arena_copy_text(arena, text);
    char *copy = dit_arena_alloc(arena, 2 * strlen(text) + 1), *to = copy;
    if (!copy)
        return NULL;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c >= 0x80)
            *to++ = (char)(0xc0 | *c >> 6);
        *to++ = (char)(*c >= 0x80 ? 0x80 | (*c & 0x3f) : *c);
    }
    *to = 0;
    return copy;
}

static dit_status keep_texts(const struct reader *r, dit_png_texts *texts, const char *name, dit_error *error)
{
    png_textp found;
    int count = 0;
    png_get_text(r->png, r->info, &found, &count);
    texts->pairs = calloc((size_t)count + 1, sizeof *texts->pairs);
    for (int i = 0; i < count && texts->pairs; i++) {
        bool latin_1 = found[i].compression < PNG_ITXT_COMPRESSION_NONE;
        dit_text_pair pair = {as_utf8(texts->arena, found[i].key, true),
                              as_utf8(texts->arena, found[i].text ? found[i].text : "", latin_1)};
        if (!pair.key || !pair.value)
            break;
        texts->pairs[texts->count++] = pair;
    }
    return texts->count == (size_t)count && texts->pairs
               ? DIT_OK
               : dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its texts", name);
}

dit_status dit_png_decode_texts(dit_png_texts **out, const char *name, const void *bytes, size_t size, dit_error *error)
{
    struct reader r = {.bytes = bytes, .size = size};
    dit_png_texts *texts = calloc(1, sizeof *texts);
    dit_status status;
    if (!texts || !(texts->arena = dit_arena_new()))
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its texts", name);
    else
        status = start(&r, name, error);
    if (!status)
        status = read_texts(&r, name, error);
    if (!status)
        status = keep_texts(&r, texts, name, error);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    free(r.row);
    if (status)
        dit_png_texts_free(texts);
    else
        *out = texts;
    return status;
}

dit_status dit_png_read_texts(dit_png_texts **texts, const char *path, dit_error *error)
{
    char *bytes;
    size_t size;
    dit_status status = dit_file_read(path, DIT_IMAGE_LARGEST_FILE, &bytes, &size, error);
    if (status)
        return status;
    status = dit_png_decode_texts(texts, path, bytes, size, error);
    free(bytes);
    return status;
}

size_t dit_png_texts_count(const dit_png_texts *texts)
{
    return texts->count;
}

dit_text_pair dit_png_texts_at(const dit_png_texts *texts, size_t index)
{
    return texts->pairs[index];
}

const char *dit_png_texts_find(const dit_png_texts *texts, const char *key)
{
    for (size_t i = 0; i < texts->count; i++)
        if (!strcmp(texts->pairs[i].key, key))
            return texts->pairs[i].value;
    return NULL;
}

void dit_png_texts_free(dit_png_texts *texts)
{
    if (!texts)
        return;
    free(texts->pairs);
    dit_arena_free(texts->arena);
    free(texts);
}
