package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// The targets of figure f.
const (
	topSlack  = 0.8   // times kubectl top nodes
	topShare  = 5     // at most one part in so many of the plain way's time
	topMemory = 150e6 // bytes
)

// largeID is the figure that has a report of its own: it needs no clone of upstream's.
const largeID = "f"

// topSizes are the numbers of nodes at which top is timed, the last with all comparisons.
var topSizes = []int{500, 1500, 5000}

// denseNodes hold 20,000 pods, each with a GPU.
const denseNodes = 2500

// topStage is what was measured at one size.
type topStage struct {
	crowd
	nodes, pods       int
	ours, peer, plain []timed
	// gpus is `top gpus`, where every pod has one; refreshes are those of --watch.
	gpus, refreshes     []timed
	requests, peerAsked map[string]int
	nodeSize, podSize   int64
	// bedMemory is the largest resident set of the whole cluster so far, in bytes.
	bedMemory   int64
	differences []string
}

// top is figure f: nodes, their use and their GPUs in a large cluster.
func (b *bench) top(ctx context.Context) (*figure, error) {
	sizes, denseSize := b.topSizes()
	stages, err := b.topStages(ctx, mixed, sizes)
	if err != nil {
		return nil, err
	}
	held, err := b.topStages(ctx, dense, []int{denseSize})
	if err != nil {
		return nil, err
	}
	return topFigure(stages, held[0]), nil
}

// topStages measures in one cluster that grows.
func (b *bench) topStages(ctx context.Context, w crowd, sizes []int) (stages []topStage, err error) {
	// Without these controllers the nodes stay as they are written.
	err = b.withBedOf(ctx, []string{
		"--node-count=1", "--gpu-nodes=0", "--stand-ins=false",
		"--controllers=serviceaccount-controller",
	}, func(c *bed) error {
		api, err := client(c.Kubeconfig)
		if err != nil {
			return err
		}
		if _, err := must(ctx, c.Env(), strings.NewReader(standInObjects), b.programs.Kubectl, "apply", "-f", "-"); err != nil {
			return err
		}
		from := 0
		for _, n := range sizes {
			b.say("writing nodes %d to %d, %d pods each", from, n-1, w.podsPerNode)
			if err := w.fill(ctx, api, from, n); err != nil {
				return err
			}
			from = n
			s, err := c.topStage(ctx, api, w, n)
			if err != nil {
				return fmt.Errorf("at %d nodes: %w", n, err)
			}
			stages = append(stages, s)
		}
		return nil
	})
	return stages, err
}

func (b *bench) topSizes() (sizes []int, denseSize int) {
	if b.topNodes == 0 {
		return topSizes, denseNodes
	}
	return []int{b.topNodes}, b.topNodes
}

// topStage measures at one size, taking turns so that what else the machine does meets all.
func (c *bed) topStage(ctx context.Context, api kubernetes.Interface, w crowd, nodes int) (s topStage, err error) {
	end, err := c.startStandIn(ctx)
	if err != nil {
		return s, err
	}
	defer end()
	s.crowd, s.nodes, s.pods = w, nodes, nodes*w.podsPerNode
	if s.nodeSize, err = meanSize(ctx, api, "/api/v1/nodes"); err != nil {
		return s, err
	}
	if s.podSize, err = meanSize(ctx, api, "/api/v1/pods"); err != nil {
		return s, err
	}
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	c.say("%d nodes, %d pods: measuring", s.nodes, s.pods)
	var ours, peer, simple string
	for i := range max(c.runs, 5) + 1 {
		t, err := c.jupyter(ctx, "top")
		if err != nil {
			return s, err
		}
		ours = t.stdout
		k, err := c.timed(ctx, c.programs.Kubectl, "top", "nodes")
		if err != nil {
			return s, err
		}
		peer = k.stdout
		if i > 0 { // the first reads the programs from the disk
			s.ours, s.peer = append(s.ours, t), append(s.peer, k)
		}
		if w != dense {
			continue
		}
		g, err := c.jupyter(ctx, "top", "gpus")
		if err != nil {
			return s, err
		}
		if i > 0 {
			s.gpus = append(s.gpus, g)
		}
	}
	if s.refreshes, err = c.refreshes(ctx, max(c.runs, 5)); err != nil {
		return s, err
	}
	for range 2 {
		t, err := c.timed(ctx, self, plainArg)
		if err != nil {
			return s, err
		}
		simple = t.stdout
		s.plain = append(s.plain, t)
	}
	s.bedMemory = highWater(c.pid)
	s.differences = slices.Concat(differentCells(ours, peer), differentRequests(ours, simple))
	if s.requests, err = c.counting(ctx, func(kubeconfig string) error {
		_, err := must(ctx, append(os.Environ(), "KUBECONFIG="+kubeconfig), nil, c.programs.Plugin, "top")
		return err
	}); err != nil {
		return s, err
	}
	s.peerAsked, err = c.counting(ctx, func(kubeconfig string) error {
		_, err := must(ctx, append(os.Environ(), "KUBECONFIG="+kubeconfig), nil, c.programs.Kubectl, "top", "nodes")
		return err
	})
	return s, err
}

