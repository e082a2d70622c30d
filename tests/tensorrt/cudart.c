/* A stand-in for libcudart that says all is well on a machine without a GPU: sessions get as far as TensorRT's builder. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* sizeof(cudaDeviceProp) of CUDA 12; a device without a name and of compute capability 0.0 will do. */
#define PROPERTIES 1032

static int stream;

int cudaRuntimeGetVersion(int *version) { *version = 12080; return 0; }
int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaSetDevice(int device) { (void)device; return 0; }
int cudaGetDeviceProperties_v2(void *properties, int device)
{
    (void)device;
    memset(properties, 0, PROPERTIES);
    return 0;
}
int cudaMalloc(void **made, size_t bytes) { *made = malloc(bytes); return 0; }
int cudaFree(void *made) { free(made); return 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *on)
{
    (void)kind; (void)on;
    memcpy(to, from, bytes);
    return 0;
}
int cudaStreamCreateWithFlags(void **made, unsigned flags) { (void)flags; *made = &stream; return 0; }
int cudaStreamDestroy(void *made) { (void)made; return 0; }
int cudaStreamSynchronize(void *made) { (void)made; return 0; }
int cudaStreamWaitEvent(void *made, void *event, unsigned flags) { (void)made; (void)event; (void)flags; return 0; }
int cudaStreamBeginCapture(void *made, int mode) { (void)made; (void)mode; return 0; }
int cudaStreamEndCapture(void *made, void **graph) { (void)made; *graph = NULL; return 0; }
int cudaEventCreateWithFlags(void **made, unsigned flags) { (void)flags; *made = &stream; return 0; }
int cudaEventDestroy(void *made) { (void)made; return 0; }
int cudaEventRecord(void *made, void *on) { (void)made; (void)on; return 0; }
int cudaEventSynchronize(void *made) { (void)made; return 0; }
int cudaGraphInstantiate(void **made, void *graph, unsigned long long flags) { (void)graph; (void)flags; *made = NULL; return 0; }
int cudaGraphLaunch(void *made, void *on) { (void)made; (void)on; return 0; }
int cudaGraphDestroy(void *made) { (void)made; return 0; }
int cudaGraphExecDestroy(void *made) { (void)made; return 0; }
int cudaLaunchHostFunc(void *on, void (*function)(void *), void *data) { (void)on; function(data); return 0; }
