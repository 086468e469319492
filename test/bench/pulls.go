package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
)

// The targets of the figures with image pulls.
const (
	pullsID     = "i"
	fastPullsID = "j"

	wireSlack = 1.15 // times the bytes divided by the bandwidth
	pullShare = 2    // at most one part in so many of upstream's time

	// The wire, in all, in bytes a second.
	slowWire = 25_000_000
	fastWire = 100_000_000
)

// trafficURL is where a bed's registry says what it has sent.
const trafficURL = "http://registry.devcluster.test/devcluster/traffic"

// firstNotebook is created in the namespace of the first user, as the form proposes it.
var firstNotebook = []string{"notebook", "create", "first", "-n", "kubeflow-user-example-com", "--timeout=15m"}

// cold is an installation on a node without images, and the first notebook after it.
type cold struct {
	// ready is the time until the stack is, answered until the notebook answers, both from
	// the beginning.
	ready, answered timed
	// Bytes that the registry had sent by then.
	readyBytes, answeredBytes int64
	said                      string
}

func (b *bench) pullsSlow(ctx context.Context) (*figure, error) { return b.pulls(ctx, slowWire) }
func (b *bench) pullsFast(ctx context.Context) (*figure, error) { return b.pulls(ctx, fastWire) }

// pulls are figures i and j: a cold node, and a wire of a known width.
func (b *bench) pulls(ctx context.Context, wire int64) (*figure, error) {
	tags, err := retag(ctx)
	if err != nil {
		return nil, err
	}
	sides := []struct {
		what    string
		install func(context.Context, *bed) (timed, error)
		runs    []cold
	}{
		{what: "kubectl jupyter install", install: func(ctx context.Context, c *bed) (timed, error) {
			return c.jupyter(ctx, "install", "--timeout=15m")
		}},
		{what: "kubectl jupyter install --pull=off", install: func(ctx context.Context, c *bed) (timed, error) {
			return c.jupyter(ctx, "install", "--timeout=15m", "--pull=off")
		}},
		{what: "upstream, with the waits of its README", install: func(ctx context.Context, c *bed) (timed, error) {
			s, err := c.upstreamSequence(ctx, habits{waits: true, retag: tags})
			return s.timed, err
		}},
	}
	for i := range b.runs {
		for s := range sides {
			b.say("run %d of %d, %s/s: %s", i+1, b.runs, megabytes(float64(wire)), sides[s].what)
			args := []string{"--nodes=real", "--registry", "--registry-bandwidth=" + strconv.FormatInt(wire/1_000_000, 10) + "MB/s"}
			if err := b.withBedOf(ctx, args, func(c *bed) error {
				run, err := c.cold(ctx, sides[s].install)
				sides[s].runs = append(sides[s].runs, run)
				return err
			}); err != nil {
				return nil, fmt.Errorf("%s: %w", sides[s].what, err)
			}
		}
	}
	ready := func(c cold) time.Duration { return c.ready.wall }
	answered := func(c cold) time.Duration { return c.answered.wall }
	ours, off, theirs := sides[0].runs, sides[1].runs, sides[2].runs
	// Without pulls beside the installation, only what runs by then has been pulled.
	stack := median(of(off, func(c cold) int64 { return c.readyBytes }))
	all := median(of(off, func(c cold) int64 { return c.answeredBytes }))
	onWire := func(bytes int64) time.Duration {
		return time.Duration(float64(bytes) / float64(wire) * float64(time.Second))
	}
	f := &figure{title: fmt.Sprintf("all images cold, with %s/s", megabytes(float64(wire)))}
	within := func(what string, took time.Duration, bytes int64) check {
		return check{
			what:  fmt.Sprintf("%s: at most %.2f times %s of images, which is %s", what, wireSlack, megabytes(float64(bytes)), seconds(onWire(bytes))),
			met:   float64(took) <= wireSlack*float64(onWire(bytes)),
			value: fmt.Sprintf("%s: %.2f times", seconds(took), ratio(took, onWire(bytes))),
		}
	}
	mine, peer := median(of(ours, answered)), median(of(theirs, answered))
	f.checks = []check{
		within("until Ready", median(of(ours, ready)), stack),
		within("until a first notebook answers", mine, all),
		{
			what: fmt.Sprintf("until a first notebook answers: at most 1/%d of upstream's sequence", pullShare), met: mine*pullShare <= peer,
			value: fmt.Sprintf("%s against %s: 1/%.1f", seconds(mine), seconds(peer), ratio(peer, mine)),
		},
	}
	f.table = [][]string{{"what", "runs", "until Ready", "pulled by then", "until the notebook answers", "pulled by then", "the notebook alone", "CPU of the cluster and its containers", "CPU of others"}}
	for _, s := range sides {
		f.table = append(f.table, []string{
			s.what, fmt.Sprint(len(s.runs)), seconds(median(of(s.runs, ready))), megabytes(float64(median(of(s.runs, func(c cold) int64 { return c.readyBytes })))),
			seconds(median(of(s.runs, answered))), megabytes(float64(median(of(s.runs, func(c cold) int64 { return c.answeredBytes })))),
			seconds(median(of(s.runs, func(c cold) time.Duration { return c.answered.wall - c.ready.wall }))),
			seconds(median(of(s.runs, func(c cold) time.Duration { return c.ready.bed }))), seconds(median(of(s.runs, func(c cold) time.Duration { return c.ready.others }))),
		})
	}
	f.notes = append(f.notes,
		"Bytes are those that the registry has sent, TLS and manifests included. The CPU times are those until Ready.",
		"When each component of the plugin was Ready, in seconds since the start: "+timeline(ours[0].said, "Ready")+".",
		"What the plugin said of images: "+pullLines(ours[0].said)+".")
	return f, nil
}