// timed runs a program against the bed.
func (b *bed) timed(ctx context.Context, name string, args ...string) (timed, error) {
	done := b.watch()
	s, err := must(ctx, b.Env(), nil, name, args...)
	return done(s), err
}

// startStandIn starts the stand-in for metrics-server in the bed's network and waits until
// it answers through the API server.
func (b *bed) startStandIn(ctx context.Context) (end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.programs.Devcluster, "exec", "--dir", b.Dir, "--", self, standInArg)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = b.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it ends by the signal
	}
	deadline, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if s, err := command(deadline, b.Env(), nil, b.programs.Kubectl, "get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"); err == nil && s.code == 0 {
			return end, nil
		}
		select {
		case <-deadline.Done():
			end()
			return nil, fmt.Errorf("the stand-in for metrics-server does not answer: %w", deadline.Err())
		case <-tick.C:
		}
	}
}

// meanSize is how large an object of a list is in protobuf.
func meanSize(ctx context.Context, api kubernetes.Interface, path string) (int64, error) {
	const objects = 500
	data, err := api.CoreV1().RESTClient().Get().AbsPath(path).Param("limit", fmt.Sprint(objects)).DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	var list metav1.PartialObjectMetadataList
	raw, err := api.CoreV1().RESTClient().Get().AbsPath(path).Param("limit", fmt.Sprint(objects)).
		SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return 0, err
	}
	return int64(len(data) / max(1, len(list.Items))), nil
}

// differentCells compares the cells of CPU and memory, node by node: columns 2 to 5 of
// kubectl's table, 3 to 6 of ours.
func differentCells(ours, peer string) []string {
	mine := map[string][]string{}
	for _, l := range strings.Split(strings.TrimSpace(ours), "\n")[1:] {
		if f := strings.Fields(l); len(f) >= 6 && mine[f[0]] == nil {
			mine[f[0]] = f[2:6]
		}
	}
	var out []string
	for _, l := range strings.Split(strings.TrimSpace(peer), "\n")[1:] {
		if f := strings.Fields(l); !slices.Equal(mine[f[0]], f[1:5]) {
			out = append(out, fmt.Sprintf("%s: %v, kubectl %v", f[0], mine[f[0]], f[1:5]))
		}
		delete(mine, strings.Fields(l)[0])
	}
	for name := range mine {
		out = append(out, name+": not in kubectl's table")
	}
	return out
}

// differentRequests compares the requested GPUs with those that the plain way counts.
func differentRequests(ours, plain string) []string {
	mine := map[string]string{}
	for _, l := range strings.Split(strings.TrimSpace(ours), "\n")[1:] {
		if f := strings.Fields(l); len(f) >= 10 && f[6] != "-" {
			mine[f[0]] = f[9]
		}
	}
	var out []string
	for _, l := range strings.Split(strings.TrimSpace(plain), "\n") {
		f := strings.Fields(l)
		if want, has := mine[f[0]]; has && want != f[2] || !has && f[2] != "0" {
			out = append(out, fmt.Sprintf("%s: requested %q, counted plainly %s", f[0], want, f[2]))
		}
	}
	return out
}

