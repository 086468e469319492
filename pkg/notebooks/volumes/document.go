package volumes

import (
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Document is the whole of `notebook volume list -o json`. Its fields keep their meaning
// as long as apiVersion stays.
type Document struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Time       time.Time        `json:"time"`
	Volumes    []VolumeDocument `json:"volumes"`
	Problems   []string         `json:"problems"`
}

// VolumeDocument is one volume. What is null is not known or does not apply.
type VolumeDocument struct {
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	Owner     *string `json:"owner"`
	UsedBy    []User  `json:"usedBy"`
	InUse     bool    `json:"inUse"`
	// UnusedSince is when something last used it, as far as Source tells.
	UnusedSince   *time.Time `json:"unusedSince"`
	UnusedSeconds *float64   `json:"unusedSeconds"`
	Source        Source     `json:"unusedKnownFrom,omitempty"`
	Size          int64      `json:"sizeBytes"`
	Used          *int64     `json:"usedBytes"`
	Capacity      *int64     `json:"capacityBytes"`
	Class         string     `json:"storageClass"`
	Modes         []string   `json:"accessModes"`
	Phase         string     `json:"phase"`
	Created       time.Time  `json:"created"`
	// Missing has why a field is null, by its name.
	Missing map[string]usage.MissingDocument `json:"missing,omitempty"`
}

// Document is the machine-readable form.
func (l *List) Document(apiVersion string) Document {
	out := Document{APIVersion: apiVersion, Kind: "VolumeList", Time: l.Time.UTC(), Volumes: []VolumeDocument{}, Problems: append([]string{}, l.Problems...)}
	for i := range l.Volumes {
		out.Volumes = append(out.Volumes, l.Volumes[i].Document(l.Time))
	}
	return out
}

// Document is the machine-readable form of one.
func (v *Volume) Document(now time.Time) VolumeDocument {
	d := VolumeDocument{
		Namespace: v.Namespace, Name: v.Name, Owner: v.Owner.Pointer(), UsedBy: append([]User{}, v.UsedBy...), InUse: v.Active(), Source: v.Source,
		Size: v.Size.Value(), Used: v.Used.Pointer(), Capacity: v.Capacity.Pointer(), Class: v.Class, Modes: []string{}, Phase: string(v.Phase),
		Created: v.Created.UTC(), Missing: map[string]usage.MissingDocument{},
	}
	for _, m := range v.Modes {
		d.Modes = append(d.Modes, string(m))
	}
	if t, ok := v.Unused.Get(); ok {
		at, seconds := t.UTC(), max(0, now.Sub(t).Seconds())
		d.UnusedSince, d.UnusedSeconds = &at, &seconds
	}
	usage.Note(d.Missing, "unusedSince", v.Unused)
	usage.Note(d.Missing, "owner", v.Owner)
	usage.Note(d.Missing, "usedBytes", v.Used)
	return d
}
