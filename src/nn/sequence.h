// nn/sequence.h: a sequence as a list of segments. A segment is tokens with positions, a role, a timestep of its own,
// and who may see it. In-context images, references, clean first frames, register tokens and chunked video are segment
// lists.
#ifndef DIT_NN_SEQUENCE_H
#define DIT_NN_SEQUENCE_H

#include "nn/nn.h"

enum { NN_MAX_SEGMENTS = 16, NN_ROLES = 32 };

typedef struct nn_segment {
    dit_tensor tokens;    // (B, T, C)
    dit_tensor positions; // (T, 3) f32: t, y, x; or none: all zero
    dit_tensor padding;   // (B, T) bool, false where a token is padding that nobody sees; or none
    dit_tensor condition; // (B, 1, C') of the segment's own timestep; or none where the network has one for all
    int role;             // from 0 to 31: text, image, reference, ... the network's own numbering
    unsigned visible_to;  // bit r: tokens of role r may attend to this segment; 0: everyone may
} nn_segment;

typedef struct nn_sequence {
    int segments;
    dit_tensor tokens;                  // (B, S, C), S the sum of all T
    dit_tensor positions;               // (S, 3) f32
    dit_tensor mask;                    // for attention: (B or 1, 1, S or 1, S) bool, or none when everyone sees all
    int64_t start[NN_MAX_SEGMENTS + 1]; // of each segment; the last entry is S
} nn_sequence;

// Joins segments in their order. All agree in B and C. A wrong number of segments or a role out of range is the graph's
// error, and the answer has no segments.
nn_sequence nn_sequence_join(dit_graph *g, const nn_segment *segments, int count);
// The tokens of one segment out of x (B, S, C) -> (B, T, C).
dit_tensor nn_sequence_part(dit_graph *g, const nn_sequence *s, dit_tensor x, int segment);
// The segments' conditions, each repeated over its tokens: (B, S, C'). All must have one.
dit_tensor nn_sequence_conditions(dit_graph *g, const nn_sequence *s, const nn_segment *segments);

// Positions (T, 3) of a grid of tokens, frames over rows over columns, shifted by an origin (t, y, x).
dit_tensor nn_grid_positions(dit_graph *g, int64_t frames, int64_t rows, int64_t columns, const float origin[3]);

#endif
