// Command fidelity is for reviewers of the manifests.
//
//	fidelity diff UPSTREAM    how our objects differ from upstream's, with both values
//	fidelity facts UPSTREAM   the facts of upstream's objects, as JSON
//
// UPSTREAM is a clone of kubeflow/manifests at the version that the release (-release)
// follows, or a directory of its rendered YAML, or one file. Components that are not part of it are compared
// with their own project's release:
//
//	fidelity -components metallb diff metallb-native.yaml
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/internal/fidelity"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fidelity:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("fidelity", flag.ContinueOnError)
	document := flags.String("reasons", "docs/differences.md", "document that states the differences on purpose")
	release := flags.String("release", components.DefaultRelease, "our release: "+strings.Join(components.ReleaseNames(), " or "))
	version := flags.String("version", "", "facts: version of what they are of (by default of the manifests that the release follows)")
	names := flags.String("components", "", "diff: comma-separated components to compare (by default what install sends)")
	unexplained := flags.Bool("unexplained", false, "diff: only what no reason covers")
	width := flags.Int("width", 160, "diff: longest value shown, in bytes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return fmt.Errorf("want `diff UPSTREAM` or `facts UPSTREAM`, got %q", flags.Args())
	}
	upstream, err := fidelity.LoadUpstream(*release, flags.Arg(1))
	if err != nil {
		return err
	}
	if *version == "" {
		if *version, err = fidelity.UpstreamVersion(*release); err != nil {
			return err
		}
	}
	facts, err := fidelity.FactsOf(*version, upstream)
	if err != nil {
		return err
	}
	switch command := flags.Arg(0); command {
	case "facts":
		data, err := facts.Encode()
		if err != nil {
			return err
		}
		_, err = out.Write(data)
		return err
	case "diff":
		reasons, err := fidelity.ReadReasons(*document, *release)
		if err != nil {
			return err
		}
		ours, err := render(ctx, *release, *names)
		if err != nil {
			return err
		}
		return diff(out, facts, upstream, ours, reasons, *unexplained, *width)
	default:
		return fmt.Errorf("unknown command %q: want diff or facts", command)
	}
}

// render makes the objects of the named components, or of all that install
// sends unasked.
func render(ctx context.Context, release, names string) ([]*unstructured.Unstructured, error) {
	source, err := components.NewEmbedded(release)
	if err != nil {
		return nil, err
	}
	var chosen []string
	if names != "" {
		chosen = strings.Split(names, ",")
	} else {
		for _, component := range source.Release().Components {
			if !component.OnDemand {
				chosen = append(chosen, component.Name)
			}
		}
	}
	rendered, err := source.Render(ctx, chosen, components.Options{})
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, r := range rendered {
		objects = append(objects, r.Objects...)
	}
	return objects, nil
}

// diff prints every difference below its object: sign, path, upstream's value,
// ours, and the heading of the reason.
func diff(out io.Writer, facts *fidelity.Facts, upstream, ours []*unstructured.Unstructured, reasons *fidelity.Reasons, unexplainedOnly bool, width int) error {
	differences, err := fidelity.Compare(facts, ours, reasons.Counterparts)
	if err != nil {
		return err
	}
	theirs := map[string]fidelity.Leaves{}
	for _, u := range upstream {
		if theirs[fidelity.ID(u)], err = fidelity.LeavesOf(u); err != nil {
			return err
		}
	}
	object, stated := "", 0
	for _, d := range differences {
		heading := reasons.Heading(d)
		if heading != "" {
			stated++
			if unexplainedOnly {
				continue
			}
		} else {
			heading = "NO REASON STATED"
		}
		if d.Object != object {
			object = d.Object
			fmt.Fprintf(out, "%s\n", object)
		}
		fmt.Fprintf(out, "  %s %s    (%s)\n", d.Sign, d.Path, heading)
		if value := theirs[d.Object][d.Path]; value != "" {
			fmt.Fprintf(out, "      upstream: %s\n", cut(value, width))
		}
		if d.Ours != "" {
			fmt.Fprintf(out, "      ours:     %s\n", cut(d.Ours, width))
		}
	}
	missing, renamed := 0, 0
	for id := range facts.Objects {
		if _, other := reasons.Counterparts[id]; other {
			renamed++
		}
	}
	for _, d := range differences {
		if d.Sign == fidelity.Missing && d.Path == fidelity.WholeObject {
			missing++
		}
	}
	_, err = fmt.Fprintf(out, "%d of upstream's %d objects have their counterpart, %d of them under another name; %d differences, %d with a reason\n",
		len(facts.Objects)-missing, len(facts.Objects), renamed, len(differences), stated)
	return err
}

func cut(value string, width int) string {
	if len(value) <= width {
		return value
	}
	return fmt.Sprintf("%s... (%d bytes)", value[:width], len(value))
}
