// train/caption.h: what a run says about a sample: its caption, or sometimes its keywords.
#ifndef DIT_TRAIN_CAPTION_H
#define DIT_TRAIN_CAPTION_H

#include "train/dataset.h"

enum { DIT_CAPTION_ROOM = 2048 };

// Writes the caption for this visit of the sample. With probability `keywords`, where the sample has any, it is up to
// four of its keywords in random order, half of the time after the caption proper: "cat face, pet, whiskers". What
// chance decides depends on (seed, position) only. Text that does not fit is cut between characters. Returns `text`.
char *dit_caption_draw(const dit_sample *sample, double keywords, uint64_t seed, uint64_t position,
                       char text[DIT_CAPTION_ROOM]);

// Whether the sample is still what its texts say when it is mirrored: none of them speaks of left, right or a sense of
// rotation.
bool dit_caption_allows_mirror(const dit_sample *sample);

#endif
