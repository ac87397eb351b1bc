#!/bin/bash
# tiles over a road that loses, between two hosts and over UDP: the last frame is the image; over holes, tiles are drawn
# while others that were sent before them are missing; in order, never.
#
#	+-- near ----------+           +-- far ----+
#	| sender 10.99.3.1 +== relay ==+ 10.99.3.2 |
#	+------------------+           +-----------+
set -eu
# shellcheck source=tests/netns/common.sh
. "$(dirname "$0")/common.sh"

tiles=${bin%/tests/netns}/bin/tiles
port=7200
namespace near
namespace far
(printf 'P6\n300 260\n255\n' && head -c $((300 * 260 * 3)) /dev/urandom) >"$tmp/image"

for how in '' --ordered; do
	port=$((port + 1))
	road --loss 3 --delay 10000
	# shellcheck disable=SC2086 # perhaps none
	start receiver far "$tiles" recv --listen "10.99.3.2:$port" --frames "$tmp/frames$how" $how
	await receiver listening
	start sender near "$tiles" send "$tmp/image" "10.99.3.2:$port"
	finish sender
	finish receiver
	road_ends
	cat "$tmp/receiver"
	overtook=$(sed -nE 's/.*of which ([0-9]+) overtook.*/\1/p' "$tmp/receiver")
	if [ "$how" ]; then
		check "none overtakes" [ "$overtook" = 0 ]
	else
		check "some overtake" [ "$overtook" -gt 0 ]
	fi
	last=$(find "$tmp/frames$how" -name 'frame-*.ppm' | sort | tail -n 1)
	check "the image '$how'" cmp "$tmp/image" "$last"
done
