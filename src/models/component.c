// models/component.c: files of tensors as arguments of a network.
#include "models/component.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// "encoder_hidden_states.*" takes "encoder_hidden_states.0".
static bool takes(const char *pattern, const char *name)
{
    size_t n = strlen(pattern);
    return pattern[n - 1] == '*' ? !strncmp(pattern, name, n - 1) : !strcmp(pattern, name);
}

static bool is_listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (takes(*list, name))
            return true;
    return false;
}

// The argument that a tensor of the file is, checked; NULL after an error.
static const dit_argument *find_argument(const dit_component *c, dit_method method, const dit_safetensors_entry *e,
                                         const char *file, dit_error *error)
{
    char names[300] = "";
    for (const dit_argument *a = c->class->method[method].arguments; a->name; a++) {
        if (takes(a->name, e->name)) {
            if (e->dtype == DIT_DTYPES)
                dit_fail(error, DIT_UNSUPPORTED, "%s: %s has the dtype %s, which nothing here computes with", file,
                         e->name, e->dtype_name);
            else if (e->rank < a->least_rank || e->rank > a->most_rank)
                dit_fail(error, DIT_BAD_FILE, "%s: %s has %d dimensions; the model takes %d%s", file, e->name, e->rank,
                         e->rank < a->least_rank ? a->least_rank : a->most_rank,
                         a->least_rank == a->most_rank ? "" : " or so");
            for (int k = 0; !error->status && k < e->rank; k++)
                if (e->dim[k] < 1)
                    dit_fail(error, DIT_BAD_FILE, "%s: %s is empty", file, e->name);
            return error->status ? NULL : a;
        }
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", a->name);
    }
    dit_fail(error, DIT_BAD_FILE, "%s: %.100s is not an argument of %s, which takes %s", file, e->name, c->class->name,
             names);
    return NULL;
}

// Entry `i` of the file as a value of the graph: a constant when the description looks at it, an input otherwise.
static dit_tensor argument_value(dit_graph *g, const dit_argument *a, dit_safetensors *inputs, size_t i,
                                 dit_dtype dtype, dit_error *error)
{
    const dit_safetensors_entry *e = dit_safetensors_at(inputs, i);
    dit_shape shape = {.rank = e->rank};
    dit_array array;
    memcpy(shape.dim, e->dim, sizeof shape.dim);
    if (a->need != DIT_CONSTANT)
        return dit_input(g, e->name,
                         !dit_dtype_is_float(e->dtype) ? e->dtype
                         : a->need == DIT_COMPLEX      ? DIT_F32
                                                       : dtype,
                         shape);
    if (dit_safetensors_array(inputs, i, &array, error))
        return DIT_NONE;
    return dit_constant(g, array.dtype, array.shape, array.data);
}

dit_status dit_component_describe(const dit_component *c, dit_graph *g, dit_method method, dit_safetensors *inputs,
                                  const char *const *others, dit_dtype dtype, dit_named_tensors *out, dit_error *error)
{
    const char *file = dit_safetensors_path(inputs);
    dit_named_tensors in = {.dtype = dtype};
    if (!c->class->method[method].describe)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--method: %s has no such method", c->class->name);
    for (size_t i = 0; i < dit_safetensors_count(inputs); i++) {
        const dit_safetensors_entry *e = dit_safetensors_at(inputs, i);
        if (is_listed(others, e->name))
            continue;
        if (in.count == DIT_MAX_ARGUMENTS)
            return dit_fail(error, DIT_BAD_FILE, "%s: more than %d tensors", file, DIT_MAX_ARGUMENTS);
        const dit_argument *a = find_argument(c, method, e, file, error);
        dit_tensor value = a ? argument_value(g, a, inputs, i, dtype, error) : DIT_NONE;
        if (error->status)
            return error->status;
        dit_named_add(&in, e->name, value);
    }
    for (const dit_argument *a = c->class->method[method].arguments; a->name; a++)
        if ((a->need == DIT_REQUIRED || a->need == DIT_COMPLEX) && dit_is_none(dit_named_find(&in, a->name)) &&
            !dit_graph_error(g)->status)
            return dit_fail(error, DIT_BAD_FILE, "%s: %s is missing; %s needs it", file, a->name, c->class->name);
    c->class->method[method].describe(g, c->config, &in, out);
    const dit_error *fault = dit_graph_error(g);
    if (fault->status == DIT_BAD_ARGUMENT) // shapes that do not fit: the file is at fault
        return dit_fail(error, DIT_BAD_FILE, "%s does not fit %s: %s", file, c->folder, fault->message);
    if (fault->status)
        return dit_fail(error, fault->status, "%s: %s", c->folder, fault->message);
    return DIT_OK;
}

dit_status dit_component_fill(const dit_plan *plan, dit_safetensors *inputs, dit_error *error)
{
    for (size_t i = 0; i < dit_safetensors_count(inputs); i++) {
        const char *name = dit_safetensors_at(inputs, i)->name;
        dit_array to = dit_plan_input(plan, name), from;
        if (!to.data)
            continue;
        if (dit_safetensors_array(inputs, i, &from, error))
            return error->status;
        int64_t n = dit_shape_count(&from.shape);
        if (from.dtype == to.dtype)
            memcpy(to.data, from.data, dit_array_bytes(&to));
        else
            for (int64_t k = 0; k < n; k++)
                dit_element_set(to.dtype, to.data, k, dit_element_get(from.dtype, from.data, k));
    }
    if (dit_plan_check_inputs(plan, error))
        dit_error_locate(error, dit_safetensors_path(inputs));
    return error->status;
}
