// backend/kernel.h: what the graph asks of a backend: one kernel for each op of ops.def.
#ifndef DIT_BACKEND_KERNEL_H
#define DIT_BACKEND_KERNEL_H

#include "base/tensor.h"

enum { DIT_MAX_OUTPUTS = 4 };

// One application of an op. An absent optional input has dtype DIT_DTYPES (see dit_is_absent). The shape rule sees it
// without data and fills in the outputs' dtypes and shapes; the kernel sees it with data, every view laid out as it
// asked.
typedef struct dit_op_call {
    int inputs, outputs;
    dit_view *in;           // [inputs]
    dit_view *out;          // [outputs], contiguous
    const void *attributes; // struct dit_NAME_attributes of ops.def
    void *workspace;        // as many bytes as the kernel's `workspace` said, 64-byte aligned
    const void *prepared;   // what the kernel's `prepare` made of input 1, or NULL when it was not asked to
} dit_op_call;

static inline bool dit_is_absent(const dit_view *view)
{
    return view->dtype == DIT_DTYPES;
}

// How an input may lie in memory. What a kernel does not accept, the plan copies into a dense buffer first.
typedef enum dit_layout {
    DIT_DENSE,       // row-major without gaps
    DIT_ROWS,        // the last axis is contiguous (or of extent 1), the others have any stride, 0 included
    DIT_ANY_STRIDES, // every axis has any stride, 0 included (also negative ones)
} dit_layout;

typedef struct dit_kernel {
    void (*run)(const dit_op_call *call); // uses all OpenMP threads; cannot fail: the shape rule has checked everything
    size_t (*workspace)(const dit_op_call *call); // bytes of scratch; NULL: none
    // Rearranges a weight (input 1) that does not change between runs, such as a linear layer's. NULL: no such form.
    size_t (*prepared_size)(const dit_op_call *call); // 0: this call is better off without
    void (*prepare)(const dit_op_call *call, void *prepared);
    dit_layout layout;
    // Float inputs arrive as f32 unless their bit is set here, and so do outputs: the plan widens before the kernel and
    // rounds after it. A mask of 1 << dtype. `native_weight` is the same for input 1 alone (bf16 weights, f32
    // activations).
    unsigned native_floats, native_weight;
    bool any_dtype;    // moves bytes without looking at them: every dtype arrives as it is
    unsigned in_place; // bit i: output 0 may be the same memory as input i, when dtype, shape and strides are the same
} dit_kernel;

// Attribute types that several ops share.
typedef enum dit_activation {
    DIT_NO_ACTIVATION,
    DIT_SILU,
    DIT_GELU_TANH,
    DIT_GELU_ERF,
    DIT_RELU,
} dit_activation;

// Attention that rounds its weights does so beside the largest score so far, this many keys at a time, as torch's does.
enum { DIT_ATTENTION_KEYS = 512 };

typedef enum dit_pad_mode { DIT_PAD_VALUE, DIT_PAD_REPLICATE, DIT_PAD_REFLECT } dit_pad_mode;

typedef enum dit_resize_mode {
    DIT_NEAREST,          // torch's "nearest": source index floor(i * in / out)
    DIT_BILINEAR,         // half-pixel centres
    DIT_BILINEAR_CORNERS, // align_corners
} dit_resize_mode;

// The order of the features inside one patch token. Tokens run over frames, rows, columns.
typedef enum dit_patch_order {
    DIT_PATCH_CHANNEL_FIRST, // (C, pf, ph, pw): a convolution's weight order; FLUX and Qwen packing
    DIT_PATCH_CHANNEL_LAST,  // (pf, ph, pw, C): the output order of DiT, PixArt, SD3, Lumina
} dit_patch_order;

// A sliding window over one to three spatial axes, outermost first.
typedef struct dit_window {
    int axes;
    int extent[3]; // of the kernel; a convolution takes it from its weight
    int stride[3], padding[3], dilation[3];
    int output_padding[3]; // transposed only
    int groups;
} dit_window;

// ops.def rows become indices, attribute structs and kernel tables.
typedef enum dit_op_id {
#define OP(name, parameters, ...) DIT_OP_##name,
#define VIEW_OP(name, parameters, ...) DIT_OP_##name,
#include "backend/ops.def"
    DIT_OPS,
} dit_op_id;

#define OP(name, parameters, ...)                                                                                      \
    struct dit_##name##_attributes {                                                                                   \
        __VA_ARGS__                                                                                                    \
    };
#define VIEW_OP OP
#include "backend/ops.def"

#endif
