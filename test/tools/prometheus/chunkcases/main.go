// Chunkcases prints what Prometheus's chunkenc and storage packages make of seeded random samples, a case a line:
//
//	go run ./chunkcases > ../../unit/tsdb/chunk/prometheus-chunks.jsonl
package main

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand"
	"os"
	"sort"
	"strconv"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// The NaN that JSON's readers make.
var nan = math.Float64frombits(0x7ff8000000000000)

const cases = 56

// A sample is appended; with cut, to a new chunk, because the one before is full.
type sample struct {
	start, time int64
	float       float64
	integers    *histogram.Histogram
	floats      *histogram.FloatHistogram
	cut         bool
}

func (s sample) ST() int64                     { return s.start }
func (s sample) T() int64                      { return s.time }
func (s sample) F() float64                    { return s.float }
func (s sample) H() *histogram.Histogram       { return s.integers }
func (s sample) FH() *histogram.FloatHistogram { return s.floats }

func (s sample) Type() chunkenc.ValueType {
	switch {
	case s.integers != nil:
		return chunkenc.ValHistogram
	case s.floats != nil:
		return chunkenc.ValFloatHistogram
	}
	return chunkenc.ValFloat
}

// Appending changes the histogram.
func (s sample) Copy() chunks.Sample {
	if s.integers != nil {
		s.integers = s.integers.Copy()
	}
	if s.floats != nil {
		s.floats = s.floats.Copy()
	}
	return s
}

// Numbers are text where JSON has none for them.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	switch {
	case value.IsStaleNaN(f):
		return []byte(`"stale"`), nil
	case math.IsNaN(f), math.IsInf(f, 0), f == 0 && math.Signbit(f):
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return json.Marshal(f)
}

func numbers(fs []float64) []number {
	out := []number{}
	for _, f := range fs {
		out = append(out, number(f))
	}
	return out
}

// Time and value, or time and a histogram: integer, hint, schema, zero threshold, zero count, count, sum, spans, counts, bounds.
func row(time int64, float float64, h *histogram.FloatHistogram, integer, cut bool) []any {
	if h == nil {
		return []any{time, number(float)}
	}
	return []any{time, []any{
		integer, h.CounterResetHint, h.Schema, number(h.ZeroThreshold), number(h.ZeroCount), number(h.Count), number(h.Sum),
		spans(h.PositiveSpans), spans(h.NegativeSpans), numbers(h.PositiveBuckets), numbers(h.NegativeBuckets), numbers(h.CustomValues),
	}, cut}
}

func spans(all []histogram.Span) [][2]int64 {
	out := [][2]int64{}
	for _, s := range all {
		out = append(out, [2]int64{int64(s.Offset), int64(s.Length)})
	}
	return out
}

func rowOf(s sample) []any {
	if s.integers != nil {
		return row(s.time, 0, s.integers.ToFloat(nil), true, s.cut)
	}
	return row(s.time, s.float, s.floats, false, s.cut)
}

func decode(c chunkenc.Chunk) [][]any {
	it := c.Iterator(nil)
	out := [][]any{}
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		if kind == chunkenc.ValFloat {
			t, v := it.At()
			out = append(out, row(t, v, nil, false, false))
			continue
		}
		t, h := it.AtFloatHistogram(nil)
		out = append(out, row(t, 0, h, kind == chunkenc.ValHistogram, false))
	}
	check(it.Err())
	return out
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// series encodes as compaction does.
func series(samples []sample, floats chunkenc.Encoding) []chunks.Meta {
	in := []chunks.Sample{}
	for _, s := range samples {
		in = append(in, s.Copy())
	}
	list := storage.NewListSeries(labels.EmptyLabels(), in)
	it := storage.NewSeriesToChunkEncoderWithFloatEncoding(list, floats).Iterator(nil)
	var out []chunks.Meta
	for it.Next() {
		out = append(out, it.At())
	}
	check(it.Err())
	return out
}

// head appends as the head does, with its own places to cut.
func head(samples []sample) []chunks.Meta {
	var out []chunks.Meta
	var app chunkenc.Appender
	for i, original := range samples {
		s := original.Copy().(sample)
		encoding := s.Type().ChunkEncoding(false, false)
		var previous chunkenc.Appender
		if i == 0 || s.cut || out[len(out)-1].Chunk.Encoding() != encoding {
			previous = app
			chunk, err := chunkenc.NewEmptyChunk(encoding)
			check(err)
			app, err = chunk.Appender()
			check(err)
			out = append(out, chunks.Meta{Chunk: chunk, MinTime: s.time})
		}
		var chunk chunkenc.Chunk
		var recoded bool
		var err error
		if s.integers != nil {
			chunk, recoded, app, err = app.AppendHistogram(previous, 0, s.time, s.integers, false)
		} else {
			chunk, recoded, app, err = app.AppendFloatHistogram(previous, 0, s.time, s.floats, false)
		}
		check(err)
		if chunk != nil && recoded {
			out[len(out)-1].Chunk = chunk
		} else if chunk != nil {
			out = append(out, chunks.Meta{Chunk: chunk, MinTime: s.time})
		}
		out[len(out)-1].MaxTime = s.time
	}
	return out
}

