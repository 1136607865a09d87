// train/loader.c: a ring of batches that worker threads fill, sample by sample, in the order of their use.
#include "train/loader.h"
#include "train/caption.h"
#include "train/order.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// One batch of the ring: the samples of step s lie in slot s % ahead.
struct slot {
    float *pictures; // (B, C, S, S)
    size_t *sample;  // [B]
    int missing;     // samples that are not there yet
    int failed;      // the first sample that could not be read, B when all could
    dit_error error; // of that one
};

struct dit_loader {
    const dit_dataset *set;
    dit_loader_options options;
    size_t picture_floats; // of one sample
    struct slot *slots;    // [ahead]
    pthread_t *threads;    // [started]
    int started;
    // A prepared picture a sample, or NULL. Written once, by whoever prepares it first.
    _Atomic(dit_image *) *cache; // [samples]
    atomic_size_t cached_bytes;

    pthread_mutex_t lock;
    pthread_cond_t free_slot; // workers wait for it
    pthread_cond_t full_slot; // dit_loader_next waits for it
    uint64_t in_use;          // the step whose batch was handed out last, or will be first
    bool handed_out;          // whether there was one
    uint64_t next_step;       // the next sample to be worked on
    int next_item;
    bool stopping;
};

static void free_picture(dit_image *image)
{
    if (image) {
        dit_image_free(image);
        free(image);
    }
}

// Reads and prepares a sample. *image is malloc'd, the caller's.
static dit_status prepare(const dit_dataset *set, size_t sample, const dit_picture_options *options, dit_image **image,
                          dit_error *error)
{
    *image = calloc(1, sizeof **image);
    if (!*image)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a sample's picture");
    if (dit_dataset_read(set, sample, *image, error) || dit_picture_prepare(*image, options, error)) {
        free_picture(*image);
        *image = NULL;
    }
    return error->status;
}

// The prepared picture of a sample, from the cache or for it. *owned: the caller frees it, since the cache is full.
static dit_status obtain(dit_loader *l, size_t sample, dit_image **image, bool *owned, dit_error *error)
{
    *owned = false;
    *image = atomic_load_explicit(&l->cache[sample], memory_order_acquire);
    if (*image)
        return DIT_OK;
    if (prepare(l->set, sample, &l->options.picture, image, error))
        return error->status;
    *owned = true;
    size_t bytes = (size_t)(*image)->width * (size_t)(*image)->height * (size_t)(*image)->channels;
    if (atomic_fetch_add(&l->cached_bytes, bytes) + bytes > l->options.cache_bytes) {
        atomic_fetch_sub(&l->cached_bytes, bytes);
        return DIT_OK;
    }
    dit_image *expected = NULL;
    if (atomic_compare_exchange_strong_explicit(&l->cache[sample], &expected, *image, memory_order_acq_rel,
                                                memory_order_acquire)) {
        *owned = false;
        return DIT_OK;
    }
    free_picture(*image); // another thread was faster with the same sample
    atomic_fetch_sub(&l->cached_bytes, bytes);
    *image = expected;
    *owned = false;
    return DIT_OK;
}

static uint64_t position_of(const dit_loader *l, uint64_t step, int item)
{
    return step * (uint64_t)l->options.step_batch + (uint64_t)l->options.first + (uint64_t)item;
}

static dit_status make_sample(dit_loader *l, struct slot *slot, uint64_t step, int item, dit_error *error)
{
    const dit_loader_options *o = &l->options;
    uint64_t position = position_of(l, step, item);
    size_t sample = (size_t)dit_order_sample(o->seed, dit_dataset_count(l->set), position);
    dit_sample facts = dit_dataset_sample(l->set, sample);
    dit_image *image;
    bool owned;
    slot->sample[item] = sample;
    if (obtain(l, sample, &image, &owned, error))
        return error->status;
    dit_picture_draw(image, &o->picture, o->seed, position,
                     o->picture.augmentation.mirror && dit_caption_allows_mirror(&facts),
                     slot->pictures + (size_t)item * l->picture_floats, error);
    if (owned)
        free_picture(image);
    return error->status;
}

