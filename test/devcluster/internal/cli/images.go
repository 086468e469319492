package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/images"
	"github.com/kubectl-jupyter/kubectl-jupyter/test/devcluster/internal/node"
)

// imagesFlags say where the images of a real node are.
type imagesFlags struct {
	dir, source, release string
	build                bool
}

func (f *imagesFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.dir, "images", images.DefaultDir(), "directory of the real node's images; $DEVCLUSTER_IMAGES sets the default")
	fs.StringVar(&f.release, "release", images.DefaultRelease, "releases of the stack that a real node has the images of: "+strings.Join(images.Releases, " or ")+", or both with a comma between them")
	fs.StringVar(&f.source, "source", "", "directory of devcluster's source, to build images from; found from here or from the program when empty")
	fs.BoolVar(&f.build, "build-images", true, "build images that are missing or out of date before a real node starts")
}

func (f *imagesFlags) store(out io.Writer) (images.Store, error) {
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return images.Store{}, err
	}
	if _, err := images.Catalogue(f.release); err != nil {
		return images.Store{}, err
	}
	f.dir = dir
	start := time.Now()
	return images.Store{Dir: dir, Release: f.release, Source: f.source, Say: func(format string, args ...any) {
		fmt.Fprintf(out, "%5.1fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}}, nil
}

func (f *imagesFlags) findSource() (err error) {
	if f.source != "" {
		f.source, err = filepath.Abs(f.source)
		return err
	}
	starts := []string{"."}
	if self, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(self))
	}
	f.source, err = images.FindSource(starts...)
	return err
}

// prepareRealNode finds out whether this machine can run a real node, and
// makes its images, before anything is started. With policies set it returns
// the program that enforces network policies.
func prepareRealNode(c *cobra.Command, f *imagesFlags, policies bool) (enforcer string, err error) {
	s, err := f.store(c.ErrOrStderr())
	if err != nil {
		return "", err
	}
	if err := node.Check(); err != nil {
		return "", err
	}
	if f.build {
		if _, err := f.buildAll(c); err != nil {
			return "", err
		}
		s.Source = f.source
	}
	if !policies {
		return "", nil
	}
	return s.Enforcer(c.Context(), f.build)
}

func (f *imagesFlags) buildAll(c *cobra.Command) ([]images.Archive, error) {
	if err := f.findSource(); err != nil {
		return nil, err
	}
	s, err := f.store(c.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	return s.Build(c.Context())
}

func imagesCommand() *cobra.Command {
	var f imagesFlags
	var output string
	c := &cobra.Command{
		Use:   "images [list|build]",
		Short: "List the images of a real node, and what is real in them, or build them",
		Long: `Lists the images that a real node gets, whether each is the component itself
or a stand-in, and what it is built from. "images build" builds those that are
missing or out of date: about 20 minutes the first time on two cores.`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"list", "build"},
		RunE: func(c *cobra.Command, args []string) error {
			var all []images.Archive
			var err error
			if len(args) == 1 && args[0] == "build" {
				all, err = f.buildAll(c)
			} else {
				var s images.Store
				if s, err = f.store(c.ErrOrStderr()); err == nil {
					all, err = s.List()
				}
			}
			if err != nil {
				return err
			}
			if err := printImages(c.OutOrStdout(), output, all); err != nil {
				return err
			}
			if len(args) == 1 && args[0] == "build" {
				return missing(all)
			}
			return nil
		},
	}
	f.add(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "", "json, or name: one reference a line")
	return c
}

func missing(all []images.Archive) error {
	var errs []error
	for _, a := range all {
		if a.Missing != "" {
			errs = append(errs, fmt.Errorf("image %s: %s", a.Name, a.Missing))
		}
	}
	return errors.Join(errs...)
}

func printImages(out io.Writer, format string, all []images.Archive) error {
	switch format {
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(all)
	case "name":
		for _, a := range all {
			fmt.Fprintln(out, a.Name)
		}
		return nil
	case "":
	default:
		return fmt.Errorf("-o %q: only json and name are known", format)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "IMAGE\tIS\tHERE\tBUILT FROM\tNOTE")
	for _, a := range all {
		here := "yes"
		if a.Missing != "" {
			here = "no: " + a.Missing
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, a.Kind, here, a.From, a.Note)
	}
	return w.Flush()
}

// runNodeCommand is the first process of a real node.
func runNodeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    node.RunCommand + " PLAN",
		Short:  "The real node itself; `devcluster up --nodes real` calls it",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			var plan node.Plan
			if err := json.Unmarshal(b, &plan); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return node.Supervise(c.Context(), plan)
		},
	}
}
