package supportbundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/bundle"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/status"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/version"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// SupportBundleFlags are what was typed.
type SupportBundleFlags struct {
	file     string
	people   bool
	since    time.Duration
	logLines int64
	timeout  time.Duration
}

// SupportBundleOptions are what is meant.
type SupportBundleOptions struct {
	base *plugin.Base
	// File to write; "-" is standard output.
	File     string
	People   bool
	Since    time.Duration
	LogLines int64
	Timeout  time.Duration
	Time     time.Time
}

func New(b *plugin.Base) *cobra.Command {
	f := &SupportBundleFlags{}
	cmd := &cobra.Command{
		Use:     "support-bundle",
		GroupID: plugin.GroupStack,
		Short:   "Collect status, objects, events and logs in an archive, without credentials",
		Long: `Collect information for troubleshooting in a tar.gz archive: the status report, versions,
the objects, events and logs of the stack, a summary of the nodes, webhook configurations,
and the names of all CustomResourceDefinitions.

The values of Secrets and of environment variables are redacted; the keys and lengths of
Secrets are kept. These values, passwords, tokens, cookies, authorization headers, private
keys and password hashes are also redacted wherever else they occur. Host names, IP
addresses and e-mail addresses are kept. manifest.yaml in the bundle lists what is in it,
what was redacted and what could not be read. Review the bundle before you send it.

What the user is not permitted to read is skipped. The exit code is 0 if a bundle was
written, and 1 otherwise.`,
		Example: plugin.Examples(`
			# Write a bundle to the current directory
			kubectl jupyter support-bundle

			# Include only the logs of the last hour, and specify the file name
			kubectl jupyter support-bundle --since 1h -f login-fails.tar.gz

			# Include notebooks, volumes, pods and events of user namespaces, but not their logs
			kubectl jupyter support-bundle --include-user-namespaces

			# List the contents of a bundle, without writing a file
			kubectl jupyter support-bundle -f - | tar tz`),
		Args: plugin.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.ToOptions(b, time.Now())
			return plugin.Run(cmd, o, err)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.file, "file", "f", "", "File to write, or - for standard output; by default, kubectl-jupyter-TIME.tar.gz in the current directory")
	fs.BoolVar(&f.people, "include-user-namespaces", false, "If true, include Profiles, and notebooks, volume claims, pods and events of user namespaces")
	fs.DurationVar(&f.since, "since", 0, "Only include logs newer than a relative duration like 30m or 24h; 0 means all logs")
	fs.Int64Var(&f.logLines, "log-lines", 2000, "Lines of recent log to include for each container, up to 512 KiB")
	fs.DurationVar(&f.timeout, "timeout", 2*time.Minute, "The length of time to wait for the bundle, such as 90s; what has not been read by then is skipped. 0 means no timeout")
	plugin.Complete(cmd, "since", func() []string { return []string{"10m", "1h", "24h"} })
	plugin.Complete(cmd, "log-lines", func() []string { return []string{"200", "2000", "10000"} })
	plugin.Complete(cmd, "timeout", func() []string { return []string{"30s", "2m", "10m"} })
	if err := cmd.MarkFlagFilename("file", "tar.gz", "tgz"); err != nil {
		panic(err) // only for a flag that does not exist
	}
	return cmd
}

// ToOptions checks what was typed.
func (f *SupportBundleFlags) ToOptions(b *plugin.Base, now time.Time) (*SupportBundleOptions, error) {
	if err := plugin.CheckTimeout(f.timeout); err != nil {
		return nil, err
	}
	if f.since < 0 || f.since > 0 && f.since < time.Second {
		return nil, fmt.Errorf("--since: %s: use 1s or more, or 0 for all logs", f.since)
	}
	if f.logLines < 1 {
		return nil, fmt.Errorf("--log-lines: %d: use 1 or more", f.logLines)
	}
	o := &SupportBundleOptions{
		base: b, File: f.file, People: f.people, Since: f.since, LogLines: f.logLines, Timeout: f.timeout, Time: now.UTC(),
	}
	if o.File == "" {
		o.File = o.name() + ".tar.gz"
	}
	if o.File == "-" {
		if view.IsTerminal(b.Out) {
			return nil, errors.New("--file: standard output is a terminal: specify a file, or redirect standard output")
		}
		return o, nil
	}
	switch info, err := os.Stat(o.File); {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("--file: %s is a directory: specify a file", o.File)
	case err == nil:
		return nil, fmt.Errorf("--file: %s already exists: specify another file, or delete it", o.File)
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("--file: %w", err)
	}
	if info, err := os.Stat(filepath.Dir(o.File)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--file: directory %s does not exist", filepath.Dir(o.File))
	}
	return o, nil
}

// name of the bundle and of the folder in it.
func (o *SupportBundleOptions) name() string {
	return "kubectl-jupyter-" + o.Time.Format("20060102-150405")
}

