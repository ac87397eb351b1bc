/* What a benchmark says: a table for people, JSON and CSV for programs. */
#include "tools/bench.h"
#include "tools/arguments.h"
#include "tools/limits.h"
#include "tools/orc.h"
#include "tools/tcpu.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

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

/* What fused : the slower of (memcpy, llvm-mca's bound) is, and which that is: no loop that copies can be faster than
 * both. The interval is that of the ratios within rounds, or of the fused loop alone: a bound has none. */
static const char *bound(const struct bench_series *s, const struct bench_point *p, struct stats_median *ratio)
{
	const struct stats_median *fused = &p->ns[BENCH_FUSED], *copy = &p->speedup[BENCH_MEMCPY];
	double mca = s->mca_ns * (double)p->bytes;

	if (mca > p->ns[BENCH_MEMCPY].median) {
		*ratio = (struct stats_median){ fused->median / mca, fused->low / mca, fused->high / mca };
		return "mca";
	}
	*ratio = (struct stats_median){ 1 / copy->median, 1 / copy->high, 1 / copy->low };
	return "memcpy";
}

static void bound_cells(FILE *f, const struct bench_series *s, const struct bench_point *p)
{
	struct stats_median ratio;
	const char *which = bound(s, p, &ratio);

	cell(f, s->mca_ns > 0, s->mca_ns);
	fprintf(f, "  %5.2f (%.2f-%.2f) %s", ratio.median, ratio.low, ratio.high, which);
}

static void line(FILE *f, const struct bench_series *s, const char *what, bool slope)
{
	fprintf(f, "  %-9s", what);
	for (unsigned v = 0; v < BENCH_VARIANTS; v++)
		cell(f, s->point[0].has[v], slope ? s->line[v].slope : s->line[v].intercept);
	fputc('\n', f);
}

static void head(FILE *f, const struct bench_options *o, const struct bench_results *r)
{
	fprintf(f, "ns per byte, %s, medians of %u rounds; how many times faster the fused loop is (95 %% interval)\n"
		"fused: an ADU in one call, which clears what it leaves one time; layered and tiled: begin, loop and end\n"
		"library: where a chain has xdr_u32, libtirpc's conversion, a call a word, is most of its cost\n"
		"orc: the chain as a program for Orc, which liborc compiled for %s; -: Orc cannot do the chain\n",
		o->cold ? "cold" : "hot", o->rounds, orc_baseline_target());
	if (o->mca)
		fputs("mca: what the fused loop could reach by llvm-mca's model of the CPU that is named; of bound: fused : the "
			"slower of memcpy and mca\n", f);
	if (r->count && r->series[0].fitted)
		fprintf(f, "slope (ns/byte) and intercept (ns/call) of a line through %s\n",
			o->cold ? "all sizes" : "the sizes that fit the first cache");
}

static void series_head(FILE *f, const struct bench_options *o, const struct bench_series *s)
{
	fprintf(f, "\n%s  %s  %s  (%s)\n  %-9s", s->chain->name, direction_names[s->direction], ilp_isa_name(s->isa),
		s->chain->stages, "bytes");
	for (unsigned v = 0; v < BENCH_VARIANTS; v++)
		fprintf(f, " %9s", bench_variant_names[v]);
	fprintf(f, " %9s  %-17s  %-17s  %-17s  %s", "GB/s", "than layered", "than tiled", "than library", "than orc");
	if (o->mca)
		fprintf(f, "%*s %9s  of bound%s%s", 17 - (int)strlen("than orc"), "", "mca", *s->mca_cpu ? "; mca: " : "",
			s->mca_cpu);
	fputc('\n', f);
}

int bench_table(FILE *f, const struct bench_options *o, const struct bench_results *r)
{
	char text[24];

	head(f, o, r);
	for (unsigned i = 0; i < r->count; i++) {
		const struct bench_series *s = &r->series[i];

		series_head(f, o, s);
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
			if (o->mca)
				bound_cells(f, s, p);
			fputc('\n', f);
		}
		if (s->fitted) {
			line(f, s, "slope", true);
			line(f, s, "intercept", false);
		}
	}
	return ferror(f) ? -EIO : 0;
}

