package volume

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/volumes"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// ListFlags are what was typed.
type ListFlags struct {
	show.LookFlags
	show.AllNamespacesFlag
	unused  string
	sortBy  string
	noUsage bool
}

// ListOptions are what is meant.
type ListOptions struct {
	show.LookOptions
	All bool
	// Unused leaves volumes that nothing has used for so long; nil leaves all.
	Unused *time.Duration
	SortBy string
	Usage  bool
}

func newListCommand(b *plugin.Base) *cobra.Command {
	f := &ListFlags{}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List volumes with what uses them, since when nothing does, and how full they are",
		Long: `List volumes with their owners, what uses them, since when nothing does, and how full they
are.

USED BY lists notebooks, also stopped ones, Jobs and other pods. UNUSED is the time since
the last of them ended: since a notebook was stopped, or since a pod or a Job ended that is
still there; or as the cluster itself records it, where its feature
PersistentVolumeClaimUnusedSinceTime is on. If nothing that used a volume is left, it is
<unknown>.

USE% is the used part of the file system, from the kubelets of the nodes on which volumes
are mounted. It requires permission to get nodes/proxy, and is <unknown> for volumes that
are not mounted.

With --unused, only volumes are listed that nothing has used for at least that time. How many others
are unused, for an unknown time, is written to standard error.`,
		Example: plugin.Examples(`
			# List the volumes of your namespace
			kubectl jupyter notebook volume list

			# List the volumes of all namespaces, the fullest first
			kubectl jupyter notebook volume list -A --sort-by used

			# List the volumes that nothing has used for 90 days, with classes and access modes
			kubectl jupyter notebook volume list -A --unused 90d -o wide

			# Add up the size of the volumes that nothing uses
			kubectl jupyter notebook volume list -A -o json | jq '[.volumes[] | select(.inUse | not) | .sizeBytes] | add'`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b)
			return plugin.Run(cmd, o, err)
		},
	}
	f.LookFlags.Add(cmd)
	f.AllNamespacesFlag.Add(cmd, "volumes")
	fs := cmd.Flags()
	fs.StringVar(&f.unused, "unused", "", "List only volumes that nothing has used for this `duration`, such as 90d or 36h")
	fs.StringVar(&f.sortBy, "sort-by", "namespace", "Sort by namespace, name or age (oldest first); or by size, used (percent) or unused, descending")
	fs.BoolVar(&f.noUsage, "no-usage", false, "If true, do not query the nodes for how full volumes are")
	plugin.Complete(cmd, "sort-by", volumes.SortKeys)
	return cmd
}

// ToOptions checks what was typed.
func (f *ListFlags) ToOptions(b *plugin.Base) (*ListOptions, error) {
	looks, err := f.LookFlags.Options(b)
	if err != nil {
		return nil, err
	}
	o := &ListOptions{LookOptions: looks, SortBy: f.sortBy, Usage: !f.noUsage}
	if o.All, err = f.AllNamespacesFlag.Given(b); err != nil {
		return nil, err
	}
	if f.unused != "" {
		d, err := notebook.ParseAge("unused", f.unused)
		if err != nil {
			return nil, err
		}
		o.Unused = &d
	}
	if !slices.Contains(volumes.SortKeys(), f.sortBy) {
		return nil, fmt.Errorf("--sort-by %q: the keys are %s", f.sortBy, plugin.List(volumes.SortKeys()))
	}
	return o, nil
}

// Run lists.
func (o *ListOptions) Run(ctx context.Context) error {
	place, err := notebook.FindAll(ctx, o.Base, o.Timeout, o.All)
	if err != nil {
		return err
	}
	return o.Show(ctx, func(ctx context.Context) (view.Look, error) {
		l, err := volumes.Read(ctx, place.Cluster, place.Namespace, volumes.Options{Fullness: o.Usage})
		if err != nil {
			return view.Look{}, err
		}
		return o.face(l, place.Namespace), nil
	})
}

