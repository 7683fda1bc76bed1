//go:build tools

// Package tools pins the real parts that tests and comparisons run: `make tools` builds them into target/tools.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
	_ "github.com/versity/versitygw/cmd/versitygw"
)
