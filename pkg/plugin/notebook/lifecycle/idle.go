package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/activity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/idle"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/notebook"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/dcgm"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// idleFlags choose notebooks by whether they are used, in the place of names.
type idleFlags struct {
	show.AllNamespacesFlag
	idle, olderThan, gpuBelow string
	forTime                   time.Duration
	busy, unknown             bool
	output                    string
}

// conditions are the flags of which one has to be there, ofConditions those that go with them.
var (
	conditions   = []string{"idle", "older-than", "gpu-below"}
	ofConditions = []string{"for", "include-busy", "include-unknown", "all-namespaces", "output"}
)

func (f *idleFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.idle, "idle", "", "Stop notebooks in which nothing was done for this length of time, such as 4h or 2d, instead of those named")
	fs.StringVar(&f.olderThan, "older-than", "", "Stop notebooks whose pods are older, such as 7d")
	fs.StringVar(&f.gpuBelow, "gpu-below", "", "Stop notebooks with GPUs whose utilization stays below this percentage, such as 5%, for the time given with --for")
	fs.DurationVar(&f.forTime, "for", 10*time.Minute, "With --gpu-below, the length of time to watch the GPUs; 0 takes one sample")
	fs.BoolVar(&f.busy, "include-busy", false, "If true, stop notebooks with busy kernels too; what counts is then when these kernels last sent something")
	fs.BoolVar(&f.unknown, "include-unknown", false, "If true, stop notebooks too of which it is not known what runs in them, such as RStudio")
	fs.StringVarP(&f.output, "output", "o", view.FormatTable, "Output format of the chosen notebooks. One of: (table, wide, json, yaml, csv, name, jsonpath=TEMPLATE)")
	f.AllNamespacesFlag.Add(cmd, "notebooks")
	cmd.Flags().Lookup("all-namespaces").Usage = "If present, choose notebooks across all namespaces"
}

// chosenByUse tells whether a condition was given.
func chosenByUse(given func(string) bool) bool { return slices.ContainsFunc(conditions, given) }

// idleArgs takes names, or conditions in their place.
func idleArgs(cmd *cobra.Command, args []string) error {
	if !chosenByUse(cmd.Flags().Changed) {
		return notebook.Names(cmd, args)
	}
	if len(args) > 0 {
		return plugin.UsageError(cmd, fmt.Errorf("%q: names of notebooks and the flags --idle, --older-than and --gpu-below cannot be used together", args[0]))
	}
	return nil
}

// IdleOptions are what is meant.
type IdleOptions struct {
	options
	All    bool
	Rule   idle.Rule
	For    time.Duration
	Format string
}

func (f *idleFlags) options(o options, given func(string) bool) (*IdleOptions, error) {
	out := &IdleOptions{options: o, For: f.forTime, Format: f.output, Rule: idle.Rule{Busy: f.busy, Unknown: f.unknown}}
	var err error
	for _, d := range []struct {
		flag, text string
		into       *time.Duration
	}{{"idle", f.idle, &out.Rule.Idle}, {"older-than", f.olderThan, &out.Rule.OlderThan}} {
		if !given(d.flag) {
			continue
		}
		if *d.into, err = idle.ParseDuration(d.text); err != nil {
			return nil, fmt.Errorf("--%s: %w", d.flag, err)
		}
	}
	if given("gpu-below") {
		if out.Rule.GPUBelow, err = holders.ParsePercent(f.gpuBelow); err != nil {
			return nil, fmt.Errorf("--gpu-below: %w", err)
		}
	}
	if f.forTime < 0 || f.forTime > 24*time.Hour {
		return nil, fmt.Errorf("--for: %s is not between 0 and 24h", f.forTime)
	}
	if given("for") && !given("gpu-below") {
		return nil, errors.New("--for: it can only be used with --gpu-below")
	}
	if err := view.CheckOutput(f.output, view.FormatTable, view.FormatWide, view.FormatCSV, view.Name); err != nil {
		return nil, err
	}
	out.All, err = f.AllNamespacesFlag.Given(o.base)
	return out, err
}

