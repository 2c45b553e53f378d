// Checks the API server's record of requests on single objects for linearizability, by porcupine.
//
// It reads operations from standard input, one JSON object a line, and prints a verdict as JSON. It exits with 1 unless
// every object's history fits a register with compare-and-set, with 2 where it cannot tell.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

const limit = 5 * time.Minute

type operation struct {
	Object   string `json:"object"`
	Kind     string `json:"kind"`     // read, write or delete
	Call     int64  `json:"call"`     // microseconds
	Return   int64  `json:"return"`   // 0: no answer is on record
	Expected int64  `json:"expected"` // the resourceVersion given as precondition; 0: none
	Absent   bool   `json:"absent"`   // the precondition is that there is no such object
	Code     int    `json:"code"`     // 0: no answer is on record
	Version  int64  `json:"version"`  // the resourceVersion that was answered; 0: none
	Content  string `json:"content"`  // a hash of what was written or read; empty: not on record
}

// What an object may be. Version 0 is a version that no answer has named; it is above Floor.
type state struct {
	Unknown, Exists bool
	Version, Floor  int64
	Content         string
}

type verdict struct {
	Objects    int      `json:"objects"`
	Operations int      `json:"operations"`
	Result     string   `json:"result"`
	Illegal    []string `json:"illegal"`
}

func main() {
	histories, count, err := read()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	found := verdict{Objects: len(histories), Operations: count, Result: "linearizable", Illegal: []string{}}
	for object, history := range histories {
		switch porcupine.CheckOperationsTimeout(model(), history, limit) {
		case porcupine.Illegal:
			found.Illegal = append(found.Illegal, object)
		case porcupine.Unknown:
			found.Result = "unknown"
		}
	}
	sort.Strings(found.Illegal)
	if len(found.Illegal) > 0 {
		found.Result = "illegal"
	}
	_ = json.NewEncoder(os.Stdout).Encode(found)
	os.Exit(map[string]int{"linearizable": 0, "illegal": 1, "unknown": 2}[found.Result])
}

func read() (map[string][]porcupine.Operation, int, error) {
	histories, count := map[string][]porcupine.Operation{}, 0
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var each operation
		if err := json.Unmarshal(lines.Bytes(), &each); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", count+1, err)
		}
		if each.Return == 0 {
			each.Return = math.MaxInt64
		}
		entry := porcupine.Operation{Input: each, Call: each.Call, Return: each.Return}
		histories[each.Object] = append(histories[each.Object], entry)
		count++
	}
	return histories, count, lines.Err()
}

func model() porcupine.Model {
	register := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{Unknown: true}} },
		Step: func(before, input, _ any) []any { return step(before.(state), input.(operation)) },
	}
	return register.ToModel()
}

func step(before state, op operation) []any {
	switch {
	case op.Kind == "read":
		return observed(before, op)
	case op.Code == 0 || op.Code >= 500: // it may have been done, or not
		return append(done(before, op), before)
	case op.Code < 300:
		return done(before, op)
	case op.Code == 404:
		return absent(before)
	case op.Code == 409 && (op.Expected > 0 || op.Absent):
		return conflict(before, op)
	}
	return []any{before} // refused without a look at the object
}

func observed(before state, op operation) []any {
	if op.Code == 404 {
		return absent(before)
	}
	if op.Code != 200 {
		return []any{before}
	}
	if before.Unknown || (matches(before, op.Version) && agrees(before.Content, op.Content)) {
		return []any{state{Exists: true, Version: op.Version, Floor: op.Version, Content: op.Content}}
	}
	return nil
}

func absent(before state) []any {
	if before.Exists {
		return nil
	}
	return []any{state{Floor: before.Floor}}
}

func conflict(before state, op operation) []any {
	exactly := before.Exists && before.Version != 0 && before.Version == op.Expected
	if exactly || (op.Absent && !before.Unknown && !before.Exists) {
		return nil
	}
	return []any{before}
}

func done(before state, op operation) []any {
	if !before.Unknown && !allowed(before, op) {
		return nil
	}
	if op.Kind == "delete" {
		return []any{state{Floor: max(before.Floor, op.Expected)}}
	}
	floor := max(before.Floor, op.Expected)
	unchanged := (before.Unknown || matches(before, op.Version)) && agrees(before.Content, op.Content)
	if op.Version != 0 && op.Version <= floor && !unchanged {
		return nil
	}
	// An apply that changes nothing makes no version.
	return []any{state{Exists: true, Version: op.Version, Floor: max(floor, op.Version), Content: op.Content}}
}

func allowed(before state, op operation) bool {
	if op.Absent {
		return !before.Exists
	}
	if op.Expected > 0 {
		return matches(before, op.Expected)
	}
	return op.Kind != "delete" || before.Exists
}

func matches(before state, version int64) bool {
	if !before.Exists {
		return false
	}
	return before.Version == version || (before.Version == 0 && version > before.Floor)
}

func agrees(one, other string) bool {
	return one == "" || other == "" || one == other
}
