/* The folders of a path, made before files are written there, and removed again when none was. */
#include "tools/tcpu.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int folders_make(char *path, size_t *there)
{
	size_t len = strlen(path);

	for (size_t i = 1; i <= len; i++) {
		char c = path[i];

		if (c != '/' && c != 0)
			continue;
		path[i] = 0;
		int error = mkdir(path, 0777) != 0 ? errno : 0;
		path[i] = c;
		if (error == EEXIST)
			*there = i;
		else if (error) {
			errno = error;
			return -1;
		}
	}
	return 0;
}

void folders_unmake(char *path, size_t there)
{
	for (size_t i = strlen(path); i > there; i--)
		if (path[i] == 0 || path[i] == '/') {
			path[i] = 0;
			rmdir(path);
		}
}
