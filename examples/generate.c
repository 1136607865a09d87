/* generate.c: draws one picture with the model that comes with the library.
 *     cc generate.c $(pkg-config --cflags --libs dit) -o generate && ./generate "red apple" apple.png
 */
#include <dit/dit.h>
#include <stdio.h>

static int show(void *context, const dit_progress *progress)
{
    (void)context;
    if (progress->total) // 0 of 0 only asks whether to stop
        fprintf(stderr, "\r%s %d/%d ", progress->phase, (int)progress->done, (int)progress->total);
    return 0; /* anything else would stop the work */
}

int main(int argc, char **argv)
{
    dit_error error = {0};
    dit_model *model = NULL;
    dit_image picture = {0};
    dit_watch watch = {show, NULL};
    dit_request request = dit_request_default();
    request.prompt = argc > 1 ? argv[1] : "red apple";
    request.seed = 42;

    if (dit_model_open(NULL, &model, &error) == DIT_OK &&
        dit_generate(model, &request, &watch, &picture, &error) == DIT_OK)
        dit_image_write(&picture, argc > 2 ? argv[2] : "picture.png", NULL, &error);
    if (error.status)
        fprintf(stderr, "\n%s\n", error.message);
    dit_image_free(&picture);
    dit_model_close(model);
    return error.status != DIT_OK;
}