// Takes the next sample to make; false when the loader stops. Waits while its slot is in use.
static bool take(dit_loader *l, uint64_t *step, int *item)
{
    pthread_mutex_lock(&l->lock);
    while (!l->stopping && l->next_step >= l->in_use + (uint64_t)l->options.ahead)
        pthread_cond_wait(&l->free_slot, &l->lock);
    bool taken = !l->stopping;
    if (taken) {
        *step = l->next_step;
        *item = l->next_item++;
        if (l->next_item == l->options.batch) {
            l->next_item = 0;
            l->next_step++;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return taken;
}

static void *work(void *argument)
{
    dit_loader *l = argument;
    uint64_t step;
    int item;
    while (take(l, &step, &item)) {
        struct slot *slot = &l->slots[step % (uint64_t)l->options.ahead];
        dit_error error = {0};
        make_sample(l, slot, step, item, &error);
        pthread_mutex_lock(&l->lock);
        if (error.status && item < slot->failed) {
            slot->failed = item;
            slot->error = error;
        }
        if (--slot->missing == 0)
            pthread_cond_signal(&l->full_slot);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

static dit_status start_threads(dit_loader *l, dit_error *error)
{
    sigset_t all, before;
    sigfillset(&all); // signals are for the thread that called the library
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = 0;
    while (l->started < l->options.threads && code == 0) {
        code = pthread_create(&l->threads[l->started], NULL, work, l);
        l->started += code == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return l->started > 0 ? DIT_OK : dit_fail_errno(error, code, "cannot start a thread that decodes pictures");
}

static void empty(struct slot *slot, int batch)
{
    slot->missing = slot->failed = batch;
    slot->error = (dit_error){0};
}

static bool allocate(dit_loader *l)
{
    const dit_loader_options *o = &l->options;
    size_t batch = (size_t)o->batch;
    l->slots = calloc((size_t)o->ahead, sizeof *l->slots);
    l->threads = calloc((size_t)o->threads, sizeof *l->threads);
    l->cache = calloc(dit_dataset_count(l->set), sizeof *l->cache);
    bool fits = l->slots && l->threads && l->cache;
    for (int i = 0; i < o->ahead && fits; i++) {
        l->slots[i].pictures = malloc(batch * l->picture_floats * sizeof(float));
        l->slots[i].sample = calloc(batch, sizeof(size_t));
        fits = l->slots[i].pictures && l->slots[i].sample;
        empty(&l->slots[i], o->batch);
    }
    return fits;
}

static dit_status check_options(const dit_loader_options *o, dit_error *error)
{
    enum { LARGEST_BATCH = 1 << 16, MOST_THREADS = 256, FARTHEST = 64 };
    if (dit_picture_options_check(&o->picture, error))
        return error->status;
    if (o->batch < 1 || o->batch > LARGEST_BATCH)
        return dit_fail(error, DIT_BAD_ARGUMENT, "batch is %d; it is 1 to %d", o->batch, LARGEST_BATCH);
    if (o->first < 0 || o->step_batch < o->batch || o->first > o->step_batch - o->batch)
        return dit_fail(error, DIT_BAD_ARGUMENT, "samples %d to %d are not all among the %d of a step", o->first,
                        o->first + o->batch - 1, o->step_batch);
    if (o->threads < 1 || o->threads > MOST_THREADS || o->ahead < 1 || o->ahead > FARTHEST)
        return dit_fail(error, DIT_BAD_ARGUMENT, "threads is 1 to %d and ahead 1 to %d, not %d and %d", MOST_THREADS,
                        FARTHEST, o->threads, o->ahead);
    return DIT_OK;
}

dit_status dit_loader_new(dit_loader **out, const dit_dataset *set, const dit_loader_options *options, uint64_t step,
                          dit_error *error)
{
    *out = NULL;
    dit_loader_options o = *options;
    o.step_batch = o.step_batch ? o.step_batch : o.batch;
    o.threads = o.threads ? o.threads : 2;
    o.ahead = o.ahead ? o.ahead : 2;
    o.cache_bytes = o.cache_bytes ? o.cache_bytes : (size_t)1 << 30;
    if (check_options(&o, error))
        return error->status;
    dit_loader *l = calloc(1, sizeof *l);
    if (!l)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for batches");
    l->set = set;
    l->options = o;
    l->in_use = l->next_step = step;
    l->picture_floats = (size_t)o.picture.channels * (size_t)o.picture.size * (size_t)o.picture.size;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->free_slot, NULL);
    pthread_cond_init(&l->full_slot, NULL);
    dit_status status = allocate(l) ? start_threads(l, error)
                                    : dit_fail(error, DIT_NO_MEMORY, "no memory for %d batches of %d pictures of %dx%d",
                                               o.ahead, o.batch, o.picture.size, o.picture.size);
    if (status)
        dit_loader_free(l);
    else
        *out = l;
    return status;
}

void dit_loader_free(dit_loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->free_slot);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->started; i++)
        pthread_join(l->threads[i], NULL);
    for (int i = 0; l->slots && i < l->options.ahead; i++) {
        free(l->slots[i].pictures);
        free(l->slots[i].sample);
    }
    for (size_t i = 0; l->cache && i < dit_dataset_count(l->set); i++)
        free_picture(l->cache[i]);
    pthread_cond_destroy(&l->full_slot);
    pthread_cond_destroy(&l->free_slot);
    pthread_mutex_destroy(&l->lock);
    free(l->slots);
    free(l->threads);
    free(l->cache);
    free(l);
}

dit_status dit_loader_next(dit_loader *l, dit_batch *batch, dit_error *error)
{
    const dit_loader_options *o = &l->options;
    pthread_mutex_lock(&l->lock);
    if (l->handed_out) { // that batch is done with
        empty(&l->slots[l->in_use % (uint64_t)o->ahead], o->batch);
        l->in_use++;
        pthread_cond_broadcast(&l->free_slot);
    }
    struct slot *slot = &l->slots[l->in_use % (uint64_t)o->ahead];
    while (slot->missing > 0)
        pthread_cond_wait(&l->full_slot, &l->lock);
    l->handed_out = true;
    pthread_mutex_unlock(&l->lock);
    if (slot->failed < o->batch)
        return dit_fail(error, slot->error.status, "%s", slot->error.message);
    *batch = (dit_batch){.step = l->in_use,
                         .count = o->batch,
                         .pictures = slot->pictures,
                         .sample = slot->sample,
                         .position = position_of(l, l->in_use, 0)};
    return DIT_OK;
}

dit_status dit_loader_read(const dit_dataset *set, size_t sample, const dit_picture_options *options, float *planes,
                           dit_error *error)
{
    dit_picture_options plain = *options;
    plain.augmentation = (dit_augmentation){0};
    dit_image *image;
    if (dit_picture_options_check(&plain, error) || prepare(set, sample, &plain, &image, error))
        return error->status;
    dit_picture_draw(image, &plain, 0, 0, false, planes, error);
    free_picture(image);
    return error->status;
}
