# What the charts never use of uPlot, cut where it is reached from: the bundler then drops the functions behind it.
# Written for the version in package-lock.json. Where a line of another version no longer matches, the part stays in and
# tests/web/size.sh shows it.

# Tools for programs that make their own paths, scales and plugins; path builders but for lines and steps.
/^uPlot\.\(assign\|fmtNum\|rangeNum\|rangeLog\|rangeAsinh\|orient\|sync\) *=/d
/^\tuPlot\.\(join\|fmtDate\|addGap\|clipGaps\) *=/d
/(paths\.\(bars\|spline\) *= /d

# Its legend: the page has one of its own.
s/const showLegend = legend\.show;/const showLegend = false;/
s/if (legend\.live) {/if (false) {/
/^\t*s\.value = isTime/d

# Words of dates, and time in seconds: the page labels the ticks itself, and counts in ms.
/^\tconst _time\(Axis\|Series\)\(Vals\?\) /d
s/isTime ? ($/false ? (/
s/av || _timeAxisVals/av/
/^\tconst _timeAxisStamps = \[/,/^\t\];/d
s/\b_timeAxisStamps[A-Za-z]*,//
/^const \[ timeIncrsS,/d
s/ms == 1 ? \(timeAxisSplitsMs(_tzDate)\) : timeAxisSplitsS(_tzDate)/\1/
s/ms == 1 ? timeIncrsMs : timeIncrsS/timeIncrsMs/
