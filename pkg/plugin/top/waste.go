package top

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/show"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/top/sums"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage/holders"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// addGroups adds the flags of GPUs that are added up, priced and watched.
func (f *TopGPUsFlags) addGroups(cmd *cobra.Command) {
	fs := cmd.Flags()
	sums.AddFlag(cmd, &f.by, "Add up the GPUs by owner or namespace of the pods that hold them, or by product, instead of showing each")
	fs.StringArrayVar(&f.hourlyRates, "hourly-rate", nil, "Price of one hour of a GPU, as `PRODUCT=PRICE` with the name from the column PRODUCT; can be repeated")
	fs.BoolVar(&f.waste, "waste", false, "If true, list GPUs that are held and not used, after having watched them")
	fs.DurationVar(&f.forTime, "for", time.Minute, "With --waste, the length of time to watch the GPUs, such as 10m; 0 takes one sample")
	fs.StringVar(&f.below, "below", "5%", "With --waste, the utilization below which a GPU is not used")
}

// longestWatch is for how long somebody may want to look.
const longestWatch = 24 * time.Hour

// groups checks these flags.
func (f *TopGPUsFlags) groups(o *TopGPUsOptions, given func(string) bool) (err error) {
	if o.By, err = sums.Check(f.by); err != nil {
		return err
	}
	if o.Rates, err = holders.ParseRates(f.hourlyRates); err != nil {
		return fmt.Errorf("--hourly-rate: %w", err)
	}
	if o.Below, err = holders.ParsePercent(f.below); err != nil {
		return fmt.Errorf("--below: %w", err)
	}
	for _, flag := range []string{"for", "below"} {
		if given(flag) && !f.waste {
			return fmt.Errorf("--%s: it can only be used with --waste", flag)
		}
	}
	switch {
	case f.forTime < 0 || f.forTime > longestWatch:
		return fmt.Errorf("--for: %s is not between 0 and %s", f.forTime, longestWatch)
	case f.waste && f.noDCGM:
		return errors.New("--no-dcgm cannot be used with --waste, which needs the utilization that the DCGM exporter reports")
	case f.waste && o.Watch:
		return errors.New("--watch cannot be used with --waste, which watches for the time given with --for")
	case f.by != "" && given("sort-by"):
		return errors.New("--sort-by and --by cannot be used together")
	}
	return nil
}

// costCell is empty for a GPU that nobody holds.
func costCell(g *holders.GPUs, r holders.Row, rates holders.Rates) view.Cell {
	if r.Pod.Name == "" {
		return view.Cell{}
	}
	return sums.Money(g.Cost(r, rates))
}

func heldCell(g *holders.GPUs, r holders.Row) view.Cell {
	if r.Pod.Name == "" {
		return view.Cell{}
	}
	held, ok := g.HeldFor(r).Get()
	if !ok {
		return show.Missing(g.HeldFor(r).Why())
	}
	return view.Text(show.Age(held))
}

// showWaste watches the GPUs, and shows those that are held and not used. --timeout does not
// bound it: for how long it takes, --for has said.
func (o *TopGPUsOptions) showWaste(ctx context.Context, c *cluster.Cluster) error {
	w, err := holders.Watch(ctx, c, o.Holders, holders.Sampling{For: o.For, Every: holders.EveryOf(o.For), Taken: show.Samples(o.Base.ErrOut, o.For)})
	if err != nil {
		return err
	}
	problems := slices.Concat(w.Problems, w.Unpriced(o.Rates))
	if unknown := w.Unknown(); unknown != "" {
		problems = append(problems, unknown)
	}
	w.Keep(func(_ holders.Row, u holders.WatchedUse) bool { return u.Below(o.Below) })
	if len(w.Rows) == 0 {
		problems = append(problems, fmt.Sprintf("no GPU that is held was below %g%% all the time", o.Below))
	}
	look := o.wasteFace(w, problems)
	if o.By != "" {
		look = sums.GPUs(w.GPUs, o.By, o.Rates, problems)
	}
	return o.Looks().Show(ctx, func() (view.Look, error) { return look, nil })
}

func (o *TopGPUsOptions) wasteFace(w *holders.Watched, problems []string) view.Look {
	return view.Look{
		Grid: func(wide bool) view.Grid {
			out := view.Grid{Headers: []string{"OWNER", "NAMESPACE", "POD", "NOTEBOOK", "NODE", "GPU", "DEVICE", "PRODUCT", "PEAK%", "MEAN%", "HELD"}}
			if len(o.Rates) > 0 {
				out.Headers = append(out.Headers, "COST")
			}
			if wide {
				out.Headers = append(out.Headers, "VRAM", "SAMPLES", "SHARING", "UUID")
			}
			for i, r := range w.Rows {
				row := []view.Cell{
					show.Owner(r.Owner), view.Text(r.Pod.Namespace), view.Text(r.Pod.Name), view.Text(r.Pod.Notebook), view.Text(nodeText(r)), view.Text(r.Resource),
					view.Text(r.DeviceText()), view.Text(r.Product), show.Percent(w.Uses[i].Peak), show.Percent(w.Uses[i].Mean), heldCell(w.GPUs, r),
				}
				if len(o.Rates) > 0 {
					row = append(row, costCell(w.GPUs, r, o.Rates))
				}
				if wide {
					row = append(row, show.Memory(r.Live()), view.Text(fmt.Sprintf("%d/%d", w.Uses[i].Samples, w.Samples)), view.Text(string(r.Sharing)), view.Text(r.Device.UUID))
				}
				out.Rows = append(out.Rows, row)
			}
			return out
		},
		CSV: func() [][]string {
			rows := [][]string{strings.Split("owner,namespace,pod,notebook,node,resource,device,uuid,product,peak_percent,mean_percent,samples,held_since,cost", ",")}
			for i, r := range w.Rows {
				owner, _ := r.Owner.Get()
				rows = append(rows, []string{
					owner, r.Pod.Namespace, r.Pod.Name, r.Pod.Notebook, nodeText(r), r.Resource, r.DeviceText(), r.Device.UUID, r.Product,
					show.FloatField(w.Uses[i].Peak), show.FloatField(w.Uses[i].Mean), fmt.Sprint(w.Uses[i].Samples), show.Stamp(r.Pod.Since), show.FloatField(w.Cost(r, o.Rates)),
				})
			}
			return rows
		},
		Document: func() any { return w.Document(report.APIVersion, o.Rates, o.Below, problems) },
		Names:    func() []string { return gpuNames(w.GPUs) },
		Problems: problems,
	}
}
