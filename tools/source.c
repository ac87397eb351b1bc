/* Reads sources, and runs cpp as rpcgen does: with comments left alone, and RPC_HDR defined. What the machine's
 * compiler would define is left out (-undef), and so are its headers: a field may be called unix. */
#include "tools/source.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void text_free(struct text *t)
{
	free(t->at);
	free(t->kept);
	*t = (struct text){0};
}

/* All of an open file. */
static int slurp(const char *file, FILE *f, struct text *t)
{
	size_t room = 65536;
	char *at = malloc(room);

	t->len = 0;
	while (at) {
		t->len += fread(at + t->len, 1, room - t->len, f);
		if (t->len < room || room > TEXT_MAX)
			break;
		char *more = realloc(at, room *= 2);
		if (!more)
			free(at);
		at = more;
	}
	t->at = at;
	if (!at || ferror(f))
		fprintf(stderr, "tcpu xdr: %s: %s\n", file, strerror(at ? errno : ENOMEM));
	else if (t->len > TEXT_MAX)
		fprintf(stderr, "tcpu xdr: %s: more than %zu MiB, expected less; cut it\n", file, TEXT_MAX >> 20);
	else
		return 0;
	return -1;
}

int text_read(const char *file, struct text *t)
{
	struct stat is;
	FILE *f = fopen(file, "re");

	if (!f || fstat(fileno(f), &is) != 0) {
		fprintf(stderr, "tcpu xdr: %s: %s\n", file, strerror(errno));
		if (f)
			fclose(f);
		return -1;
	}
	int e = -1;
	if (S_ISDIR(is.st_mode))
		fprintf(stderr, "tcpu xdr: %s: %s\n", file, strerror(EISDIR));
	else
		e = slurp(file, f, t);
	fclose(f);
	return e;
}

bool text_has_directives(const struct text *t)
{
	for (const char *at = t->at, *end = t->at + t->len; at && at < end;) {
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at < end && *at == '#')
			return true;
		at = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		at = at ? at + 1 : end;
	}
	return false;
}

/* The end of a line with a %: it goes on behind a backslash. */
static const char *end_of_line(const char *at, const char *end)
{
	for (; at < end && *at != '\n'; at++)
		if (*at == '\\' && at + 1 < end)
			at++;
	return at < end ? at : end;
}

/* The text for cpp. */
static void hide_lines(const struct text *t, const char *file, FILE *to)
{
	const char *at = t->at, *const end = t->at + t->len;

	fprintf(to, "# 1 \"%s\"\n", file);
	while (at < end) {
		const char *line = at, *newline;

		if (*line == '%') {
			newline = end_of_line(line, end);
			fprintf(to, "%%@%zu\n", (size_t)(line - t->at));
			for (const char *c = line; c < newline; c++)
				if (*c == '\n')
					fputc('\n', to); /* so that lines count as they did */
		} else {
			newline = memchr(line, '\n', (size_t)(end - line));
			newline = newline ? newline : end;
			fwrite(line, 1, (size_t)(newline - line), to);
			fputc('\n', to);
		}
		at = newline < end ? newline + 1 : end;
	}
}

static void line(const struct text *t, const char **at, size_t *len)
{
	const char *const begin = *at + 1;
	char *behind;

	*at = begin;
	*len -= 1;
	if (!t->kept || *len < 2 || *begin != '@')
		return;
	size_t place = strtoul(begin + 1, &behind, 10);
	if (behind != begin + *len || place >= t->kept_len || t->kept[place] != '%')
		return;
	*at = t->kept + place + 1;
	*len = (size_t)(end_of_line(*at, t->kept + t->kept_len) - *at);
}

/* Runs cpp with in as its input and out as its output. Its exit status, or -1 and errno. */
static int run(char *const argv[], FILE *in, FILE *out)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status, error = posix_spawn_file_actions_init(&files);

	if (!error) {
		error = posix_spawn_file_actions_adddup2(&files, fileno(in), 0);
		if (!error)
			error = posix_spawn_file_actions_adddup2(&files, fileno(out), 1);
		if (!error)
			error = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
		posix_spawn_file_actions_destroy(&files);
	}
	while (!error && waitpid(pid, &status, 0) < 0)
		error = errno == EINTR ? 0 : errno;
	errno = error;
	return error ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int text_preprocess(const char *file, const char *const defines[], unsigned count, struct text *t)
{
	static const char *const first[] = { "cpp", "-C", "-undef", "-nostdinc", "-w", "-DRPC_HDR", "-iquote" };
	const unsigned fixed = sizeof first / sizeof *first;
	const char **argv = calloc(fixed + 2 * count + 2, sizeof *argv), *slash = strrchr(file, '/');
	char *folder = strndup(slash ? file : ".", slash ? (size_t)(slash - file) + 1 : 1);
	FILE *in = tmpfile(), *out = tmpfile();
	int status = -1;

	if (argv && in && out && folder) {
		memcpy(argv, first, sizeof first);
		argv[fixed] = folder;
		for (unsigned i = 0; i < count; i++) {
			argv[fixed + 2 * i + 1] = "-D";
			argv[fixed + 2 * i + 2] = defines[i];
		}
		hide_lines(t, file, in);
		rewind(in);
		status = run((char *const *)argv, in, out);
	}
	if (status < 0)
		fprintf(stderr, "tcpu xdr: %s: the C preprocessor, cpp: %s%s\n", file, strerror(errno),
			errno == ENOENT ? "; install Debian's package cpp" : "");
	else if (status > 0)
		fprintf(stderr, "tcpu xdr: %s: the C preprocessor ended with status %d\n", file, status);
	else {
		t->kept = t->at;
		t->kept_len = t->len;
		rewind(out);
		status = slurp(file, out, t) ? 1 : 0;
	}
	if (in)
		fclose(in);
	if (out)
		fclose(out);
	free(folder);
	free(argv);
	return status == 0 ? 0 : -1;
}

/* Lua's next token. */
static int next(lua_State *L)
{
	static const char *const kinds[] = { "end", "name", "number", "mark", "string", "line", "bad", "comment" };
	struct source *s = lua_touserdata(L, lua_upvalueindex(1));
	struct ilp_xdr_token t;

	ilp_xdr_lex(&s->lexer, &t);
	lua_pushstring(L, kinds[t.kind]);
	if (t.kind == ILP_XDR_LINE)
		line(&s->text, &t.text, &t.len);
	lua_pushlstring(L, t.text, t.len);
	lua_pushinteger(L, t.line);
	lua_pushinteger(L, t.column);
	if (s->lexer.file)
		lua_pushlstring(L, s->lexer.file, s->lexer.file_len);
	else
		lua_pushstring(L, s->file);
	return 5;
}

void source_push(lua_State *L, struct source *s, bool stellar)
{
	ilp_xdr_lexer_init(&s->lexer, s->text.at, s->text.len, stellar);
	lua_pushlightuserdata(L, s);
	lua_pushcclosure(L, next, 1);
}
