// Oracle answers PromQL queries with the engine and the storage of the real Prometheus.
//
// It reads requests from its standard input and writes answers to its standard output, one JSON object a line. A request
// with "load" replaces all series, see load; any other is a query. See the types below for the fields. It ends with its
// input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"
)

// request is either a load or a query. Times are in ms.
type request struct {
	Load     *string `json:"load"`
	Query    string  `json:"query"`
	Start    int64   `json:"start"`
	End      int64   `json:"end"`
	Step     int64   `json:"step"` // 0 stands for an instant query, at the start
	Lookback int64   `json:"lookback"`
	Delayed  bool    `json:"delayed"` // delayed name removal
	Types    bool    `json:"types"`   // type and unit labels
}

// answer is what a request came to. Numbers are texts, since JSON has neither NaN nor infinities.
type answer struct {
	Error    string   `json:"error,omitempty"`
	Kind     string   `json:"kind,omitempty"` // scalar, string, vector or matrix
	Text     string   `json:"text,omitempty"` // of a scalar or string
	Series   []series `json:"series,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Infos    []string `json:"infos,omitempty"`
}

type series struct {
	Labels     []string         `json:"labels"` // name, value, name, value …
	Floats     []floatPoint     `json:"floats,omitempty"`
	Histograms []histogramPoint `json:"histograms,omitempty"`
}

type floatPoint struct {
	Time  int64  `json:"time"`
	Value string `json:"value"`
}

// histogramPoint holds a histogram without empty buckets.
type histogramPoint struct {
	Time          int64      `json:"time"`
	Schema        int32      `json:"schema"`
	Hint          uint8      `json:"hint"`
	Count         string     `json:"count"`
	Sum           string     `json:"sum"`
	ZeroThreshold string     `json:"zero_threshold"`
	ZeroCount     string     `json:"zero_count"`
	Positive      [][2]int32 `json:"positive_spans,omitempty"` // offset, length
	Negative      [][2]int32 `json:"negative_spans,omitempty"`
	PositiveCount []string   `json:"positive_buckets,omitempty"`
	NegativeCount []string   `json:"negative_buckets,omitempty"`
	Custom        []string   `json:"custom_values,omitempty"`
}

// engineKind is what tells engines apart; the rest comes with each query.
type engineKind struct{ delayed, types bool }

type oracle struct {
	engines map[engineKind]*promql.Engine
	storage *teststorage.TestStorage
}

// sorted selects series in order of their labels, as several blocks together do. The head alone selects them in the order
// in which they came, which decides what limitk keeps and in which order floats are summed up.
type sorted struct{ storage.Queryable }

type sortedQuerier struct{ storage.Querier }

func (s sorted) Querier(from, to int64) (storage.Querier, error) {
	querier, err := s.Queryable.Querier(from, to)
	return sortedQuerier{querier}, err
}

func (q sortedQuerier) Select(
	ctx context.Context, _ bool, hints *storage.SelectHints, matchers ...*labels.Matcher,
) storage.SeriesSet {
	return q.Querier.Select(ctx, true, hints, matchers...)
}

func main() {
	o := oracle{engines: map[engineKind]*promql.Engine{}}
	if err := o.load(""); err != nil {
		log.Fatal(err)
	}
	// The pipes are this process' own way out: when its input ends, nobody asks any more.
	defer func() { o.storage.Close() }()
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for decoder.More() {
		var asked request
		if err := decoder.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		if err := encoder.Encode(o.answer(asked)); err != nil {
			log.Fatal(err)
		}
		out.Flush()
	}
}

func (o *oracle) answer(asked request) answer {
	if asked.Load == nil {
		return o.query(asked)
	}
	if err := o.load(*asked.Load); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{}
}

func (o *oracle) load(script string) error {
	loaded, err := load(script)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if o.storage != nil {
		o.storage.Close()
	}
	o.storage = loaded
	return nil
}

func (o *oracle) engine(kind engineKind) *promql.Engine {
	engine, ok := o.engines[kind]
	if !ok {
		engine = promql.NewEngine(promql.EngineOpts{
			MaxSamples:               50_000_000,
			Timeout:                  100 * time.Second,
			NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
			EnableAtModifier:         true,
			EnableNegativeOffset:     true,
			LookbackDelta:            5 * time.Minute,
			EnableDelayedNameRemoval: kind.delayed,
			EnableTypeAndUnitLabels:  kind.types,
			UseStartTimestamps:       true,
			Parser:                   parser.NewParser(promqltest.TestParserOpts),
		})
		o.engines[kind] = engine
	}
	return engine
}

func (o *oracle) query(asked request) answer {
	engine := o.engine(engineKind{asked.Delayed, asked.Types})
	opts := promql.NewPrometheusQueryOpts(false, time.Duration(asked.Lookback)*time.Millisecond)
	ctx := context.Background()
	var query promql.Query
	var err error
	if asked.Step == 0 {
		query, err = engine.NewInstantQuery(ctx, sorted{o.storage}, opts, asked.Query, time.UnixMilli(asked.Start))
	} else {
		start, end := time.UnixMilli(asked.Start), time.UnixMilli(asked.End)
		query, err = engine.NewRangeQuery(ctx, sorted{o.storage}, opts, asked.Query, start, end, time.Duration(asked.Step)*time.Millisecond)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return answer{Error: result.Err.Error()}
	}
	shown := show(result.Value)
	shown.Warnings, shown.Infos = result.Warnings.AsStrings(asked.Query, 0, 0)
	// They come from a map.
	slices.Sort(shown.Warnings)
	slices.Sort(shown.Infos)
	return shown
}

func show(value parser.Value) answer {
	shown := answer{Kind: string(value.Type())}
	switch value := value.(type) {
	case promql.Scalar:
		shown.Text = number(value.V)
	case promql.String:
		shown.Text = value.V
	case promql.Vector:
		for _, sample := range value {
			one := series{Labels: flat(sample.Metric)}
			if sample.H == nil {
				one.Floats = []floatPoint{{sample.T, number(sample.F)}}
			} else {
				one.Histograms = []histogramPoint{point(sample.T, sample.H)}
			}
			shown.Series = append(shown.Series, one)
		}
	case promql.Matrix:
		for _, row := range value {
			one := series{Labels: flat(row.Metric)}
			for _, float := range row.Floats {
				one.Floats = append(one.Floats, floatPoint{float.T, number(float.F)})
			}
			for _, histogram := range row.Histograms {
				one.Histograms = append(one.Histograms, point(histogram.T, histogram.H))
			}
			shown.Series = append(shown.Series, one)
		}
	}
	return shown
}

func flat(set labels.Labels) []string {
	texts := []string{}
	set.Range(func(label labels.Label) { texts = append(texts, label.Name, label.Value) })
	return texts
}

func point(at int64, full *histogram.FloatHistogram) histogramPoint {
	h := full.Copy().Compact(0)
	return histogramPoint{
		Time: at, Schema: h.Schema, Hint: uint8(h.CounterResetHint),
		Count: number(h.Count), Sum: number(h.Sum),
		ZeroThreshold: number(h.ZeroThreshold), ZeroCount: number(h.ZeroCount),
		Positive: spans(h.PositiveSpans), Negative: spans(h.NegativeSpans),
		PositiveCount: numbers(h.PositiveBuckets), NegativeCount: numbers(h.NegativeBuckets),
		Custom: numbers(h.CustomValues),
	}
}

func spans(of []histogram.Span) [][2]int32 {
	pairs := make([][2]int32, 0, len(of))
	for _, span := range of {
		pairs = append(pairs, [2]int32{span.Offset, int32(span.Length)})
	}
	return pairs
}

func numbers(values []float64) []string {
	texts := make([]string, 0, len(values))
	for _, value := range values {
		texts = append(texts, number(value))
	}
	return texts
}

func number(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }
