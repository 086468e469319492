// Package pulls brings images to nodes before the pods come that need them.
//
// The API has no way to ask for an image, so a pod has to. Its containers are the images,
// one after the other as the kubelet pulls them, and none of them ever runs: each takes a
// variable from a ConfigMap that does not exist, which the kubelet finds out when it has
// pulled the image and before it creates the container. That needs no shell in the image,
// no program that ends, no image beside those that are wanted, and nothing of the container
// runtime. (An image as a volume, KEP-4639, would need both: a container that runs, and
// containerd 2.1 or later.)
//
// Such pods never end by themselves. DaemonSets carry them, as they need no right that an
// installation lacks, and whoever pulls deletes these in the end. What has to go on without
// anybody, such as the image of the first notebook when the installation is complete, is in
// a Job: its containers have a command that no image has, so that they fail at once, and the
// cluster deletes the Job soon after.
package pulls

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// Namespace of the pods where no other is chosen: every cluster has it, and it is there before
// the first object of an installation. The pods satisfy the standard "restricted" anyway.
const Namespace = rollout.InventoryNamespace

// Component is the name under which pulls are told of, beside the components.
const Component = "images"

// perPod bounds the images of a pod. A kubelet tells of each with up to three events, and
// drops those of a pod after 25.
const perPod = 7

// State of an image on a node.
type State string

const (
	// Waiting: the node has not begun with it.
	Waiting State = "Waiting"
	// Pulling: the node is at it.
	Pulling State = "Pulling"
	// Present: it was there before.
	Present State = "Present"
	// Pulled: it has been pulled.
	Pulled State = "Pulled"
	// Failed: the node could not pull it. It goes on trying.
	Failed State = "Failed"
)

// there tells that the image is on the node.
func (s State) there() bool { return s == Present || s == Pulled }

