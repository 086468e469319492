package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// memberSelector finds every object that the plugin has installed: the label is the
// ApplySet's (KEP-3659).
const memberSelector = "applyset.kubernetes.io/part-of"

// versions maps every installed object to its resourceVersion.
func (b *bed) versions(ctx context.Context) (map[string]string, error) {
	kinds, err := b.must(ctx, "api-resources", "--verbs=list", "-o", "name")
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(strings.Fields(kinds.stdout), func(kind string) bool {
		return kind == "events" || kind == "events.events.k8s.io" || kind == "componentstatuses"
	})
	s, err := b.must(ctx, "get", strings.Join(names, ","), "-A", "-o", "json", "--ignore-not-found", "-l", memberSelector)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []struct {
			APIVersion, Kind string
			Metadata         struct{ Namespace, Name, ResourceVersion string }
		}
	}
	if err := json.Unmarshal([]byte(s.stdout), &list); err != nil {
		return nil, fmt.Errorf("objects with the label %s: %w", memberSelector, err)
	}
	out := map[string]string{}
	for _, i := range list.Items {
		out[i.Kind+" "+strings.TrimPrefix(i.Metadata.Namespace+"/"+i.Metadata.Name, "/")] = i.Metadata.ResourceVersion
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no object has the label %s", memberSelector)
	}
	return out, nil
}

// settled waits until controllers have stopped changing what is installed, so that a
// change that is seen later is the plugin's.
func (b *bed) settled(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	last, err := b.versions(ctx)
	for same := 0; same < 3; {
		if err != nil {
			return nil, err
		}
		var now map[string]string
		if now, err = b.versions(ctx); maps.Equal(now, last) {
			same++
		} else {
			same = 0
		}
		last = now
	}
	return last, err
}

// moved lists the objects whose version is another one, or that came or went.
func moved(before, after map[string]string) []string {
	var out []string
	for name, version := range before {
		if after[name] != version {
			out = append(out, name)
		}
	}
	for name := range after {
		if _, was := before[name]; !was {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
