/* A storage layer that can forget what was not synced, be full, or end the program at a change, for tests of durability.
 *
 * Preloaded into the program under test. Before each write to a regular file below MAINSTAY_LOSSY_FOLDER it appends what the write
 * replaces to an undo journal of that file (named after its inode, in MAINSTAY_LOSSY_JOURNAL); fsync and fdatasync empty the
 * journal. Reads, sizes and mappings need no care, because the file itself is always current. When the program has been killed,
 * the test applies the journals backwards: what is left is what a disk may hold after a power cut.
 *
 * While the file MAINSTAY_LOSSY_FULL exists, files may grow together by as many bytes as its text says; then writes that would
 * make one longer fail with ENOSPC.
 *
 * Record: offset, size before, length (each u64, native order), then `length` bytes that stood at `offset`.
 *
 * Not modelled: files shortened by O_TRUNC, copied by copy_file_range, or written through mmap count as synced, and so do names
 * (creating, renaming, deleting). SQLite's `-shm` is left alone: it is rebuilt after a crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);

__attribute__((constructor)) static void find_real(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_mkdir = dlsym(RTLD_NEXT, "mkdir");
}

static void die(const char *what) {
    /* A test must not go on without its journal. */
    perror(what);
    abort();
}

/* Whether `fd` is a file of the folder; fills `st`. */
static int watched(int fd, struct stat *st) {
    const char *folder = getenv("MAINSTAY_LOSSY_FOLDER");
    if (!folder || fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0) return 0;
    path[len] = 0;
    size_t prefix = strlen(folder);
    if (strncmp(path, folder, prefix) != 0 || path[prefix] != '/') return 0;
    return !(len > 4 && strcmp(path + len - 4, "-shm") == 0);
}

static int journal_of(const struct stat *st, int flags) {
    const char *folder = getenv("MAINSTAY_LOSSY_JOURNAL");
    char path[4096];
    if (!folder) die("MAINSTAY_LOSSY_JOURNAL");
    snprintf(path, sizeof path, "%s/%ju.undo", folder, (uintmax_t)st->st_ino);
    return open(path, flags | O_CLOEXEC, 0600);
}

static void put(int journal, const void *bytes, size_t len) {
    for (const char *at = bytes; len > 0;) {
        ssize_t done = real_write(journal, at, len);
        if (done <= 0) die("write the undo journal");
        at += done;
        len -= (size_t)done;
    }
}

/* Notes what stands in [offset, offset + len) before it changes. Called with the lock held. */
static void note(int fd, const struct stat *st, off_t offset, size_t len) {
    size_t old = 0;
    if (offset < st->st_size) {
        old = (size_t)(st->st_size - offset);
        if (old > len) old = len;
    }
    uint64_t head[3] = {(uint64_t)offset, (uint64_t)st->st_size, (uint64_t)old};
    char *record = malloc(sizeof head + old);
    if (!record) die("malloc");
    memcpy(record, head, sizeof head);
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    /* The caller's descriptor may be open for writing only. */
    int reader = old ? open(link, O_RDONLY | O_CLOEXEC) : -1;
    for (size_t done = 0; done < old;) {
        ssize_t got = pread(reader, record + sizeof head + done, old - done, offset + (off_t)done);
        if (got <= 0) die("read what a write replaces");
        done += (size_t)got;
    }
    if (reader >= 0) close(reader);
    int journal = journal_of(st, O_WRONLY | O_CREAT | O_APPEND);
    if (journal < 0) die("open the undo journal");
    put(journal, record, sizeof head + old);
    close(journal);
    free(record);
}

/* Whether the file that `variable` names is there; then `left` counts down from what it says. Called with the lock held. */
static int limited(const char *variable, long long *left) {
    const char *path = getenv(variable);
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        *left = -1; /* unknown */
        return 0;
    }
    char text[32] = {0};
    if (*left < 0 && read(file, text, sizeof text - 1) >= 0) *left = atoll(text);
    close(file);
    return 1;
}

