// Scale runs the scale example of test/bench/scale.ts on Prometheus's own storage and query engine, and prints the same
// figures, a line of JSON for each number of hours:
//
//	go run ./scale -services 100 -hours 1,6,24
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	start           = int64(1_699_920_000_000)
	step            = int64(30_000)
	minute          = int64(60_000)
	hour            = 60 * minute
	perService      = 10
	apis            = 20
	seriesPerTarget = apis * 4
	queryRuns       = 3
)

var methods = []string{"GET", "POST", "PUT", "DELETE"}

type query struct {
	Title        string  `json:"title"`
	Milliseconds float64 `json:"milliseconds"`
	Sum          float64 `json:"sum"`
}

type figures struct {
	Hours             int     `json:"hours"`
	Series            uint64  `json:"series"`
	Samples           int     `json:"samples"`
	Seconds           float64 `json:"seconds"`
	RssBytes          int     `json:"rssBytes"`
	PeakRssBytes      int     `json:"peakRssBytes"`
	QueryPeakRssBytes int     `json:"queryPeakRssBytes"`
	Blocks            int     `json:"blocks"`
	BlockBytes        int64   `json:"blockBytes"`
	LogBytes          int64   `json:"logBytes"`
	HeadChunkBytes    int64   `json:"headChunkBytes"`
	Queries           []query `json:"queries"`
}

// A target as test/bench/workload.ts has it.
type target struct {
	labels [seriesPerTarget]labels.Labels
	refs   [seriesPerTarget]storage.SeriesRef
	values [seriesPerTarget]float64
	state  uint32
}

func newTarget(n int) *target {
	t := &target{state: uint32(n+1) * 0x9e3779b1}
	service := n / perService
	for i := range seriesPerTarget {
		t.labels[i] = labels.FromStrings(
			"__name__", "http_requests_total",
			"api", fmt.Sprintf("/api/v1/resource-%d", i/len(methods)),
			"instance", fmt.Sprintf("10.%d.%d.%d:8080", service>>8, service&255, n%perService),
			"job", fmt.Sprintf("service-%d", service),
			"method", methods[i%len(methods)],
		)
	}
	return t
}

func (t *target) scrape() {
	for i := range t.values {
		t.state = t.state*1_664_525 + 1_013_904_223
		if i&7 != 7 {
			// The upper six bits.
			t.values[i] += float64(t.state >> 26)
		}
	}
}

type run struct {
	dir     string
	db      *tsdb.DB
	targets []*target
	at      int64
	samples int
	spent   time.Duration
	rss     []int
}

func (r *run) writeTo(hours int) {
	ctx := context.Background()
	began := time.Now()
	for end := start + int64(hours)*hour; r.at < end; r.at += step {
		for n, t := range r.targets {
			t.scrape()
			app := r.db.Appender(ctx)
			at := r.at + int64(n)*step/int64(len(r.targets))
			for i := range t.values {
				ref, err := app.Append(t.refs[i], t.labels[i], at, t.values[i])
				check(err)
				t.refs[i] = ref
			}
			check(app.Commit())
			r.samples += seriesPerTarget
		}
		if (r.at+step)%minute == 0 {
			r.db.ForceHeadMMap()
			check(r.db.Compact(ctx))
		}
		if (r.at+step)%(10*minute) == 0 {
			r.rss = append(r.rss, memory("VmRSS"))
		}
	}
	r.spent += time.Since(began)
}

func (r *run) figures(hours int) figures {
	last := r.rss[len(r.rss)-6:]
	recent := append([]int{}, last...)
	sort.Ints(recent)
	f := figures{
		Hours: hours, Series: r.db.Head().NumSeries(), Samples: r.samples, Seconds: r.spent.Seconds(),
		RssBytes: recent[3], PeakRssBytes: memory("VmHWM"), Blocks: len(r.db.Blocks()),
		LogBytes: size(filepath.Join(r.dir, "wal")), HeadChunkBytes: size(filepath.Join(r.dir, "chunks_head")),
	}
	for _, b := range r.db.Blocks() {
		f.BlockBytes += size(b.Dir())
	}
	resetPeak()
	f.Queries = r.queries(hours)
	f.QueryPeakRssBytes = memory("VmHWM")
	debug.FreeOSMemory()
	resetPeak()
	return f
}

