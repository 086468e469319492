package clones

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// gitTimeout bounds what Git is asked: it only serves to tell more.
const gitTimeout = 5 * time.Second

// tagShape is what upstream names its versions.
var tagShape = regexp.MustCompile(`^v?[0-9]+\.[0-9]+(\.[0-9]+)?(-rc\.[0-9]+)?$`)

// readGit tells which commit is checked out and whether files of the pieces were changed,
// where the clone has a repository and this machine has Git.
func (c *clone) readGit(ctx context.Context, pieces []string) {
	if !exists(c.about.Path, ".git") {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	git := func(args ...string) (string, bool) {
		// A repository may name a program that Git starts to watch its files.
		args = append([]string{"-C", c.about.Path, "-c", "core.fsmonitor=false"}, args...)
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		return strings.TrimRight(string(out), "\n"), err == nil
	}
	commit, ok := git("rev-parse", "HEAD")
	if !ok {
		return
	}
	c.about.Commit = commit
	if tags, ok := git("tag", "--points-at", "HEAD"); ok {
		for _, t := range strings.Fields(tags) {
			if tagShape.MatchString(t) {
				c.about.Version, c.tagged = t, true
			}
		}
	}
	args := append([]string{"status", "--porcelain", "--untracked-files=all", "--"}, roots(c.about.Path, pieces)...)
	if changed, ok := git(args...); ok && changed != "" {
		lines := strings.Split(changed, "\n")
		c.about.Changed = true
		first := lines[0]
		if len(first) > 3 {
			first = first[3:]
		}
		if len(lines) == 1 {
			c.warn("the clone has local changes, which are installed: %s", first)
		} else {
			c.warn("the clone has local changes, which are installed: %s and %d more files", first, len(lines)-1)
		}
	}
}

// roots are the top directories of a clone that its pieces are in.
func roots(dir string, pieces []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range pieces {
		rel, err := filepath.Rel(dir, p)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		if !seen[top] {
			seen[top] = true
			out = append(out, top)
		}
	}
	return out
}