func (o *ListOptions) face(l *volumes.List, namespace string) view.Look {
	problems := slices.Clone(l.Problems)
	if o.Unused != nil {
		if n := l.UnusedFor(*o.Unused); n > 0 {
			are := "are"
			if n == 1 {
				are = "is"
			}
			problems = append(problems, fmt.Sprintf("%s %s not used by anything, for an unknown time, and not listed: omit --unused", report.Count(n, "volume"), are))
		}
	}
	l.Sort(o.SortBy)
	if len(l.Volumes) == 0 {
		none := "no volumes found"
		if o.Unused != nil {
			none = "no volumes found that are known to be unused for that time"
		}
		problems = append(problems, show.NoneFound(none, namespace))
	}
	return view.Look{
		Grid:     func(wide bool) view.Grid { return grid(l, namespace == "", wide) },
		CSV:      func() [][]string { return rows(l) },
		Document: func() any { return l.Document(report.APIVersion) },
		Names: func() []string {
			var out []string
			for i := range l.Volumes {
				out = append(out, "persistentvolumeclaim/"+l.Volumes[i].Name)
			}
			return out
		},
		Problems: problems,
	}
}

func grid(l *volumes.List, all, wide bool) view.Grid {
	headers := []string{"NAME", "OWNER", "USED BY", "UNUSED", "SIZE", "USE%", "AGE"}
	return show.Rows(l.Volumes, all, wide, headers, []string{"CLASS", "MODES", "PHASE", "KNOWN FROM"}, func(v *volumes.Volume) (string, []view.Cell, []view.Cell) {
		cells := []view.Cell{
			view.Text(v.Name), show.Owner(v.Owner), usersCell(v), unusedCell(v, l.Time), view.Text(v.Size.String()), show.Percent(v.Percent()),
			view.Text(show.Age(l.Time.Sub(v.Created))),
		}
		more := []view.Cell{view.Text(v.Class), view.Text(v.ModesText()), view.Text(string(v.Phase)), view.Text(string(v.Source))}
		return v.Namespace, cells, more
	})
}

func usersCell(v *volumes.Volume) view.Cell {
	if v.Doubt != "" && len(v.UsedBy) == 0 {
		return view.Cell{Text: "<unknown>", Level: view.Faint}
	}
	var out []string
	for _, u := range v.UsedBy {
		out = append(out, u.String())
	}
	return view.Text(strings.Join(out, ","))
}

func unusedCell(v *volumes.Volume, now time.Time) view.Cell {
	if v.Active() {
		return view.Cell{}
	}
	unused := v.UnusedFor(now)
	d, ok := unused.Get()
	if !ok {
		return show.Missing(unused.Why())
	}
	return view.Text(show.Age(d))
}

// rows are in base units; empty is not known or does not apply.
func rows(l *volumes.List) [][]string {
	out := [][]string{strings.Split("namespace,name,owner,used_by,in_use,unused_since,unused_seconds,known_from,size_bytes,used_bytes,capacity_bytes,class,modes,phase,created", ",")}
	for i := range l.Volumes {
		v := &l.Volumes[i]
		d := v.Document(l.Time)
		var users []string
		for _, u := range v.UsedBy {
			users = append(users, u.String())
		}
		owner, _ := v.Owner.Get()
		var since, seconds string
		if t, ok := v.Unused.Get(); ok {
			since, seconds = show.Stamp(t), strconv.FormatInt(int64(*d.UnusedSeconds), 10)
		}
		out = append(out, []string{
			v.Namespace, v.Name, owner, strings.Join(users, ";"), strconv.FormatBool(v.Active()), since, seconds, string(v.Source),
			strconv.FormatInt(v.Size.Value(), 10), show.IntField(v.Used), show.IntField(v.Capacity), v.Class, strings.ReplaceAll(v.ModesText(), ",", ";"),
			string(v.Phase), show.Stamp(v.Created),
		})
	}
	return out
}
