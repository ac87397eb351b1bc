/* TCP options: kind alone (end, no-operation), or kind, length and length - 2 bytes. A known kind with another
 * length than its own is stepped over as an unknown one; so are kinds that we do not use. */
#include "core/option.h"

%%{
	machine option;
	alphtype unsigned char;

	action mss_high { mss = (uint16_t)(*p << 8); }
	action mss_low { o.mss = (uint16_t)(mss | *p); }
	action scale {
		o.has_scale = true;
		o.scale = *p > 14 ? 14 : *p;
	}
	# p stands on the length: what it counts begins one byte earlier.
	action skip {
		if (*p < 2 || *p - 1 > pe - p) {
			o.malformed = true;
			fbreak;
		}
		p += *p - 2;
	}
	action stop { fbreak; }

	end = 0 @stop;
	nop = 1;
	mss = 2 ( 4 any @mss_high any @mss_low | ( any - 4 ) @skip );
	window_scale = 3 ( 3 any @scale | ( any - 3 ) @skip );
	other = ( 4 .. 255 ) any @skip;

	main := ( nop | mss | window_scale | other )* end?;

	write data noerror noentry;
}%%

struct options options_read(const uint8_t *bytes, size_t len)
{
	struct options o = { 0 };
	const unsigned char *p = bytes, *pe = bytes + len;
	uint16_t mss = 0;
	int cs;

	%% write init;
	%% write exec;
	/* The header ended inside an option. */
	if (p == pe && cs < option_first_final)
		o.malformed = true;
	return o;
}
