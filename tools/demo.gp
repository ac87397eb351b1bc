# The demo's plot, from out/bench.dat (a block a chain) and out/transfer.dat.
set terminal svg size 1000,720 font "sans,14" background "white"
set output out."/plot.svg"
set multiplot layout 2,2 title "What a byte costs, and what a file gets" font ",18"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.85 border -1
set boxwidth 0.9
set grid ytics lc rgb "#dddddd"
set key top left reverse Left samplen 1.5
set ylabel "ns per byte"
set yrange [0:*]
set offsets 0, 0, graph 0.35, 0
set tics nomirror
array color[3] = ["#d95f02", "#e6ab02", "#1b9e77"]
array label[3] = ["layered", "tiled", "fused"]
stats out."/bench.dat" using 0 nooutput
do for [b=0:(STATS_blocks > 3 ? 2 : STATS_blocks - 1)] {
	set title system("awk -F '\"' '/^\"/ && i++ == ".b." { print $2 }' ".out."/bench.dat") noenhanced
	plot for [v=1:3] out."/bench.dat" index b every ::1 using v+1:xtic(1) title label[v] lc rgb color[v]
}
set title "a file, process to process"
set ylabel "MB/s"
unset key
set boxwidth 0.6
plot out."/transfer.dat" using 2:xtic(1) lc rgb "#7570b3", \
	"" using 0:2:(sprintf("%.0f", $2)) with labels offset 0,0.7
unset multiplot