// Run makes the bundle.
func (o *SupportBundleOptions) Run(ctx context.Context) error {
	c, err := o.connect(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.base.ErrOut, "Reading %s.\n", c.Where())
	if o.File == "-" {
		manifest, err := o.write(ctx, c, o.base.Out)
		if err == nil {
			o.tell(manifest, "standard output")
		}
		return err
	}
	// The name comes with the last byte: a bundle that was interrupted is none.
	partial, err := os.CreateTemp(filepath.Dir(o.File), "."+filepath.Base(o.File)+".*.partial")
	if err != nil {
		return fmt.Errorf("--file: %s: %w", o.File, reason(err))
	}
	defer os.Remove(partial.Name()) // gone already when all went well
	manifest, err := o.write(ctx, c, partial)
	if err = errors.Join(err, partial.Close()); err != nil {
		return err
	}
	if err := os.Rename(partial.Name(), o.File); err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	o.tell(manifest, o.File)
	return nil
}

// reason is why a file could not be made, without the name that it had for a moment.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func (o *SupportBundleOptions) connect(ctx context.Context) (*cluster.Cluster, error) {
	ctx, cancel := plugin.Within(ctx, o.Timeout)
	defer cancel()
	return o.base.Connect(ctx, io.Discard)
}

func (o *SupportBundleOptions) write(ctx context.Context, c *cluster.Cluster, w io.Writer) (*bundle.Manifest, error) {
	source, _, err := o.base.Installed(ctx, c)
	if err != nil {
		// What keeps the inventory from being read is in the bundle itself.
		if source, err = o.base.Source(); err != nil {
			return nil, err
		}
	}
	rendered, err := source.Render(ctx, source.Release().Names(), components.Options{})
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, u := range components.ObjectsOf(rendered) {
		ours[u.GetKind()+" "+u.GetName()] = true
	}
	var namespaces []string
	for _, component := range source.Release().Components {
		namespaces = append(namespaces, component.Namespaces...)
	}
	slices.Sort(namespaces)
	// kube-system holds a few roles of cert-manager's, and everything of the cluster.
	namespaces = slices.DeleteFunc(slices.Compact(namespaces), func(ns string) bool { return ns == "kube-system" })
	manifest, err := bundle.Write(ctx, c, w, bundle.Options{
		Name: o.name(), Time: o.Time, Tooling: version.Get().Tooling(),
		Namespaces: namespaces, Stack: func(kind, name string) bool { return ours[kind+" "+name] },
		People: o.People, Since: o.Since, LogLines: o.LogLines, Timeout: o.Timeout,
		Documents: o.documents(c, source),
		Progress:  func(what string) { fmt.Fprintf(o.base.ErrOut, "Reading %s.\n", what) },
	})
	if err != nil {
		return nil, fmt.Errorf("support bundle of %s: %w", c.Where(), err)
	}
	return manifest, nil
}

// documents are the report, for people and for programs, and the versions.
func (o *SupportBundleOptions) documents(c *cluster.Cluster, source components.Source) []bundle.Document {
	var once sync.Once
	var out *report.Report
	var failed error
	look := func(ctx context.Context) (*report.Report, error) {
		once.Do(func() { out, failed = status.Run(ctx, c, status.Options{Source: source}) })
		return out, failed
	}
	text := func(name string, print func(io.Writer, *report.Report) error) bundle.Document {
		return bundle.Document{Name: name, Make: func(ctx context.Context) (bundle.Content, error) {
			out, err := look(ctx)
			if err != nil {
				return bundle.Content{}, err
			}
			var text strings.Builder
			err = print(&text, out)
			return bundle.Content{Text: text.String()}, err
		}}
	}
	return []bundle.Document{
		{
			Name: "versions.yaml",
			Make: func(ctx context.Context) (bundle.Content, error) {
				settings, err := rollout.ReadSettings(ctx, c)
				return bundle.Content{Data: plugin.Versions{Client: version.Get(), Server: &c.Target, Installed: settings}}, err
			},
		},
		text("status.txt", func(w io.Writer, r *report.Report) error { return view.Status(w, r, true, view.Style{}, o.Time) }),
		text("status-short.txt", func(w io.Writer, r *report.Report) error {
			return view.StatusShort(w, r, version.Get().Version)
		}),
		{
			Name: "status.yaml",
			Make: func(ctx context.Context) (bundle.Content, error) {
				out, err := look(ctx)
				return bundle.Content{Data: out}, err
			},
		},
	}
}

// tell says what was made and what a reader should know of it.
func (o *SupportBundleOptions) tell(m *bundle.Manifest, where string) {
	fmt.Fprintf(o.base.ErrOut, "Wrote %s: %d files, credentials redacted. Review the bundle before you send it.\n", where, len(m.Files)+1)
	if len(m.SecretsUnread) > 0 {
		fmt.Fprintf(o.base.ErrOut, "warning: the Secrets of %s could not be read, so credentials in logs and events were only redacted if their format was recognized.\n", plugin.List(m.SecretsUnread))
	}
	if len(m.Unread) > 0 {
		first := m.Unread[0]
		fmt.Fprintf(o.base.ErrOut, "Not included, because it could not be read: %s (%s)", first.What, strings.TrimSuffix(first.Why, "."))
		if more := len(m.Unread) - 1; more > 0 {
			fmt.Fprintf(o.base.ErrOut, ", and %d more, see %s", more, bundle.ManifestName)
		}
		fmt.Fprintln(o.base.ErrOut, ".")
	}
}
