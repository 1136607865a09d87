// graph/read_ahead.c: a thread that asks for weights before the steps that use them, while others compute.
#include "graph/read_ahead.h"
#include <pthread.h>
#include <stdlib.h>

struct dit_read_ahead {
    const dit_weights *weights;
    const dit_weight_read *reads;
    int count;
    size_t window;
    pthread_t thread;
    pthread_mutex_t lock; // of what follows
    pthread_cond_t moved;
    // Reads of all rounds, numbered on: read i is reads[i % count].
    uint64_t used, asked;
    size_t bytes; // of used ..= asked: what is on its way
    bool stop;
};

static size_t bytes_of(const dit_read_ahead *a, uint64_t i)
{
    const dit_weight_read *read = &a->reads[i % (uint64_t)a->count];
    return read->whole ? dit_array_bytes(&read->weight->array) : 0;
}

static bool may_ask(const dit_read_ahead *a)
{
    return a->asked == a->used ||
           (a->asked < a->used + (uint64_t)a->count && a->bytes + bytes_of(a, a->asked) <= a->window);
}

static void *read_on(void *context)
{
    dit_read_ahead *a = context;
    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        if (!may_ask(a)) {
            pthread_cond_wait(&a->moved, &a->lock);
            continue;
        }
        const dit_weight_read *read = &a->reads[a->asked % (uint64_t)a->count];
        a->bytes += bytes_of(a, a->asked++);
        pthread_mutex_unlock(&a->lock); // the system may take its time
        if (read->whole)
            dit_weights_prefetch(a->weights, read->weight);
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

dit_status dit_read_ahead_new(dit_read_ahead **out, const dit_weights *weights, const dit_weight_read *reads, int count,
                              size_t window, dit_error *error)
{
    dit_read_ahead *a = calloc(1, sizeof *a);
    if (!a)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to read weights ahead");
    *a = (dit_read_ahead){.weights = weights, .reads = reads, .count = count, .window = window};
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->moved, NULL);
    if (pthread_create(&a->thread, NULL, read_on, a)) {
        pthread_cond_destroy(&a->moved);
        pthread_mutex_destroy(&a->lock);
        free(a);
        return dit_fail(error, DIT_NO_MEMORY, "no thread to read weights ahead");
    }
    *out = a;
    return DIT_OK;
}

void dit_read_ahead_free(dit_read_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_signal(&a->moved);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->moved);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void dit_read_ahead_at(dit_read_ahead *a, int used)
{
    uint64_t count = (uint64_t)a->count;
    pthread_mutex_lock(&a->lock);
    // A round that was cancelled ends here.
    uint64_t round = used ? a->used / count : (a->used + count - 1) / count, now = round * count + (uint64_t)used;
    for (; a->used < now; a->used++) {
        if (a->asked > a->used)
            a->bytes -= bytes_of(a, a->used);
        else
            a->asked++; // it was used before it could be asked for
    }
    pthread_cond_signal(&a->moved);
    pthread_mutex_unlock(&a->lock);
}
