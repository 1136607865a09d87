// models/scaled_weights.c: the scales of f8 weights.
#include "models/scaled_weights.h"
#include "io/json.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && !strcmp(name + n - m, ending);
}

bool dit_is_scale_name(const char *name)
{
    static const char *const endings[] = {".scale_weight", ".weight_scale", ".scale_input",
                                          ".input_scale",  ".comfy_quant",  "scaled_fp8"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_in(name, endings[i]))
            return true;
    return false;
}

// The tensor STEM + ending, or -1.
static ptrdiff_t find_beside(dit_tensor_file *file, const char *weight, const char *ending, char *full, size_t size)
{
    int stem = (int)(strlen(weight) - strlen("weight"));
    int n = snprintf(full, size, "%.*s%s", stem, weight, ending);
    return n > 0 && (size_t)n < size ? dit_tensor_file_find(file, full) : -1;
}

// X.comfy_quant: bytes of JSON, {"format": "float8_e4m3fn"}. Other formats pack their numbers in ways of their own.
static dit_status check_format(dit_tensor_file *file, const char *name, dit_error *error)
{
    char full[600];
    dit_array text;
    dit_json_file *json = NULL;
    ptrdiff_t found = find_beside(file, name, "comfy_quant", full, sizeof full);
    if (found < 0)
        return DIT_OK;
    if (dit_tensor_file_array(file, (size_t)found, &text, error))
        return error->status;
    if (text.dtype != DIT_U8 || dit_json_parse(&json, full, text.data, dit_array_bytes(&text), 0, error))
        return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" is no JSON", dit_tensor_file_path(file), full);
    const char *format = dit_json_text_or(dit_json_root(json), "format", "", error);
    if (strcmp(format, "float8_e4m3fn") && strcmp(format, "float8_e5m2"))
        dit_fail(error, DIT_UNSUPPORTED,
                 "%s: tensor \"%.80s\" says that weights are stored as \"%.40s\"; of such formats "
                 "float8_e4m3fn and float8_e5m2 are read",
                 dit_tensor_file_path(file), full, format);
    dit_json_close(json);
    return error->status;
}

dit_status dit_scale_weight(dit_tensor_file *file, const char *name, dit_weight *weight, dit_error *error)
{
    static const char *const endings[] = {"scale_weight", "weight_scale"};
    dit_array scale;
    dit_dtype dtype = weight->array.dtype;
    if (!ends_in(name, ".weight") || check_format(file, name, error))
        return error->status;
    if (dtype != DIT_F8_E4M3 && dtype != DIT_F8_E5M2)
        return DIT_OK;
    for (int i = 0; i < 2; i++) {
        char full[600];
        ptrdiff_t found = find_beside(file, name, endings[i], full, sizeof full);
        if (found < 0)
            continue;
        if (dit_tensor_file_array(file, (size_t)found, &scale, error))
            return error->status;
        if (dit_shape_count(&scale.shape) != 1 || !dit_dtype_is_float(scale.dtype))
            return dit_fail(error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" is not one number",
                            dit_tensor_file_path(file), full);
        weight->scale = (float)dit_element_get(scale.dtype, scale.data, 0);
        if (!isfinite(weight->scale))
            return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" is not finite", dit_tensor_file_path(file),
                            full);
    }
    return DIT_OK;
}