// without refuses what has no meaning beside names.
func (f *idleFlags) without(given func(string) bool) error {
	for _, flag := range ofConditions {
		if given(flag) {
			return fmt.Errorf("--%s: it can only be used with --idle, --older-than or --gpu-below", flag)
		}
	}
	return nil
}

// Run shows what would be stopped, and stops it where that was confirmed.
func (o *IdleOptions) Run(ctx context.Context) error {
	place, err := notebook.FindAll(ctx, o.base, 0, o.All)
	if err != nil {
		return err
	}
	c := place.Cluster
	ask := func(ctx context.Context, all []activity.Target) map[string]activity.Result {
		return activity.Read(ctx, c, all)
	}
	h := holders.Options{Live: &dcgm.Source{REST: c.REST()}, Ask: ask, Unrecorded: true}
	var watched *holders.Watched
	var problems []string
	if o.Rule.GPUBelow > 0 {
		// First, so that what notebooks say is the last that is learned.
		if watched, err = holders.Watch(ctx, c, h, holders.Sampling{For: o.For, Every: holders.EveryOf(o.For), Taken: show.Samples(o.base.ErrOut, o.For)}); err != nil {
			return err
		}
		problems = watched.Problems
	}
	n, err := holders.ReadNotebooks(ctx, c, place.Namespace, h)
	if err != nil {
		return err
	}
	n.Sort("idle")
	for _, p := range n.Problems {
		if !slices.Contains(problems, p) {
			problems = append(problems, p)
		}
	}
	all := idle.Judge(n, watched, o.Rule)
	machine := o.Format != view.FormatTable && o.Format != view.FormatWide
	stopped := map[string]bool{}
	put := func() error {
		return view.Looks{Out: o.base.Out, ErrOut: o.base.ErrOut, Format: o.Format, Headers: true}.Show(ctx, func() (view.Look, error) {
			return o.face(all, n.Time, stopped, problems), nil
		})
	}
	if !machine {
		if err := put(); err != nil {
			return err
		}
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(v idle.Verdict) bool { return !v.Stop })
	fmt.Fprint(o.base.ErrOut, summary(all, len(chosen), c.Where()))
	yes, err := o.confirmed(ctx, len(chosen), machine)
	if err != nil {
		return err
	}
	if yes {
		err = o.stop(ctx, c, ask, chosen, stopped)
	}
	if machine {
		err = errors.Join(err, put())
	}
	return err
}

// confirmed tells whether to go on. Nothing is stopped without --yes, unless somebody is
// there to be asked.
func (o *IdleOptions) confirmed(ctx context.Context, chosen int, machine bool) (bool, error) {
	switch {
	case chosen == 0:
		return false, nil
	case o.Yes:
		return true, nil
	case machine || !view.IsTerminal(o.base.In):
		fmt.Fprintln(o.base.ErrOut, "Nothing was stopped. Use --yes to stop them.")
		return false, nil
	}
	err := o.base.Confirm(ctx, "--yes to stop them")
	return err == nil, err
}

