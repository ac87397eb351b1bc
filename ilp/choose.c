/* Chooses: the way whose predicted time is the least, and the fused loop among those that are as good. */
#include "ilp/model.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Ways that differ by less than this share are as good as one another: what a measurement repeats. Among them the
 * choice is fused, which uses the caches least and needs no scratch memory. */
#define AS_GOOD 0.03
/* Most chains must gain so much by streaming before a chain that nobody measured is streamed. */
#define WORTH 0.05

static const struct ilp_series *find(const struct ilp_model *m, const struct ilp_chain *c, enum ilp_direction d)
{
	for (unsigned i = 0; m && i < m->count; i++) {
		const struct ilp_series *s = &m->series[i];

		if (s->direction == d && !strcmp(s->chain, c->name) && s->ways == c->way_count[d] && s->mark == ilp_mark(c, d))
			return s;
	}
	return NULL;
}

/* The time at a size, of those at the knots. */
static double between(const struct ilp_model *m, const double *ns, uint64_t bytes)
{
	unsigned k = 0;

	if (bytes <= m->size[0])
		return ns[0];
	while (k < m->knots && m->size[k] < bytes)
		k++;
	if (k == m->knots)
		return ns[k - 1] * (double)bytes / (double)m->size[k - 1];
	return ns[k - 1] + (ns[k] - ns[k - 1]) * (double)(bytes - m->size[k - 1]) / (double)(m->size[k] - m->size[k - 1]);
}

/* What strips of that size cost, against those of the series. */
static double strips(const struct ilp_series *s, uint32_t tile)
{
	unsigned k = 0;

	if (tile == s->tile)
		return 1;
	while (k < ILP_STRIPS - 1 && ((uint32_t)ILP_STRIP_LEAST << k) < tile)
		k++;
	return s->strip[k];
}

static double predict(const struct ilp_model *m, const struct ilp_series *s, const struct ilp_chain *c, unsigned way,
	uint32_t tile, uint64_t bytes)
{
	const double ns = between(m, s->ns[way], bytes);

	return c->ways[s->direction][way].tiled && bytes > (tile < s->tile ? tile : s->tile) ? ns * strips(s, tile) : ns;
}

double ilp_model_predict(const struct ilp_model *m, const struct ilp_chain *c, enum ilp_direction d, unsigned way,
	uint32_t tile, uint64_t bytes)
{
	const struct ilp_series *s = find(m, c, d);

	return s && way < s->ways ? predict(m, s, c, way, tile, bytes) : 0;
}

void ilp_model_choose(const struct ilp_model *m, const struct ilp_chain *c, enum ilp_direction d, uint64_t bytes,
	struct ilp_choice *choice)
{
	const struct ilp_series *s = find(m, c, d);

	*choice = (struct ilp_choice){ .way = ILP_FUSED, .tile = m ? m->tile : ILP_TILE };
	if (!s) {
		if (m && bytes >= m->streamed)
			choice->way = ILP_STREAMING;
		return;
	}
	double best = predict(m, s, c, ILP_FUSED, s->tile, bytes) * (1 - AS_GOOD);
	for (unsigned way = 0; way < s->ways; way++) {
		const double ns = predict(m, s, c, way, s->tile, bytes);

		if (ns < best) {
			best = ns;
			choice->way = way;
		}
	}
	choice->tile = s->tile;
	choice->measured = true;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Whether the median of the known chains is faster streamed, at that knot. */
static bool streams(const struct ilp_model *m, unsigned knot)
{
	double ratio[ILP_SERIES_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < m->count && n < ILP_SERIES_MAX; i++)
		if (m->series[i].ways > ILP_STREAMING)
			ratio[n++] = m->series[i].ns[ILP_STREAMING][knot] / m->series[i].ns[ILP_FUSED][knot];
	if (n == 0)
		return false;
	qsort(ratio, n, sizeof *ratio, ascending);
	return ratio[n / 2] < 1 - WORTH;
}

void ilp_model_settle(struct ilp_model *m)
{
	m->streamed = UINT64_MAX;
	for (unsigned k = m->knots; k-- > 0 && streams(m, k);)
		m->streamed = m->size[k];
}

/* The process's. ------------------------------------------------------------------------------------------------ */

/* Those that were asked for: one for each compiler that made somebody's loops. */
struct kept {
	struct kept *next;
	struct ilp_model *model; /* NULL: none */
	char compiler[];
};

static struct kept *read_model(const char *compiler)
{
	const size_t len = strlen(compiler) + 1;
	struct kept *k = calloc(1, sizeof *k + len);
	char path[PATH_MAX];

	if (!k)
		return NULL;
	memcpy(k->compiler, compiler, len); /* the chain may be unloaded */
	if (ilp_model_path(path, compiler) == 0)
		ilp_model_read(path, compiler, &k->model, NULL, 0);
	return k;
}

static const struct ilp_model *model_of(const struct ilp_chain *c)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct kept *all;
	struct kept *k;

	pthread_mutex_lock(&lock);
	for (k = all; k && strcmp(k->compiler, c->compiler) != 0; k = k->next)
		;
	if (!k && (k = read_model(c->compiler)) != NULL) {
		k->next = all;
		all = k;
	}
	pthread_mutex_unlock(&lock);
	return k ? k->model : NULL;
}

void ilp_choose(const struct ilp_chain *c, enum ilp_direction d, uint64_t bytes, struct ilp_choice *choice)
{
	ilp_model_choose(model_of(c), c, d, bytes, choice);
}

double ilp_predict(const struct ilp_chain *c, enum ilp_direction d, unsigned way, uint32_t tile, uint64_t bytes)
{
	return ilp_model_predict(model_of(c), c, d, way, tile, bytes);
}
