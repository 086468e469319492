package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// userNamespace is the one of upstream's directories whose replacements look for an
// object by a name in parentheses.
const userNamespace = "common/user-namespace/base"

// placeholders in userNamespace, with what its params.env says.
var placeholders = strings.NewReplacer("$(profile-name)", "kubeflow-user-example-com", "$(user)", "user@example.com")

// fillPlaceholders makes a copy of userNamespace with the names filled in, where the
// peer's kustomize leaves them as they are: newer ones than upstream's release was
// made for take the selector for a regular expression. Without that, every peer of
// today would be measured while it fails. The function returned removes the copy.
func (b *bench) fillPlaceholders(ctx context.Context) (func(), error) {
	from := filepath.Join(b.upstream, userNamespace)
	s, err := must(ctx, os.Environ(), nil, b.programs.Kubectl, "kustomize", from)
	if err != nil || !strings.Contains(s.stdout, "$(") {
		return func() {}, err
	}
	dir, err := os.MkdirTemp("", "bench-upstream-")
	if err != nil {
		return nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	files, err := os.ReadDir(from)
	if err != nil {
		return remove, err
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return remove, err
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name()), []byte(placeholders.Replace(string(data))), 0o644); err != nil {
			return remove, err
		}
	}
	if s, err = must(ctx, os.Environ(), nil, b.programs.Kubectl, "kustomize", dir); err == nil && strings.Contains(s.stdout, "$(") {
		err = fmt.Errorf("%s: the peer's kustomize leaves placeholders in it", userNamespace)
	}
	b.filled = dir
	return remove, err
}

// directory of a step in the clone, or its filled copy.
func (b *bench) directory(s step) string {
	if s.dir == userNamespace && b.filled != "" {
		return b.filled
	}
	return filepath.Join(b.upstream, s.dir)
}