// topFigure judges the largest of the stages; held is the one where pods hold all GPUs.
func topFigure(stages []topStage, held topStage) *figure {
	f := &figure{title: "top in a large cluster"}
	last := stages[len(stages)-1]
	mine, peer, simple := median(of(last.ours, wallOf)), median(of(last.peer, wallOf)), median(of(last.plain, wallOf))
	memory := slices.Max(of(last.ours, func(t timed) int64 { return t.rss }))
	size := fmt.Sprintf("%d nodes, %d pods: ", last.nodes, last.pods)
	var differences []string
	cells := 0
	for _, s := range append(slices.Clone(stages), held) {
		differences = append(differences, s.differences...)
		cells += s.nodes
	}
	f.checks = []check{
		{
			size + fmt.Sprintf("at most %.1f times kubectl top nodes, which does not show GPUs", topSlack), float64(mine) <= topSlack*float64(peer),
			fmt.Sprintf("%s against %s: %.2f times", seconds(mine), seconds(peer), ratio(mine, peer)),
		},
		{
			size + fmt.Sprintf("at most 1/%d of the simple client, all pods in one list", topShare), mine*topShare <= simple,
			fmt.Sprintf("%s against %s: 1/%.1f", seconds(mine), seconds(simple), ratio(simple, mine)),
		},
		{size + fmt.Sprintf("at most %s of memory", megabytes(topMemory)), float64(memory) <= topMemory, megabytes(float64(memory))},
		{
			"CPU and memory of every node as kubectl prints them, requests as the simple client counts them", len(differences) == 0,
			fmt.Sprintf("%d differences on %d nodes", len(differences), cells),
		},
	}
	f.table = [][]string{append([]string{"nodes (with GPUs)", "pods", "API requests"}, head()[0]...)}
	for _, s := range append(slices.Clone(stages), held) {
		at := []string{fmt.Sprintf("%d (%d)", s.nodes, s.nodes/s.gpuNodeEvery), fmt.Sprint(s.pods)}
		f.table = append(f.table, slices.Concat(at, []string{fmt.Sprint(s.requests[reads])}, timedRow("kubectl jupyter top", s.ours)))
		if len(s.gpus) > 0 {
			f.table = append(f.table, slices.Concat(at, []string{""}, timedRow("kubectl jupyter top gpus", s.gpus)))
		}
		f.table = append(f.table,
			slices.Concat(at, []string{""}, costRow("kubectl jupyter top --watch, one refresh", s.refreshes)),
			slices.Concat(at, []string{fmt.Sprint(s.peerAsked[reads])}, timedRow("kubectl top nodes", s.peer)),
			slices.Concat(at, []string{"3"}, timedRow("simple client", s.plain)))
	}
	f.notes = []string{
		"The cluster is the bed's real control plane with one simulated node; the other nodes are objects created by this benchmark, without heartbeats; their pods are bound on creation and no container runs. In protobuf a node has " +
			fmt.Sprintf("%d bytes, a pod %d, one in %d of which has finished.", last.nodeSize, last.podSize, last.finishedEvery),
		fmt.Sprintf("Of the %d pods on %d nodes with GPUs each holds a GPU.", held.pods, held.nodes),
		"A refresh of --watch is counted from one table to the next; in between the command waits, so that only its CPU time is known.",
		"metrics.k8s.io is served by a stand-in with made-up figures, behind the aggregation layer as the real metrics-server would be; kubectl and the plugin ask it for the same list.",
		fmt.Sprintf("The cluster itself takes %s of memory at that size. Of the controller manager only the controller of ServiceAccounts runs.", megabytes(float64(last.bedMemory))),
		"The simple client is test/bench/top_plain.go: nodes, metrics and all pods, each in one list, protobuf decoded by client-go.",
	}
	for _, d := range differences[:min(5, len(differences))] {
		f.notes = append(f.notes, "Different: "+d)
	}
	return f
}
