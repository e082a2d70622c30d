/* A stand-in for TensorRT's libnvinfer: it tells a version, has no plugins and can make nothing, as when CUDA fails to
 * initialise. */
#include <stddef.h>
#include <stdio.h>

/* What a call of any method of the plugin registry, a C++ object without anything in it, comes to. */
static void *nothing(void) { return NULL; }

#define EIGHT nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing
static void *(*methods[])(void) = {EIGHT, EIGHT, EIGHT, EIGHT};
static void *registry = methods;

int getInferLibVersion(void) { return 100300; }
void *getPluginRegistry(void) { return &registry; }
void *createInferBuilder_INTERNAL(void *logger, int version)
{
    (void)logger; (void)version;
    fputs("stand-in for TensorRT: no builder can be made\n", stderr);
    return NULL;
}
void *createInferRuntime_INTERNAL(void *logger, int version) { (void)logger; (void)version; return NULL; }
void *createInferRefitter_INTERNAL(void *engine, void *logger, int version)
{
    (void)engine; (void)logger; (void)version;
    return NULL;
}