// cold installs, and creates the first notebook.
func (b *bed) cold(ctx context.Context, install func(context.Context, *bed) (timed, error)) (cold, error) {
	var out cold
	before, err := b.traffic(ctx)
	if err != nil {
		return out, err
	}
	begin := time.Now()
	if out.ready, err = install(ctx, b); err != nil {
		return out, err
	}
	out.said = out.ready.stderr
	out.ready.wall = time.Since(begin)
	if out.readyBytes, err = b.traffic(ctx); err != nil {
		return out, err
	}
	if out.answered, err = b.jupyter(ctx, firstNotebook...); err != nil {
		return out, err
	}
	out.answered.wall = time.Since(begin)
	if out.answeredBytes, err = b.traffic(ctx); err != nil {
		return out, err
	}
	out.readyBytes -= before
	out.answeredBytes -= before
	return out, nil
}

// traffic is how many bytes the registry has sent.
func (b *bed) traffic(ctx context.Context) (int64, error) {
	transport, err := b.Transport()
	if err != nil {
		return 0, err
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, trafficURL, nil)
	if err != nil {
		return 0, err
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", trafficURL, err)
	}
	defer answer.Body.Close()
	var t struct {
		Bytes int64 `json:"bytes"`
	}
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", trafficURL, answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(&t); err != nil {
		return 0, fmt.Errorf("%s: %w", trafficURL, err)
	}
	return t.Bytes, nil
}

// pullLine is what the plugin says of images in a log: the time, and what it is at.
var pullLine = regexp.MustCompile(`(?m)^ *(\S+) +images +(.*)$`)

func pullLines(log string) string {
	var parts []string
	for _, m := range pullLine.FindAllStringSubmatch(log, -1) {
		parts = append(parts, m[1]+" "+m[2])
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// retag makes what replaces the tags in manifests by those of the images that there are: the
// bed has those of the plugin's release, from whose patch releases upstream's differ.
func retag(ctx context.Context) (func(manifests string) string, error) {
	source, err := components.NewEmbedded(components.DefaultRelease)
	if err != nil {
		return nil, err
	}
	rendered, err := source.Render(ctx, source.Release().Names(), components.Options{Outlines: true})
	if err != nil {
		return nil, err
	}
	images := components.Images(rendered, components.Options{})
	return func(manifests string) string {
		for _, image := range images {
			tagged := regexp.MustCompile(regexp.QuoteMeta(components.Repository(image.Ref)) + `:([A-Za-z0-9_.-]+)`)
			for _, m := range tagged.FindAllStringSubmatch(manifests, -1) {
				// Istio's injector has the tag in its values, apart from the image's name.
				tag := regexp.MustCompile(`(:|")` + regexp.QuoteMeta(m[1]) + `("|\s)`)
				manifests = tag.ReplaceAllString(manifests, "${1}"+components.Tag(image.Ref)+"${2}")
			}
		}
		return manifests
	}, nil
}
