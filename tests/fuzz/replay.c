/* Runs a fuzz target on files, without a fuzzer.
 *
 *	build/gcc/tests/fuzz/segment tests/fuzz/corpus/segment		all files of a folder
 *	build/gcc/tests/fuzz/segment build/fuzz/segment-crash-...	one that broke something */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static unsigned passed;

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	/* As large as the bytes, so that a sanitizer sees a read behind them. */
	struct stat st;
	uint8_t *data;

	if (!file || fstat(fileno(file), &st) || !(data = malloc((size_t)st.st_size + !st.st_size)) ||
		fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size) {
		perror(path);
		exit(1);
	}
	fclose(file);
	fprintf(stderr, "%s\n", path); /* what ends the run is the last */
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
	passed++;
}

static int is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void run(const char *path)
{
	struct dirent **names;
	char name[4096];
	int count = scandir(path, &names, is_visible, alphasort);

	if (count < 0) {
		run_file(path);
		return;
	}
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
		run_file(name);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	printf("%u passed, 0 failed\n", passed);
	return passed == 0;
}