func (r *run) queries(hours int) []query {
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: math.MaxInt32, Timeout: 10 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		Parser: parser.NewParser(parser.Options{}),
	})
	end := time.UnixMilli(r.at)
	span := time.Duration(hours) * time.Hour
	instant := func(q string) func() *promql.Result {
		return func() *promql.Result {
			p, err := engine.NewInstantQuery(context.Background(), r.db, nil, q, end)
			check(err)
			return p.Exec(context.Background())
		}
	}
	ranged := func(q string, over, step time.Duration) func() *promql.Result {
		return func() *promql.Result {
			p, err := engine.NewRangeQuery(context.Background(), r.db, nil, q, end.Add(-over), end, step)
			check(err)
			return p.Exec(context.Background())
		}
	}
	rateBy := func(label string) string {
		return fmt.Sprintf("sum by (%s) (rate(http_requests_total[5m]))", label)
	}
	one := `http_requests_total{instance="10.0.0.3:8080",api="/api/v1/resource-7",method="GET"}`
	return []query{
		timed("now", instant("sum(http_requests_total)")),
		timed("by job", ranged(rateBy("job"), time.Hour, time.Minute)),
		timed("topk", ranged("topk(5, "+rateBy("api")+")", span, span/60)),
		timed("one series", ranged(one, span, max(30*time.Second, span/1000))),
		timed("increase", instant(fmt.Sprintf(`sum(increase(http_requests_total{job="service-0"}[%dh]))`, hours))),
	}
}

func timed(title string, ask func() *promql.Result) query {
	var times []float64
	q := query{Title: title}
	for range queryRuns {
		began := time.Now()
		res := ask()
		check(res.Err)
		q.Sum = sumOf(res.Value)
		times = append(times, float64(time.Since(began).Microseconds())/1000)
	}
	sort.Float64s(times)
	q.Milliseconds = times[queryRuns/2]
	return q
}

func sumOf(v parser.Value) (sum float64) {
	switch v := v.(type) {
	case promql.Vector:
		for _, s := range v {
			sum += s.F
		}
	case promql.Matrix:
		for _, s := range v {
			for _, p := range s.Floats {
				sum += p.F
			}
		}
	}
	return sum
}

// From /proc/self/status, in bytes.
func memory(field string) int {
	text, err := os.ReadFile("/proc/self/status")
	check(err)
	for line := range bytes.Lines(text) {
		if rest, ok := strings.CutPrefix(string(line), field+":"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			check(err)
			return kib * 1024
		}
	}
	return 0
}

func resetPeak() { check(os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) }

func size(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	services := flag.Int("services", 100, "services of ten instances")
	sizes := flag.String("hours", "1", "when figures are taken")
	flag.Parse()
	dir, err := os.MkdirTemp("", "prometheus-scale-")
	check(err)
	defer os.RemoveAll(dir)
	options := tsdb.DefaultOptions()
	options.RetentionDuration = 15 * 24 * hour
	options.MaxBlockDuration = 36 * hour
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, options, nil)
	check(err)
	db.DisableCompactions()
	r := &run{dir: dir, db: db, at: start}
	for n := range *services * perService {
		r.targets = append(r.targets, newTarget(n))
	}
	out := json.NewEncoder(os.Stdout)
	for _, text := range strings.Split(*sizes, ",") {
		hours, err := strconv.Atoi(text)
		check(err)
		r.writeTo(hours)
		check(out.Encode(r.figures(hours)))
	}
	check(db.Close())
}
