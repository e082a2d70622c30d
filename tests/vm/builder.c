/* A stand-in for an ONNX Runtime with TensorRT, for a machine that has none: everything is the real library's, but TensorRT's
 * options are taken for granted, and a session with an engine to build takes memory until the kernel ends the process. So Kenpin's
 * real builder is started, and dies as it would of a builder that is too large; no engine is ever built.
 *
 * The numbers are the places of functions in OrtApi (onnxruntime_c_api.h), which grows only at its end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REAL "/usr/local/lib/libonnxruntime.so"
#define PLACES 300
enum { CREATE_SESSION = 7, CREATE_SESSION_FROM_ARRAY = 8, APPEND_TENSORRT = 170, CREATE_OPTIONS = 171, UPDATE_OPTIONS = 172, RELEASE_OPTIONS = 174 };

typedef void *status;
struct base {
    const void *const *(*api)(uint32_t version);
    const char *(*version)(void);
};
struct options { int builds; };

static const struct base *real;
static const void *table[PLACES];
static int builds;

static void take_memory(void)
{
    fputs("stand-in for TensorRT: the builder takes memory\n", stderr);
    /* Pages that are there at once, for the builder is the last to be served by the processor. */
    while (mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) != MAP_FAILED)
        ;
    abort();
}

static status create_options(struct options **made) { *made = calloc(1, sizeof(struct options)); return NULL; }
static void release_options(struct options *made) { free(made); }
static status update_options(struct options *made, const char *const *keys, const char *const *values, size_t count)
{
    (void)values;
    for (size_t i = 0; i < count; i++)
        made->builds |= strcmp(keys[i], "trt_engine_cache_path") == 0;
    return NULL;
}
static status append_tensorrt(void *session, const struct options *made) { (void)session; builds = made->builds; return NULL; }
static status create_session(void *env, const char *path, void *options, void **made)
{
    if (builds)
        take_memory();
    return ((status(*)(void *, const char *, void *, void **))real->api(17)[CREATE_SESSION])(env, path, options, made);
}
static status create_session_from_array(void *env, const void *model, size_t bytes, void *options, void **made)
{
    if (builds)
        take_memory();
    return ((status(*)(void *, const void *, size_t, void *, void **))real->api(17)[CREATE_SESSION_FROM_ARRAY])(env, model, bytes, options, made);
}

static const void *const *api(uint32_t version)
{
    const void *const *whole = real->api(version);
    if (whole == NULL)
        return NULL;
    memcpy(table, whole, sizeof table);
    table[CREATE_SESSION] = (const void *)create_session;
    table[CREATE_SESSION_FROM_ARRAY] = (const void *)create_session_from_array;
    table[APPEND_TENSORRT] = (const void *)append_tensorrt;
    table[CREATE_OPTIONS] = (const void *)create_options;
    table[UPDATE_OPTIONS] = (const void *)update_options;
    table[RELEASE_OPTIONS] = (const void *)release_options;
    return table;
}
static const char *version(void) { return real->version(); }

const struct base *OrtGetApiBase(void)
{
    static const struct base ours = {api, version};
    void *library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "stand-in for TensorRT: %s\n", dlerror());
        abort();
    }
    real = ((const struct base *(*)(void))dlsym(library, "OrtGetApiBase"))();
    return &ours;
}