// Image is an image on a node.
type Image struct {
	Node  string `json:"node"`
	Ref   string `json:"image"`
	State State  `json:"state"`
	// Bytes and Seconds are of the pull, as far as the node tells; the bytes are those of the
	// image as it is in the registry.
	Bytes   int64   `json:"bytes,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	// Message is what the node said of a failure.
	Message string `json:"message,omitempty"`

	// failed is when it was first heard of a failure.
	failed time.Time
}

// patience is how long a node may go on trying: registries have bad moments.
const patience = 30 * time.Second

func (i *Image) there() bool { return i.State.there() }

// settled tells that the node has come to an end with the image.
func (i *Image) settled() bool {
	return i.there() || i.State == Failed && time.Since(i.failed) > patience
}

// fail takes up what a node says of a failure; what it says while it waits is less than what
// it has said before.
func (i *Image) fail(message string, more bool) {
	if i.State != Failed {
		i.State, i.failed = Failed, time.Now()
	}
	if more || i.Message == "" {
		i.Message = message
	}
}

// Options of pulls.
type Options struct {
	// Keep leaves the DaemonSets, for all nodes that Selector chooses and for those that come
	// later. Uninstall deletes them.
	Keep     bool
	Selector labels.Selector
	// Tolerate taints of the nodes, whatever they are.
	Tolerate bool
	// Secret (NAMESPACE/NAME) has the credentials to pull with. The pods are in its namespace
	// then, so that nothing has to be copied. Empty: the nodes have them.
	Secret string
	// Events receives what happens; nil drops it.
	Events report.Sink
	// Row names what the pulls of a node are told of under; nil tells of all together.
	Row func(node string) string
}

// Puller pulls.
type Puller struct {
	cluster *cluster.Cluster
	options Options
	// namespace of the pods, and the name of the pull secret in it.
	namespace, secret string
	// run tells the pods of this puller from those of others.
	run string
	// every is how often nodes are asked how far they are.
	every time.Duration

	stages []*stage
	images []Image
	// wide tells that pods of others pull for us, too; old are their events from before.
	wide   bool
	old    map[types.UID]int32
	told   map[string]told
	warned map[string]bool
}

// New makes a puller.
func New(c *cluster.Cluster, o Options) *Puller {
	namespace, secret := Namespace, ""
	if o.Secret != "" {
		namespace, secret, _ = strings.Cut(o.Secret, "/")
	}
	return &Puller{cluster: c, options: o, namespace: namespace, secret: secret, run: rand.String(8), every: lookEvery, told: map[string]told{}, warned: map[string]bool{}}
}

// stage is a part of the images that one pod of each node pulls.
type stage struct {
	number int
	nodes  []string
	images []string
	// beside: it begins with the first one.
	beside bool
	// alone: nobody waits for it, and it ends by itself.
	alone bool
	owner *metav1.OwnerReference
	// job tells that it is a Job, else it is a DaemonSet.
	job, created, deleted bool
}

// name of its object.
func (s *stage) name(run string) string {
	return fmt.Sprintf("kubectl-jupyter-images-%s-%d", run, s.number)
}

// Add plans images for nodes, after what was planned before.
func (p *Puller) Add(nodes []Node, images []string) { p.add(nodes, images, false) }

// inFront is how many images are asked for before those who need them do.
const inFront = 3

// AddBeside plans what an installation needs on its only node, while its pods are on their
// way. A kubelet pulls one image after the other, as they are asked for, unless it is told
// otherwise. So the first images of early, for whose programs others wait, get a pod each and
// come first in its queue; the rest of early is asked for by its own pods soon. Late images
// follow in the pod of the first one, so that the kubelet always has something to pull.
func (p *Puller) AddBeside(node Node, early, late []string) {
	p.wide = true
	nodes, missing := []string{node.Name}, func(images []string) []string {
		return slices.DeleteFunc(slices.Clone(images), node.Has)
	}
	for _, image := range slices.Concat(early, late) {
		state := Waiting
		if node.Has(image) {
			state = Present
		}
		p.images = append(p.images, Image{Node: node.Name, Ref: image, State: state})
	}
	first := missing(early)
	first = first[:min(len(first), inFront)]
	parts := slices.Collect(slices.Chunk(slices.Concat(first[:min(len(first), 1)], missing(late)), perPod))
	for i := 1; i < len(first); i++ {
		parts = slices.Insert(parts, i, []string{first[i]})
	}
	for i, part := range parts {
		p.stages = append(p.stages, &stage{number: len(p.stages), nodes: nodes, images: part, beside: i < len(first)})
	}
}

// AddAlone plans images whose pull goes on when nobody waits for it any more.
func (p *Puller) AddAlone(nodes []Node, images []string) { p.add(nodes, images, true) }

// add leaves out what all nodes have, as far as they tell.
func (p *Puller) add(nodes []Node, images []string, alone bool) {
	var names, missing []string
	for _, image := range images {
		if p.options.Keep || slices.ContainsFunc(nodes, func(n Node) bool { return !n.Has(image) }) {
			missing = append(missing, image)
		}
	}
	for _, n := range nodes {
		names = append(names, n.Name)
		for _, image := range images {
			state := Waiting
			if !slices.Contains(missing, image) {
				state = Present
			}
			p.images = append(p.images, Image{Node: n.Name, Ref: image, State: state})
		}
	}
	for part := range slices.Chunk(missing, perPod) {
		p.stages = append(p.stages, &stage{number: len(p.stages), nodes: names, images: part, alone: alone})
	}
}

// Anywhere plans images for the node that the scheduler chooses; nobody waits for them.
func (p *Puller) Anywhere(images []string) {
	for part := range slices.Chunk(images, perPod) {
		p.stages = append(p.stages, &stage{number: len(p.stages), images: part, alone: true})
	}
}

// Arrived takes up that the images which are waited for are on the nodes, as who has seen
// their programs run knows.
func (p *Puller) Arrived() {
	alone := map[string]bool{}
	for _, s := range p.stages {
		for _, ref := range s.images {
			alone[ref] = s.alone
		}
	}
	for i := range p.images {
		if image := &p.images[i]; !alone[image.Ref] && !image.there() {
			image.State, image.Message = Present, ""
		}
	}
	p.tell()
}

// Images are all that was planned, as they are now.
func (p *Puller) Images() []Image { return slices.Clone(p.images) }

// Needless tells that there is nothing to pull.
func (p *Puller) Needless() bool { return len(p.stages) == 0 }

// find is the image on the node; nil for what was not planned.
func (p *Puller) find(node, ref string) *Image {
	i := slices.IndexFunc(p.images, func(i Image) bool { return i.Node == node && i.Ref == ref })
	if i < 0 {
		return nil
	}
	return &p.images[i]
}

// ref of a stage's object.
func (p *Puller) ref(s *stage) report.Ref {
	if s.job {
		return report.Ref{Group: "batch", Kind: "Job", Namespace: p.namespace, Name: s.name(p.run)}
	}
	return report.Ref{Group: "apps", Kind: "DaemonSet", Namespace: p.namespace, Name: s.name(p.run)}
}
