/* What a benchmark says: a table for people, JSON and CSV for programs. */
#include "tools/bench.h"
#include "tools/orc.h"
#include "tools/tcpu.h"

#include <errno.h>
#include <jansson.h>

static const char *const direction_names[ILP_DIRECTIONS] = { "send", "recv" };

static void cell(FILE *f, bool has, double value)
{
	if (has)
		fprintf(f, " %9.*f", value < 10 ? 3 : value < 1000 ? 1 : 0, value);
	else
		fprintf(f, " %9s", "-");
}

static void speedup(FILE *f, const struct bench_point *p, enum bench_variant v)
{
	const struct stats_median *m = &p->speedup[v];

	if (p->has[v])
		fprintf(f, "  %5.2f (%.2f-%.2f)", m->median, m->low, m->high);
	else
		fprintf(f, "  %17s", "-");
}

static void line(FILE *f, const struct bench_series *s, const char *what, bool slope)
{
	fprintf(f, "  %-9s", what);
	for (unsigned v = 0; v < BENCH_VARIANTS; v++)
		cell(f, s->point[0].has[v], slope ? s->line[v].slope : s->line[v].intercept);
	fputc('\n', f);
}

int bench_table(FILE *f, const struct bench_options *o, const struct bench_results *r)
{
	char text[24];

	fprintf(f, "ns per byte, %s, medians of %u rounds; how many times faster the fused loop is (95 %% interval)\n"
		"library: where a chain has xdr_u32, libtirpc's conversion, a call a word, is most of its cost\n"
		"orc: the chain as a program for Orc, compiled by it for %s; chains without a column it cannot do\n%s",
		o->cold ? "cold" : "hot", o->rounds, orc_baseline_target(), r->count && r->series[0].fitted ? o->cold ?
		"slope (ns/byte) and intercept (ns/call) of a line through all sizes\n" :
		"slope (ns/byte) and intercept (ns/call) of a line through the sizes that fit the first cache\n" : "");
	for (unsigned i = 0; i < r->count; i++) {
		const struct bench_series *s = &r->series[i];

		fprintf(f, "\n%s  %s  %s  (%s)\n  %-9s", s->chain->name, direction_names[s->direction], ilp_isa_name(s->isa),
			s->chain->stages, "bytes");
		for (unsigned v = 0; v < BENCH_VARIANTS; v++)
			fprintf(f, " %9s", bench_variant_names[v]);
		fprintf(f, " %9s  %-17s  %-17s  %s\n", "GB/s", "than layered", "than tiled", "than library");
		for (unsigned j = 0; j < o->size_count; j++) {
			const struct bench_point *p = &s->point[j];

			fprintf(f, "  %-9s", size_format(p->bytes, text));
			for (unsigned v = 0; v < BENCH_VARIANTS; v++)
				cell(f, p->has[v], p->ns[v].median / (double)p->bytes);
			cell(f, true, (double)p->bytes / p->ns[BENCH_FUSED].median);
			speedup(f, p, BENCH_LAYERED);
			speedup(f, p, BENCH_TILED);
			speedup(f, p, BENCH_LIBRARY);
			speedup(f, p, BENCH_ORC);
			fputc('\n', f);
		}
		if (s->fitted) {
			line(f, s, "slope", true);
			line(f, s, "intercept", false);
		}
	}
	return ferror(f) ? -EIO : 0;
}

int bench_csv(FILE *f, const struct bench_options *o, const struct bench_results *r)
{
	fputs("chain,direction,isa,bytes,variant,ns_per_call,ns_low,ns_high,ns_per_byte,"
		"fused_is_faster_by,low,high\n", f);
	for (unsigned i = 0; i < r->count; i++)
		for (unsigned j = 0; j < o->size_count; j++)
			for (unsigned v = 0; v < BENCH_VARIANTS; v++) {
				const struct bench_series *s = &r->series[i];
				const struct bench_point *p = &s->point[j];

				if (p->has[v])
					fprintf(f, "%s,%s,%s,%ju,%s,%.3f,%.3f,%.3f,%.6f,%.4f,%.4f,%.4f\n", s->chain->name,
						direction_names[s->direction], ilp_isa_name(s->isa), (uintmax_t)p->bytes,
						bench_variant_names[v], p->ns[v].median, p->ns[v].low, p->ns[v].high,
						p->ns[v].median / (double)p->bytes, p->speedup[v].median, p->speedup[v].low,
						p->speedup[v].high);
			}
	return ferror(f) ? -EIO : 0;
}

static json_t *median_json(const struct stats_median *m)
{
	return json_pack("{s:f, s:f, s:f}", "median", m->median, "low", m->low, "high", m->high);
}

static json_t *point_json(const struct bench_point *p)
{
	json_t *variants = json_object();

	for (unsigned v = 0; v < BENCH_VARIANTS; v++)
		if (p->has[v])
			json_object_set_new(variants, bench_variant_names[v], json_pack("{s:o, s:f, s:f, s:o}",
				"ns_per_call", median_json(&p->ns[v]), "ns_per_byte", p->ns[v].median / (double)p->bytes,
				"gb_per_s", (double)p->bytes / p->ns[v].median, "fused_is_faster_by",
				median_json(&p->speedup[v])));
	return json_pack("{s:I, s:o}", "bytes", (json_int_t)p->bytes, "variants", variants);
}

static json_t *series_json(const struct bench_series *s, unsigned sizes)
{
	json_t *points = json_array(), *fit = json_object();

	for (unsigned j = 0; j < sizes; j++)
		json_array_append_new(points, point_json(&s->point[j]));
	for (unsigned v = 0; v < BENCH_VARIANTS; v++)
		if (s->fitted && s->point[0].has[v])
			json_object_set_new(fit, bench_variant_names[v], json_pack("{s:f, s:f}", "ns_per_byte", s->line[v].slope,
				"ns_per_call", s->line[v].intercept));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "chain", s->chain->name, "stages", s->chain->stages,
		"direction", direction_names[s->direction], "isa", ilp_isa_name(s->isa), "points", points, "fit", fit);
}

int bench_json(FILE *f, const struct bench_options *o, const struct bench_results *r)
{
	json_t *series = json_array();

	for (unsigned i = 0; i < r->count; i++)
		json_array_append_new(series, series_json(&r->series[i], o->size_count));
	json_t *all = json_pack("{s:b, s:i, s:f, s:o}", "cold", o->cold, "rounds", (int)o->rounds, "worst_noise",
		r->worst_noise, "series", series);
	int error = !all || json_dumpf(all, f, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) ? -EIO : 0;

	fputc('\n', f);
	json_decref(all);
	return error;
}
