/* A disk that fails when a test says so, loaded into the daemon with LD_PRELOAD.

   The folder $FAULTY_DISK holds a file for each call that is to fail, named like the call; in it stands the
   errno. Only files with "fault" or "ioto-" in their path fail. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int fault(const char *call, int fd)
{
    char name[4096], path[4096];
    const char *folder = getenv("FAULTY_DISK");
    FILE *file;
    ssize_t size;
    int number = 0;
    if (folder == NULL)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    size = readlink(name, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    if (strstr(path, "fault") == NULL && strstr(path, "ioto-") == NULL)
        return 0;
    snprintf(name, sizeof name, "%s/%s", folder, call);
    file = fopen(name, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &number) != 1)
        number = 0;
    fclose(file);
    return number;
}

#define FAILING(result, name, known_as, parameters, arguments)                 \
    result name parameters                                                     \
    {                                                                          \
        static result(*next) parameters;                                       \
        int number = fault(known_as, fd);                                      \
        if (number) {                                                          \
            errno = number;                                                    \
            return -1;                                                         \
        }                                                                      \
        if (next == NULL)                                                      \
            next = (result(*) parameters) dlsym(RTLD_NEXT, #name);             \
        return next arguments;                                                 \
    }

FAILING(ssize_t, write, "write", (int fd, const void *data, size_t size), (fd, data, size))
FAILING(int, fsync, "fsync", (int fd), (fd))
FAILING(ssize_t, pread, "read", (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
FAILING(ssize_t, pread64, "read", (int fd, void *data, size_t size, off64_t at), (fd, data, size, at))
FAILING(ssize_t, preadv2, "read", (int fd, const struct iovec *parts, int count, off_t at, int flags),
        (fd, parts, count, at, flags))
FAILING(ssize_t, preadv64v2, "read", (int fd, const struct iovec *parts, int count, off64_t at, int flags),
        (fd, parts, count, at, flags))
