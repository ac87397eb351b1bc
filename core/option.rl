/* TCP options: kind alone (end, no-operation), or kind, length and length - 2 bytes. A known kind with another
 * length than its own is stepped over as an unknown one; so are kinds that we do not use. */
#include "core/option.h"

#include <string.h>

%%{
	machine option;
	alphtype unsigned char;

	action clear { number = 0; }
	action digit { number = number << 8 | *p; }
	action mss { o.mss = (uint16_t)number; }
	action scale {
		o.has_scale = true;
		o.scale = *p > 14 ? 14 : *p;
	}
	action permitted { o.sack_permitted = true; }
	action ts_val { ts_val = number; }
	action ts_ecr {
		o.ts_val = ts_val;
		o.ts_ecr = number;
		o.has_timestamp = true;
	}
	action blocks { blocks = 0; }
	action begin { block[blocks].begin = number; }
	action end { block[blocks++].end = number; }
	action sack {
		memcpy(o.sack, block, sizeof block);
		o.sack_count = blocks;
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

	number2 = ( any{2} ) >clear $digit;
	number4 = ( any{4} ) >clear $digit;
	block = number4 @begin number4 @end;

	end = 0 @stop;
	nop = 1;
	mss = 2 ( 4 number2 @mss | ( any - 4 ) @skip );
	window_scale = 3 ( 3 any @scale | ( any - 3 ) @skip );
	permitted = 4 ( 2 @permitted | ( any - 2 ) @skip );
	sack = 5 ( ( 10 @blocks block | 18 @blocks block{2} | 26 @blocks block{3} | 34 @blocks block{4} ) @sack |
		( any - ( 10 | 18 | 26 | 34 ) ) @skip );
	timestamp = 8 ( 10 number4 @ts_val number4 @ts_ecr | ( any - 10 ) @skip );
	other = ( 6 | 7 | 9 .. 255 ) any @skip;

	main := ( nop | mss | window_scale | permitted | sack | timestamp | other )* end?;

	write data noerror noentry;
}%%

struct options options_read(const uint8_t *bytes, size_t len)
{
	struct options o = { 0 };
	const unsigned char *p = bytes, *pe = bytes + len;
	/* Nothing of an option counts before it is whole. */
	struct sack_block block[OPTION_SACK_BLOCKS] = { 0 };
	uint32_t number = 0, blocks = 0, ts_val = 0;
	int cs;

	%% write init;
	%% write exec;
	/* The header ended inside an option. */
	if (p == pe && cs < option_first_final)
		o.malformed = true;
	return o;
}