/* As if the bounds were variants: nobody's samples, so without an interval. */
static void bound_rows(FILE *f, const struct bench_series *s, const struct bench_point *p)
{
	struct stats_median ratio;
	const char *which = bound(s, p, &ratio);
	double mca = s->mca_ns * (double)p->bytes, bytes = (double)p->bytes;
	double slower = !strcmp(which, "mca") ? mca : p->ns[BENCH_MEMCPY].median;

	if (mca > 0)
		fprintf(f, "%s,%s,%s,%ju,mca,%.3f,,,%.6f,%.4f,,\n", s->chain->name, direction_names[s->direction],
			ilp_isa_name(s->isa), (uintmax_t)p->bytes, mca, mca / bytes, mca / p->ns[BENCH_FUSED].median);
	fprintf(f, "%s,%s,%s,%ju,bound,%.3f,,,%.6f,%.4f,%.4f,%.4f\n", s->chain->name, direction_names[s->direction],
		ilp_isa_name(s->isa), (uintmax_t)p->bytes, slower, slower / bytes, 1 / ratio.median, 1 / ratio.high,
		1 / ratio.low);
}

int bench_csv(FILE *f, const struct bench_options *o, const struct bench_results *r)
{
	fputs("chain,direction,isa,bytes,variant,ns_per_call,ns_low,ns_high,ns_per_byte,"
		"fused_is_faster_by,low,high\n", f);
	for (unsigned i = 0; i < r->count; i++)
		for (unsigned j = 0; j < o->size_count; j++) {
			const struct bench_series *s = &r->series[i];
			const struct bench_point *p = &s->point[j];

			for (unsigned v = 0; v < BENCH_VARIANTS; v++)
				if (p->has[v])
					fprintf(f, "%s,%s,%s,%ju,%s,%.3f,%.3f,%.3f,%.6f,%.4f,%.4f,%.4f\n", s->chain->name,
						direction_names[s->direction], ilp_isa_name(s->isa), (uintmax_t)p->bytes,
						bench_variant_names[v], p->ns[v].median, p->ns[v].low, p->ns[v].high,
						p->ns[v].median / (double)p->bytes, p->speedup[v].median, p->speedup[v].low,
						p->speedup[v].high);
			if (o->mca)
				bound_rows(f, s, p);
		}
	return ferror(f) ? -EIO : 0;
}

static json_t *median_json(const struct stats_median *m)
{
	return json_pack("{s:f, s:f, s:f}", "median", m->median, "low", m->low, "high", m->high);
}

static json_t *point_json(const struct bench_options *o, const struct bench_series *s, const struct bench_point *p)
{
	json_t *variants = json_object(), *point;
	struct stats_median ratio;

	for (unsigned v = 0; v < BENCH_VARIANTS; v++)
		if (p->has[v])
			json_object_set_new(variants, bench_variant_names[v], json_pack("{s:o, s:f, s:f, s:o}",
				"ns_per_call", median_json(&p->ns[v]), "ns_per_byte", p->ns[v].median / (double)p->bytes,
				"gb_per_s", (double)p->bytes / p->ns[v].median, "fused_is_faster_by",
				median_json(&p->speedup[v])));
	point = json_pack("{s:I, s:o}", "bytes", (json_int_t)p->bytes, "variants", variants);
	if (o->mca) {
		json_object_set_new(point, "bound", json_string(bound(s, p, &ratio)));
		json_object_set_new(point, "fused_to_bound", median_json(&ratio));
	}
	return point;
}

static json_t *series_json(const struct bench_options *o, const struct bench_series *s)
{
	json_t *points = json_array(), *fit = json_object();

	for (unsigned j = 0; j < o->size_count; j++)
		json_array_append_new(points, point_json(o, s, &s->point[j]));
	for (unsigned v = 0; v < BENCH_VARIANTS; v++)
		if (s->fitted && s->point[0].has[v])
			json_object_set_new(fit, bench_variant_names[v], json_pack("{s:f, s:f}", "ns_per_byte", s->line[v].slope,
				"ns_per_call", s->line[v].intercept));
	json_t *series = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "chain", s->chain->name, "stages", s->chain->stages,
		"direction", direction_names[s->direction], "isa", ilp_isa_name(s->isa), "points", points, "fit", fit);
	if (s->mca_ns > 0)
		json_object_set_new(series, "mca", json_pack("{s:f, s:s}", "ns_per_byte", s->mca_ns, "model", s->mca_cpu));
	return series;
}

int bench_json(FILE *f, const struct bench_options *o, const struct bench_results *r)
{
	json_t *series = json_array();

	for (unsigned i = 0; i < r->count; i++)
		json_array_append_new(series, series_json(o, &r->series[i]));
	json_t *all = json_pack("{s:b, s:i, s:f, s:o}", "cold", o->cold, "rounds", (int)o->rounds, "worst_noise",
		r->worst_noise, "series", series);
	if (o->limits)
		json_object_set_new(all, "limits", limits_json(o, r));
	return arguments_json(f, all, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
}
