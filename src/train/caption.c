// train/caption.c: captions drawn from a sample's texts.
#include "train/caption.h"
#include "base/random.h"
#include "train/stream.h"
#include <string.h>
#include <strings.h>

// Appends `word`, after ", " unless it is the first; what does not fit whole characters is left out.
static void append(char *text, size_t *length, const char *word)
{
    const char *parts[] = {*length ? ", " : "", word};
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(parts[i]), room = DIT_CAPTION_ROOM - 1 - *length;
        if (n > room)
            for (n = room; n > 0 && ((unsigned char)parts[i][n] & 0xc0) == 0x80;)
                n--;
        memcpy(text + *length, parts[i], n);
        text[ *length += n] = 0;
    }
}

char *dit_caption_draw(const dit_sample *sample, double keywords, uint64_t seed, uint64_t position,
                       char text[DIT_CAPTION_ROOM])
{
    enum { DRAW_WHETHER, DRAW_HOW_MANY, MOST = 4 };
    uint64_t stream = dit_stream(DIT_STREAM_CAPTION, position);
    float chance = dit_counter_uniform(seed, stream, DRAW_WHETHER);
    uint64_t count = (uint64_t)sample->keyword_count;
    size_t length = 0;
    text[0] = 0;
    bool with_keywords = count > 0 && chance < keywords;
    if (sample->text && (!with_keywords || chance < keywords / 2))
        append(text, &length, sample->text);
    if (!with_keywords)
        return text;
    uint64_t most = count < MOST ? count : MOST, wanted = 1 + dit_counter_below(seed, stream, DRAW_HOW_MANY, most);
    for (uint64_t i = 0; i < wanted; i++)
        append(text, &length, sample->keywords[dit_counter_permutation(seed, stream, count, i)]);
    return text;
}

static bool names_a_side(const char *text)
{
    static const char *const words[] = {"left",       "right",     "leftward",      "rightward",       "leftwards",
                                        "rightwards", "clockwise", "anticlockwise", "counterclockwise"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    while (text && *(text += strcspn(text, letters))) {
        size_t n = strspn(text, letters);
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strlen(words[i]) == n && !strncasecmp(text, words[i], n))
                return true;
        text += n;
    }
    return false;
}

bool dit_caption_allows_mirror(const dit_sample *sample)
{
    for (int i = 0; i < sample->keyword_count; i++)
        if (names_a_side(sample->keywords[i]))
            return false;
    return !names_a_side(sample->text);
}