static void end(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether the program ends at this change. Called with the lock held. */
static int ends(void) {
    static long long left = -1;
    return limited("MAINSTAY_LOSSY_KILL", &left) && left-- == 0;
}

/* Whether the disk has no room for this write. Called with the lock held. */
static int full(const struct stat *st, off_t offset, size_t len) {
    static long long left = -1;
    if (!limited("MAINSTAY_LOSSY_FULL", &left)) return 0;
    long long growth = len ? (long long)offset + (long long)len - (long long)st->st_size : 0;
    if (growth <= 0) return 0;
    if (growth > left) return 1;
    left -= growth;
    return 0;
}

static off_t position(int fd, const struct stat *st) {
    int flags = fcntl(fd, F_GETFL);
    return flags & O_APPEND ? st->st_size : lseek(fd, 0, SEEK_CUR);
}

static size_t total(const struct iovec *parts, int count) {
    size_t len = 0;
    for (int i = 0; i < count; i++) len += parts[i].iov_len;
    return len;
}

/* Runs `call` with the lock held, after noting the region; plainly when the file is not watched. If the program ends here, `half`
 * is what is done of it. */
#define NOTED(fd, offset, len, call, half)                                                                      \
    struct stat st;                                                                                       \
    if (!watched(fd, &st)) return call;                                                                   \
    pthread_mutex_lock(&lock);                                                                            \
    if (fstat(fd, &st) != 0) die("fstat");                                                                \
    if (full(&st, offset, len)) {                                                                         \
        pthread_mutex_unlock(&lock);                                                                      \
        errno = ENOSPC;                                                                                   \
        return -1;                                                                                        \
    }                                                                                                     \
    note(fd, &st, offset, len);                                                                           \
    if (ends()) {                                                                                         \
        if ((half) < 0) die("write the first half");                                                      \
        end();                                                                                            \
    }                                                                                                     \
    __auto_type result = call;                                                                            \
    int saved = errno;                                                                                    \
    pthread_mutex_unlock(&lock);                                                                          \
    errno = saved;                                                                                        \
    return result;

ssize_t write(int fd, const void *bytes, size_t len) {
    NOTED(fd, position(fd, &st), len, real_write(fd, bytes, len), real_write(fd, bytes, len / 2))
}
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) {
    NOTED(fd, at, len, real_pwrite(fd, bytes, len, at), real_pwrite(fd, bytes, len / 2, at))
}
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at) {
    NOTED(fd, at, len, real_pwrite(fd, bytes, len, at), real_pwrite(fd, bytes, len / 2, at))
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
    NOTED(fd, position(fd, &st), total(parts, n), real_writev(fd, parts, n), real_writev(fd, parts, n / 2))
}
ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at) {
    NOTED(fd, at, total(parts, n), real_pwritev(fd, parts, n, at), real_pwritev(fd, parts, n / 2, at))
}
ssize_t pwritev64(int fd, const struct iovec *parts, int n, off_t at) {
    NOTED(fd, at, total(parts, n), real_pwritev(fd, parts, n, at), real_pwritev(fd, parts, n / 2, at))
}

static size_t cut(const struct stat *st, off_t size) { return size < st->st_size ? (size_t)(st->st_size - size) : 0; }
int ftruncate(int fd, off_t size) { NOTED(fd, size, cut(&st, size), real_ftruncate(fd, size), 0) }
int ftruncate64(int fd, off_t size) { NOTED(fd, size, cut(&st, size), real_ftruncate(fd, size), 0) }

/* Ends the program if it is to end at this change of a name below the folder. */
static void named(const char *path) {
    const char *folder = getenv("MAINSTAY_LOSSY_FOLDER");
    size_t prefix = folder ? strlen(folder) : 0;
    if (!prefix || strncmp(path, folder, prefix) != 0 || path[prefix] != '/') return;
    pthread_mutex_lock(&lock);
    if (ends()) end();
    pthread_mutex_unlock(&lock);
}

int rename(const char *from, const char *to) {
    named(to);
    return real_rename(from, to);
}
int unlink(const char *path) {
    named(path);
    return real_unlink(path);
}
int mkdir(const char *path, mode_t mode) {
    named(path);
    return real_mkdir(path, mode);
}

/* The kernel's cache outlives `kill -9`, so forgetting the journal is all that a sync has to do; the real one would only be slow. */
static int synced(int fd, int (*real)(int)) {
    struct stat st;
    if (!watched(fd, &st)) return real(fd);
    pthread_mutex_lock(&lock);
    if (ends()) end();
    int journal = journal_of(&st, O_WRONLY);
    if (journal >= 0) {
        if (real_ftruncate(journal, 0) != 0) die("empty the undo journal");
        close(journal);
    } else if (errno != ENOENT) {
        die("open the undo journal");
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }
