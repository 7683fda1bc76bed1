package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/teststorage"
)

// load stores the series that `load` commands of a promqltest script say. promqltest itself loads only without start
// times, unless its own tests run. Start times are `_`, `_x3` or `-1500ms` here.
func load(script string) (*teststorage.TestStorage, error) {
	stored, err := teststorage.NewWithError(func(opts *tsdb.Options) {
		opts.EnableSTStorage = true
		opts.FloatChunkEncoding = chunkenc.EncXOR2
		opts.EnableHistogramSTEncoding = true
	})
	if err != nil {
		return nil, err
	}
	app := stored.AppenderV2(context.Background())
	if err := appendAll(app, script); err != nil {
		app.Rollback()
		stored.Close()
		return nil, err
	}
	if err := app.Commit(); err != nil {
		stored.Close()
		return nil, err
	}
	return stored, nil
}

func appendAll(app storage.AppenderV2, script string) error {
	var interval time.Duration
	var starts []*time.Duration
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if text, ok := strings.CutPrefix(line, "load "); ok {
			parsed, err := model.ParseDuration(text)
			if err != nil {
				return err
			}
			interval = time.Duration(parsed)
		} else if _, items, ok := strings.Cut(line, "}@st "); ok {
			var err error
			if starts, err = parseStarts(items); err != nil {
				return err
			}
		} else {
			if err := appendSeries(app, line, interval, starts); err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			starts = nil
		}
	}
	return nil
}

func appendSeries(app storage.AppenderV2, line string, interval time.Duration, starts []*time.Duration) error {
	metric, points, err := parser.NewParser(promqltest.TestParserOpts).ParseSeriesDesc(line)
	if err != nil {
		return err
	}
	for at, point := range points {
		if point.Omitted {
			continue
		}
		time := int64(at) * interval.Milliseconds()
		var start int64
		if at < len(starts) && starts[at] != nil {
			start = time + starts[at].Milliseconds()
		}
		_, err := app.Append(0, metric, start, time, point.Value, nil, point.Histogram, storage.AppendV2Options{})
		if err != nil {
			return err
		}
	}
	return nil
}

// parseStarts reads when the counter of each point began, relative to the point; nil where that is not known.
func parseStarts(items string) ([]*time.Duration, error) {
	var starts []*time.Duration
	for item := range strings.FieldsSeq(items) {
		if item == "_" {
			starts = append(starts, nil)
		} else if count, ok := strings.CutPrefix(item, "_x"); ok {
			missing, err := strconv.Atoi(count)
			if err != nil {
				return nil, err
			}
			starts = append(starts, make([]*time.Duration, missing)...)
		} else {
			start, err := time.ParseDuration(item)
			if err != nil {
				return nil, err
			}
			starts = append(starts, &start)
		}
	}
	return starts, nil
}