// A walk makes the histograms of one series.
type walk struct {
	*rand.Rand
	schema             int32
	threshold, zero    float64
	positive, negative map[int]float64
	bounds             []float64
	sum                float64
	float, gauge       bool
}

func (w *walk) oneIn(n int) bool { return w.Intn(n) == 0 }

func (w *walk) restart() {
	w.positive, w.negative, w.bounds = map[int]float64{}, map[int]float64{}, nil
	w.zero, w.sum, w.threshold = 0, 0, 0
	if w.oneIn(4) {
		w.schema = histogram.CustomBucketsSchema
		bound := -0.25
		for i := w.Intn(6); i >= 0; i-- {
			bound += []float64{0.25, math.Round(w.Float64()*1e4) / 1e3, 1 + w.Float64(), 40000}[w.Intn(4)]
			w.bounds = append(w.bounds, bound)
		}
	} else {
		w.schema = int32(w.Intn(13) - 4)
		w.threshold = []float64{0, math.Ldexp(1, -128), 0.001, 1024, 2048, math.Ldexp(1, -243), math.Ldexp(1, -244), 5e-324}[w.Intn(8)]
	}
	for i := w.Intn(4); i > 0; i-- {
		w.grow()
	}
}

func (w *walk) grow() {
	if w.bounds != nil {
		w.positive[w.Intn(len(w.bounds)+1)] += w.amount()
	} else if w.oneIn(3) {
		w.negative[w.Intn(12)-4] += w.amount()
	} else {
		w.positive[w.Intn(12)-4+w.Intn(2)*w.Intn(40)] += w.amount()
	}
}

func (w *walk) amount() float64 {
	amount := []float64{0, float64(w.Intn(10)), float64(w.Intn(10)), float64(w.Intn(1e5)), math.Floor(math.Exp2(w.Float64() * 36))}[w.Intn(5)]
	if w.float && w.oneIn(2) {
		amount += float64(w.Intn(16)) / 16
	}
	return amount
}

// some picks a bucket; there may be none.
func (w *walk) some(side map[int]float64) (int, bool) {
	keys := sorted(side)
	if len(keys) == 0 {
		return 0, false
	}
	return keys[w.Intn(len(keys))], true
}

func (w *walk) step() {
	if w.oneIn(20) {
		w.restart()
	}
	if key, ok := w.some(w.positive); ok && w.oneIn(15) {
		w.positive[key] = math.Floor(w.positive[key] / 2)
	}
	if key, ok := w.some(w.positive); ok && w.oneIn(12) {
		delete(w.positive, key)
	}
	for i := w.Intn(4); i > 0; i-- {
		for _, side := range []map[int]float64{w.positive, w.negative} {
			if key, ok := w.some(side); ok {
				side[key] += w.amount()
			}
		}
	}
	if w.oneIn(5) {
		w.grow()
	}
	if w.bounds == nil && w.oneIn(3) {
		w.zero += w.amount()
	}
	if key, ok := w.some(w.positive); ok && w.gauge {
		w.positive[key] = math.Max(0, w.positive[key]-w.amount())
	}
	w.sum += []float64{0, 1.5, float64(w.Intn(100)), w.NormFloat64()}[w.Intn(4)]
	if w.oneIn(60) {
		w.sum = []float64{math.Inf(1), nan, 0, math.Copysign(0, -1)}[w.Intn(4)]
	}
	if w.oneIn(30) {
		w.gauge = !w.gauge
	}
}

func sorted(side map[int]float64) []int {
	keys := []int{}
	for key := range side {
		keys = append(keys, key)
	}
	sort.Ints(keys)
	return keys
}

// layout leaves empty buckets out or not, and may split spans or put an empty one between two.
func (w *walk) layout(side map[int]float64, keepEmpty bool) (out []histogram.Span, counts []float64) {
	odd := w.oneIn(10)
	end := 0
	for _, key := range sorted(side) {
		if side[key] == 0 && !keepEmpty {
			continue
		}
		gap := key - end
		switch {
		case len(out) > 0 && gap == 0 && !(odd && w.oneIn(2)):
			out[len(out)-1].Length++
		case len(out) > 0 && gap > 1 && odd:
			out = append(out, histogram.Span{Offset: 1}, histogram.Span{Offset: int32(gap - 1), Length: 1})
		default:
			out = append(out, histogram.Span{Offset: int32(gap), Length: 1})
		}
		counts = append(counts, side[key])
		end = key + 1
	}
	return out, counts
}

