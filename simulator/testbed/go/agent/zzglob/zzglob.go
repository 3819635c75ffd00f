// Package zzglob stands in for drjosh.dev/zzglob, which the agent uses only for
// globs of artifact paths, if_changed and cache keys.
//
// Tests of an agent's life need none of those. Parse therefore refuses every
// pattern with a clear error, so that no test can silently match nothing.
package zzglob

import (
	"context"
	"errors"
	"io/fs"
)

var errStandIn = errors.New("zzglob: this is a stand-in of the test bed; globs are not supported")

// Pattern is a glob that was parsed, which never happens here.
type Pattern struct{}

// ParseOption changes how a pattern is parsed.
type ParseOption func()

// GlobOption changes how a pattern is expanded.
type GlobOption func()

// Parse refuses every pattern.
func Parse(pattern string, _ ...ParseOption) (*Pattern, error) {
	return nil, errStandIn
}

// Match reports false, as there are no patterns.
func (*Pattern) Match(string) bool { return false }

// Glob refuses, as there are no patterns.
func (*Pattern) Glob(fs.WalkDirFunc, ...GlobOption) error { return errStandIn }

// MultiGlob succeeds for no patterns at all and refuses otherwise.
func MultiGlob(_ context.Context, patterns []*Pattern, _ fs.WalkDirFunc, _ ...GlobOption) error {
	if len(patterns) == 0 {
		return nil
	}
	return errStandIn
}

// ExpandTilde is accepted and ignored.
func ExpandTilde(bool) ParseOption { return func() {} }

// TraverseSymlinks is accepted and ignored.
func TraverseSymlinks(bool) GlobOption { return func() {} }

// WalkIntermediateDirs is accepted and ignored.
func WalkIntermediateDirs(bool) GlobOption { return func() {} }
