// Read-chunks shows a streamed remote read, from its standard input, as the real Prometheus understands it.
//
// Each sample is a line: the number of the query, the encoding of the chunk, the labels, the time in ms, and the value. The
// chunks of a frame begin with a line of their own.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// frameLimit is what Prometheus takes by default.
const frameLimit = 5e7

func main() {
	reader := remote.NewChunkedReader(os.Stdin, frameLimit, nil)
	for {
		var frame prompb.ChunkedReadResponse
		switch err := reader.NextProto(&frame); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			log.Fatal(err)
		}
		if err := show(&frame); err != nil {
			log.Fatal(err)
		}
	}
}

func show(frame *prompb.ChunkedReadResponse) error {
	fmt.Println("frame")
	for _, series := range frame.ChunkedSeries {
		builder := labels.NewScratchBuilder(len(series.Labels))
		for _, label := range series.Labels {
			builder.Add(label.Name, label.Value)
		}
		for _, encoded := range series.Chunks {
			chunk, err := chunkenc.FromData(chunkenc.Encoding(encoded.Type), encoded.Data)
			if err != nil {
				return err
			}
			head := fmt.Sprintf("%d %s %s", frame.QueryIndex, chunk.Encoding(), builder.Labels())
			if err := showChunk(head, encoded, chunk.Iterator(nil)); err != nil {
				return err
			}
		}
	}
	return nil
}

func showChunk(head string, encoded prompb.Chunk, samples chunkenc.Iterator) error {
	for kind := samples.Next(); kind != chunkenc.ValNone; kind = samples.Next() {
		time := samples.AtT()
		if time < encoded.MinTimeMs || time > encoded.MaxTimeMs {
			return fmt.Errorf("%s: %d is not within %d and %d", head, time, encoded.MinTimeMs, encoded.MaxTimeMs)
		}
		switch kind {
		case chunkenc.ValFloat:
			_, value := samples.At()
			fmt.Println(head, time, value)
		case chunkenc.ValHistogram:
			_, value := samples.AtHistogram(nil)
			fmt.Println(head, time, value, value.CounterResetHint)
		case chunkenc.ValFloatHistogram:
			_, value := samples.AtFloatHistogram(nil)
			fmt.Println(head, time, value, value.CounterResetHint)
		}
	}
	return samples.Err()
}
