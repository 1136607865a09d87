// models/scaled_weights.c: the scales of f8 weights.
#include "models/scaled_weights.h"
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
    static const char *const endings[] = {".scale_weight", ".weight_scale", ".scale_input", ".input_scale",
                                          "scaled_fp8"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_in(name, endings[i]))
            return true;
    return false;
}

dit_status dit_scale_weight(dit_tensor_file *file, const char *name, dit_weight *weight, dit_error *error)
{
    static const char *const endings[] = {"scale_weight", "weight_scale"};
    static const char weight_ending[] = "weight";
    dit_array scale;
    dit_dtype dtype = weight->array.dtype;
    if ((dtype != DIT_F8_E4M3 && dtype != DIT_F8_E5M2) || !ends_in(name, ".weight"))
        return DIT_OK;
    for (int i = 0; i < 2; i++) {
        char full[600];
        int stem = (int)(strlen(name) - strlen(weight_ending));
        int n = snprintf(full, sizeof full, "%.*s%s", stem, name, endings[i]);
        ptrdiff_t found = n > 0 && (size_t)n < sizeof full ? dit_tensor_file_find(file, full) : -1;
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