func (w *walk) next() (*histogram.Histogram, *histogram.FloatHistogram) {
	w.step()
	stale := math.Float64frombits(value.StaleNaN)
	if w.oneIn(25) {
		if w.float {
			return nil, &histogram.FloatHistogram{Sum: stale}
		}
		return &histogram.Histogram{Sum: stale}, nil
	}
	h := &histogram.FloatHistogram{Schema: w.schema, ZeroThreshold: w.threshold, ZeroCount: w.zero, Count: w.zero, Sum: w.sum, CustomValues: w.bounds}
	keepEmpty := !w.oneIn(3)
	h.PositiveSpans, h.PositiveBuckets = w.layout(w.positive, keepEmpty)
	h.NegativeSpans, h.NegativeBuckets = w.layout(w.negative, keepEmpty)
	for _, counts := range [][]float64{h.PositiveBuckets, h.NegativeBuckets} {
		for _, count := range counts {
			h.Count += count
		}
	}
	switch {
	case w.gauge:
		h.CounterResetHint = histogram.GaugeType
	case w.oneIn(20):
		h.CounterResetHint = histogram.CounterReset
	case w.oneIn(5):
		h.CounterResetHint = histogram.NotCounterReset
	}
	if w.float {
		return nil, h
	}
	return &histogram.Histogram{
		CounterResetHint: h.CounterResetHint, Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: uint64(h.ZeroCount),
		Count: uint64(h.Count), Sum: h.Sum, CustomValues: h.CustomValues, PositiveSpans: h.PositiveSpans, NegativeSpans: h.NegativeSpans,
		PositiveBuckets: deltas(h.PositiveBuckets), NegativeBuckets: deltas(h.NegativeBuckets),
	}, nil
}

func deltas(counts []float64) (out []int64) {
	before := int64(0)
	for _, count := range counts {
		out = append(out, int64(count)-before)
		before = int64(count)
	}
	return out
}

// samplesOf makes floats, or histograms of one kind, or of both with floats between them.
func samplesOf(random *rand.Rand, kind string) []sample {
	time := int64(1_700_000_000_000)
	start := int64(0)
	out := make([]sample, 1+random.Intn(12))
	if kind == "floats" || kind == "xor2" {
		out = make([]sample, 125)
	}
	w := &walk{Rand: random, float: random.Intn(2) == 0, gauge: random.Intn(4) == 0}
	w.restart()
	v := 1000.0
	for i := range out {
		time += []int64{15000, 15000, 14990 + int64(random.Intn(20)), 1 + int64(math.Exp2(random.Float64()*40))}[random.Intn(4)]
		v += []float64{0, 1, random.Float64()}[random.Intn(3)]
		if random.Intn(3) == 0 {
			start = time - int64(random.Intn(1<<20))
		}
		s := sample{time: time, float: v}
		if random.Intn(20) == 0 {
			s.float = []float64{nan, math.Inf(-1), math.Copysign(0, -1), math.Float64frombits(value.StaleNaN)}[random.Intn(4)]
		}
		if kind == "mixed" && random.Intn(20) == 0 {
			w.float = !w.float
			w.restart()
		}
		if kind == "histograms" || kind == "head" || kind == "starts" || kind == "mixed" && random.Intn(10) > 0 {
			s.integers, s.floats = w.next()
		}
		if kind == "starts" || kind == "xor2" && random.Intn(2) == 0 {
			s.start = start
		}
		s.cut = kind == "head" && i > 0 && random.Intn(8) == 0
		out[i] = s
	}
	return out
}

func main() {
	out := json.NewEncoder(os.Stdout)
	kinds := []string{"histograms", "head", "histograms", "head", "mixed", "starts", "floats", "xor2"}
	for i := range cases {
		kind := kinds[i%len(kinds)]
		samples := samplesOf(rand.New(rand.NewSource(int64(i))), kind)
		var metas []chunks.Meta
		switch kind {
		case "head":
			metas = head(samples)
		case "xor2":
			metas = series(samples, chunkenc.EncXOR2)
		default:
			metas = series(samples, chunkenc.EncXOR)
		}
		rows := [][]any{}
		for _, s := range samples {
			rows = append(rows, rowOf(s))
		}
		encoded := [][]any{}
		for _, m := range metas {
			encoded = append(encoded, []any{m.Chunk.Encoding(), m.MinTime, m.MaxTime, hex.EncodeToString(m.Chunk.Bytes()), decode(m.Chunk)})
		}
		check(out.Encode(map[string]any{"kind": kind, "samples": rows, "chunks": encoded}))
	}
}
