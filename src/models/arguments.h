// models/arguments.h: what describing functions ask of the arguments they are given. What does not fit is the graph's
// error, which names the argument.
#ifndef DIT_MODELS_ARGUMENTS_H
#define DIT_MODELS_ARGUMENTS_H

#include "models/model.h"

// How many arguments are members of the list NAME ("NAME.0", "NAME.1", ...), or of lists in it.
int dit_named_members(const dit_named_tensors *list, const char *name);
// Member `i` of the list NAME; missing is an error.
dit_tensor dit_named_member(dit_graph *g, const dit_named_tensors *list, const char *name, int i);
// The integers (i32, i64, bool, or whole numbers as floats) of a constant argument: of one tensor of that name, or of
// the dotted members NAME.0, NAME.1, ... or NAME.0.0, NAME.0.1, NAME.1.0, ... in their order. Returns how many there
// are, 0 when absent; more than `room`, a gap in the list, or another kind of value is the graph's error.
int dit_named_integers(dit_graph *g, const dit_named_tensors *list, const char *name, int64_t *values, int room);

// Axis `axis` of an argument (negative ones count from the end) must have `extent`; `because` says what wants it, such
// as the key of the configuration.
void dit_check_extent(dit_graph *g, const char *name, dit_tensor argument, int axis, int64_t extent,
                      const char *because);
// An argument of one value a sample (axis 0) must have `batch` of them, or one for all.
void dit_check_batch(dit_graph *g, const char *name, dit_tensor argument, int64_t batch);

// The one argument of an autoencoder's encoder or decoder, under whichever of its names it was given. Fails when there
// is none, or two, or when its channels are not `channels` or its sides shorter than `least`.
dit_tensor dit_autoencoder_argument(dit_graph *g, const dit_named_tensors *in, int channels, int least);

#endif
