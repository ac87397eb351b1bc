/* What ilp_load() is made of: its parts, for one another. Inside, 0 or a negative errno. */
#ifndef ILP_LOADING_H
#define ILP_LOADING_H

#include "ilp/lua.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes on the heap. */
struct ilp_blob {
	uint8_t *bytes;
	size_t len, room;
};

int ilp_blob_add(struct ilp_blob *, const void *bytes, size_t len);
/* Reads the whole of a file that is open, which must be a regular one of at most max bytes: -EFBIG, -EINVAL. */
int ilp_blob_read(struct ilp_blob *, int fd, size_t max);
void ilp_blob_free(struct ilp_blob *);
/* Writes all of it. */
int ilp_write(int fd, const void *bytes, size_t len);

/* For how long something takes. */
int64_t ilp_now_ms(void);

/* What the generator makes of a description: files by name, without folders. */
#define ILP_FILES_MAX 16
struct ilp_file {
	char *name;
	struct ilp_blob text;
};
struct ilp_files {
	char *chain; /* its name */
	struct ilp_file file[ILP_FILES_MAX];
	unsigned count;
};

/* generate.c: runs the generator, whose folder is share or the default. counted: loops that count what they do. */
int ilp_generate(const char *description, const char *share, bool counted, struct ilp_files *, struct ilp_why *);
void ilp_files_free(struct ilp_files *);

/* compile.c. The compiler, and what tells it from others. */
struct ilp_compiler {
	char path[4096];
	char identity[128];
};
int ilp_compiler_find(const char *asked, struct ilp_compiler *, struct ilp_why *);
/* All that an object is made from, as text: what differs in nothing of it is the same object. */
int ilp_recipe(const struct ilp_compiler *, const struct ilp_files *, struct ilp_blob *);
int ilp_compile(const struct ilp_compiler *, const struct ilp_files *, unsigned seconds, struct ilp_blob *object,
	struct ilp_why *);

/* child.c: runs argv[0], with that environment in the folder of that descriptor, not longer than seconds. Its input is
 * empty; of what it writes, the first size - 1 bytes come into said. Returns its wait status, or a negative errno:
 * -ETIMEDOUT, what execve said, … */
int ilp_child(char *const argv[], char *const environment[], int folder, unsigned seconds, char *said, size_t size);

/* cache.c. Where the default folder is, in PATH_MAX bytes: what else is kept for the user is there, too. */
int ilp_cache_folder(char *path);
/* A folder that is open, or -1 for none. folder is an absolute path; NULL: the default. */
int ilp_cache_open(const char *folder, struct ilp_why *);
/* The object that was kept under that recipe: -ENOENT when there is none, or none that can be trusted or is whole. */
int ilp_cache_get(int cache, const struct ilp_blob *recipe, struct ilp_blob *object);
int ilp_cache_put(int cache, const struct ilp_blob *recipe, const struct ilp_blob *object);
/* Waits until nobody else makes an object of that recipe, but not longer than seconds. Returns a descriptor, for
 * ilp_cache_unlock when it is made; -1 when there is no telling, or who makes it has been stopped: then two may make
 * the same. */
int ilp_cache_lock(int cache, const struct ilp_blob *recipe, unsigned seconds);
void ilp_cache_unlock(int lock);

#endif