// stop stops what was chosen, unless somebody has come back meanwhile.
func (o *IdleOptions) stop(ctx context.Context, c *cluster.Cluster, ask activity.Ask, chosen []idle.Verdict, stopped map[string]bool) error {
	undo := map[string][]string{}
	var failed []error
	for i := range chosen {
		v := &chosen[i]
		if why := o.Rule.Still(ctx, ask, v, time.Now); why != "" {
			fmt.Fprintf(o.base.ErrOut, "Not stopped: %s: %s.\n", notebooks.RefOf(v.Namespace, v.Name), why)
			continue
		}
		n, err := notebooks.Get(ctx, c, v.Namespace, v.Name)
		if err == nil {
			err = notebooks.Stop(ctx, c, n, time.Now())
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		stopped[v.Namespace+"/"+v.Name] = true
		undo[v.Namespace] = append(undo[v.Namespace], v.Name)
		fmt.Fprintf(o.base.ErrOut, "Stopped: %s.\n", n.Ref())
		if err := o.await(ctx, &notebook.Place{Cluster: c, Namespace: v.Namespace}, []*notebooks.Notebook{n}, hasStopped, "has no pod"); err != nil {
			failed = append(failed, err)
		}
	}
	if len(undo) > 0 {
		fmt.Fprintln(o.base.ErrOut, "To start them again:")
	}
	for _, namespace := range slices.Sorted(maps.Keys(undo)) {
		fmt.Fprintf(o.base.ErrOut, "  kubectl jupyter notebook start%s -n %s %s\n", o.base.Flags(), namespace, strings.Join(undo[namespace], " "))
	}
	return errors.Join(failed...)
}

// summary counts what meets the conditions, and what does not by reason.
func summary(all []idle.Verdict, chosen int, where string) string {
	left := map[idle.Reason]int{}
	for _, v := range all {
		if !v.Stop {
			left[v.Left]++
		}
	}
	out := fmt.Sprintf("In %s, %s of %d meet all conditions.", where, report.Count(chosen, "notebook"), len(all))
	var reasons []string
	for _, r := range slices.Sorted(maps.Keys(left)) {
		reasons = append(reasons, fmt.Sprintf("%d %s", left[r], r))
	}
	if len(reasons) > 0 {
		out += " Left alone: " + strings.Join(reasons, ", ") + " (-o wide shows why)."
	}
	return out + "\n"
}

// face shows what meets the conditions; wide, and for programs, the others too.
func (o *IdleOptions) face(all []idle.Verdict, at time.Time, stopped map[string]bool, problems []string) view.Look {
	gpus := o.Rule.GPUBelow > 0
	return view.Look{
		Grid: func(wide bool) view.Grid {
			out := view.Grid{Headers: []string{"NAMESPACE", "NAME", "OWNER", "GPU", "AGE", "IDLE", "KNOWN BY"}}
			if gpus {
				out.Headers = append(out.Headers, "GPU-PEAK", "SAMPLES")
			}
			if wide {
				out.Headers = append(out.Headers, "STOP", "WHY NOT")
			}
			for _, v := range all {
				if !v.Stop && !wide {
					continue
				}
				row := []view.Cell{
					view.Text(v.Namespace), view.Text(v.Name), show.Owner(v.Owner), view.Text(v.GPUText()), view.Text(show.Age(at.Sub(v.Created))),
					show.Idle(v.Use.Busy(), v.Use.Idle(at)), view.Text(v.Use.Text(at)),
				}
				if gpus {
					row = append(row, show.Percent(v.GPU.Peak), view.Text(strconv.Itoa(v.GPU.Samples)))
				}
				if wide {
					row = append(row, view.Text(map[bool]string{true: "yes"}[v.Stop]), view.Text(v.Why))
				}
				out.Rows = append(out.Rows, row)
			}
			return out
		},
		CSV: func() [][]string {
			rows := [][]string{strings.Split("namespace,name,owner,gpus,created,idle_seconds,known_by,gpu_peak_percent,gpu_samples,stop,left,why,stopped", ",")}
			for _, v := range all {
				owner, _ := v.Owner.Get()
				seconds := ""
				if d, ok := v.Use.Idle(at).Get(); ok {
					seconds = strconv.FormatInt(int64(d.Seconds()), 10)
				}
				rows = append(rows, []string{
					v.Namespace, v.Name, owner, strings.ReplaceAll(v.GPUText(), ",", ";"), show.Stamp(v.Created), seconds, string(v.Use.Source),
					show.FloatField(v.GPU.Peak), strconv.Itoa(v.GPU.Samples), strconv.FormatBool(v.Stop), string(v.Left), v.Why, strconv.FormatBool(stopped[v.Namespace+"/"+v.Name]),
				})
			}
			return rows
		},
		Document: func() any { return idle.DocumentOf(report.APIVersion, at, all, stopped, problems) },
		Names: func() []string {
			var out []string
			for _, v := range all {
				if v.Stop {
					out = append(out, "notebook.kubeflow.org/"+v.Name)
				}
			}
			return out
		},
		Problems: problems,
	}
}
