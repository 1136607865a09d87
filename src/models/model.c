// models/model.c: the table of architectures.
#include "models/model.h"
#include <stdio.h>
#include <string.h>

#define MODEL(name) extern const dit_model_class dit_model_class_##name;
#include "models/models.def"

static const dit_model_class *const classes[] = {
#define MODEL(name) &dit_model_class_##name,
#include "models/models.def"
};

enum { CLASSES = sizeof classes / sizeof *classes };

static bool is_listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

const dit_model_class *dit_model_class_find(const char *name)
{
    for (int i = 0; i < CLASSES; i++)
        if (!strcmp(classes[i]->name, name) || is_listed(classes[i]->older_names, name))
            return classes[i];
    return NULL;
}

const dit_model_class *dit_model_class_of_type(const char *type)
{
    for (int i = 0; i < CLASSES; i++)
        if (is_listed(classes[i]->model_types, type))
            return classes[i];
    return NULL;
}

const char *dit_model_class_names(char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < CLASSES && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "", classes[i]->name);
    return text;
}

dit_tensor dit_named_find(const dit_named_tensors *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->item[i].name, name))
            return list->item[i].tensor;
    return DIT_NONE;
}

void dit_named_add(dit_named_tensors *list, const char *name, dit_tensor tensor)
{
    if (list->count < DIT_MAX_ARGUMENTS) {
        list->item[list->count].name = name;
        list->item[list->count++].tensor = tensor;
    }
}
