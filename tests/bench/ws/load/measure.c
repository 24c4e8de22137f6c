/* Clocks, latencies, and what the server uses, as the kernel counts it. */

#include "load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Latencies are counted in classes that are never wider than 1/64 of what they hold. */
enum { PARTS = 64, CLASSES = 64 * PARTS };
static uint64_t counted[CLASSES], counted_all, longest;

static unsigned class_of(uint64_t value)
{
    if (value < PARTS)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - 6;
    return (shift + 1) * PARTS + (unsigned)((value >> shift) - PARTS);
}

static uint64_t top_of(unsigned class)
{
    if (class < PARTS)
        return class;
    unsigned shift = class / PARTS - 1;
    return (((uint64_t)(class % PARTS) + PARTS + 1) << shift) - 1;
}

void latency_reset(void)
{
    memset(counted, 0, sizeof counted);
    counted_all = longest = 0;
}

void latency_add(uint64_t nanoseconds)
{
    counted[class_of(nanoseconds)]++;
    counted_all++;
    if (nanoseconds > longest)
        longest = nanoseconds;
}

double latency_at(double share)
{
    uint64_t wanted = (uint64_t)((double)counted_all * share + 0.5), seen = 0;
    for (unsigned class = 0; class < CLASSES; class++) {
        seen += counted[class];
        if (seen && seen >= wanted)
            return (double)(top_of(class) < longest ? top_of(class) : longest) / 1000;
    }
    return 0;
}

double latency_max(void)
{
    return (double)longest / 1000;
}

/* The first number of a file of /proc; a thread that has just ended has none. */
static uint64_t first_number(const char *path)
{
    unsigned long long number = 0;
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%llu", &number) != 1)
            number = 0;
        fclose(file);
    }
    return number;
}

uint64_t server_cpu(void)
{
    uint64_t sum = 0;
    for (int process = 0; process < options.pid_count; process++) {
        char path[320];
        snprintf(path, sizeof path, "/proc/%d/task", options.pids[process]);
        DIR *threads = opendir(path);
        if (!threads)
            fail("the server, process %d, is gone", options.pids[process]);
        for (struct dirent *thread; (thread = readdir(threads));)
            if (thread->d_name[0] != '.') {
                snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", options.pids[process], thread->d_name);
                sum += first_number(path);
            }
        closedir(threads);
    }
    return sum;
}

uint64_t server_memory(void)
{
    uint64_t pages = 0;
    for (int process = 0; process < options.pid_count; process++) {
        char path[64];
        unsigned long long resident = 0;
        snprintf(path, sizeof path, "/proc/%d/statm", options.pids[process]);
        FILE *file = fopen(path, "r");
        if (!file || fscanf(file, "%*u %llu", &resident) != 1)
            fail("the server, process %d, is gone", options.pids[process]);
        fclose(file);
        pages += resident;
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void window_set(struct window *window)
{
    memset(window, 0, sizeof *window);
    window->begin = now_ns() + (uint64_t)(options.warmup * 1e9);
    window->end = window->begin + (uint64_t)(options.seconds * 1e9);
}

void window_turn(struct window *window, uint64_t now, uint64_t count)
{
    if (!window->open && now >= window->begin) {
        window->open = true;
        window->begin = now;
        window->count_before = count;
        latency_reset();
        window->cpu_before = server_cpu();
    } else if (window->open && !window->over && now >= window->end) {
        window->cpu = server_cpu() - window->cpu_before;
        window->count = count - window->count_before;
        window->nanoseconds = now - window->begin;
        window->over = true;
    }
}

void print_window(const struct window *window)
{
    printf("{\"count\": %llu, \"seconds\": %.6f, \"cpu\": %.9f", (unsigned long long)window->count,
           (double)window->nanoseconds / 1e9, (double)window->cpu / 1e9);
    printf(", \"latency\": {\"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f}", latency_at(0.5),
           latency_at(0.99), latency_at(0.999), latency_max());
}

void print_totals(void)
{
    printf(", \"sent\": %llu, \"received\": %llu, \"received_bytes\": %llu", (unsigned long long)totals.sent,
           (unsigned long long)totals.received, (unsigned long long)totals.received_bytes);
    printf(", \"wrong\": %llu, \"lost\": %llu, \"refused\": %llu}\n", (unsigned long long)totals.wrong,
           (unsigned long long)totals.lost, (unsigned long long)totals.refused);
}
