package usage

import (
	"bufio"
	"bytes"
	"io"
	"math/rand"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"sigs.k8s.io/randfill"
)

func TestWhatIsNotWantedIsCutOut(t *testing.T) {
	n := node("n", gpu, "4")
	n.Status.Images = []corev1.ContainerImage{{Names: []string{strings.Repeat("x", 9000)}}}
	n.Annotations = map[string]string{"a": strings.Repeat("y", 9000)}
	whole, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	pruned, err := nodeFields.prune(nil, whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(pruned) > 500 {
		t.Errorf("%d of %d bytes are left", len(pruned), len(whole))
	}
	var got corev1.Node
	if err := got.Unmarshal(pruned); err != nil {
		t.Fatal(err)
	}
	n.Status.Images, n.Annotations = nil, nil
	if diff := cmp.Diff(n, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPathThatATypeDoesNotHaveIsAMistake(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "v1.Pod has no field spec.nodename") {
			t.Errorf("got %v", r)
		}
	}()
	fieldsOf[corev1.Pod]("spec.nodename")
}

func TestAFieldAsAWholeOutweighsItsParts(t *testing.T) {
	for _, paths := range [][]string{{"spec", "spec.nodeName"}, {"spec.nodeName", "spec"}} {
		if f := fieldsOf[corev1.Pod](paths...); len(f) != 1 || f[2] != nil {
			t.Errorf("%v: %v", paths, f)
		}
	}
}

// counts is what top takes from a pod.
type counts struct {
	Node     string
	Phase    corev1.PodPhase
	Requests corev1.ResourceList
	GPUs     map[string]int64
}

func countsOf(p *corev1.Pod) counts {
	return counts{p.Spec.NodeName, p.Status.Phase, PodRequests(p), PodGPUs(p, nil)}
}

// hugeExponent is a quantity such as 1e999999999, on which the library's arithmetic takes
// for ever, whoever decoded it. API servers do not let one in.
var hugeExponent = regexp.MustCompile(`[0-9.][eE][+-]?[0-9]{3}`)

// samePod tells whether a pruned pod counts as the whole one does. A message that one of
// the two ways refuses is of no interest: no API server sends it.
func samePod(t *testing.T, data []byte) {
	t.Helper()
	var whole, part corev1.Pod
	if hugeExponent.Match(data) || whole.Unmarshal(data) != nil {
		return
	}
	pruned, err := podFields.prune(nil, data)
	if err != nil {
		return
	}
	if err := part.Unmarshal(pruned); err != nil {
		t.Fatalf("the pruned pod is broken: %v", err)
	}
	if want, got := countsOf(&whole), countsOf(&part); !equality.Semantic.DeepEqual(want, got) {
		t.Errorf("pruned %+v, whole %+v", got, want)
	}
}

// randomPods fills every field of pods, reproducibly.
func randomPods(n int) []corev1.Pod {
	names := []corev1.ResourceName{"cpu", "memory", gpu, "nvidia.com/mig-1g.5gb", "amd.com/gpu", "example.com/other"}
	f := randfill.NewWithSeed(1).NilChance(0.3).NumElements(0, 3).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewMilliQuantity(c.Int63n(1<<40), resource.DecimalSI)
		},
		func(l *corev1.ResourceList, c randfill.Continue) {
			*l = corev1.ResourceList{}
			for _, i := range c.Perm(len(names))[:c.Intn(4)] {
				(*l)[names[i]] = *resource.NewQuantity(c.Int63n(100), resource.DecimalSI)
			}
		},
		func(x *metav1.Time, c randfill.Continue) { x.Time = noon },
		func(x *metav1.MicroTime, c randfill.Continue) { x.Time = noon },
		func(x *metav1.FieldsV1, c randfill.Continue) { x.SetRawString("{}") },
		func(x *corev1.ContainerRestartPolicy, c randfill.Continue) { *x = corev1.ContainerRestartPolicyAlways },
		func(x *corev1.PodConditionType, c randfill.Continue) { *x = corev1.PodResizePending },
		func(x *corev1.ContainerStatus, c randfill.Continue) {
			c.FillNoCustom(x)
			x.Name = []string{"a", "b"}[c.Intn(2)]
		},
		func(x *corev1.Container, c randfill.Continue) {
			c.FillNoCustom(x)
			x.Name = []string{"a", "b"}[c.Intn(2)]
		},
	)
	out := make([]corev1.Pod, n)
	for i := range out {
		f.Fill(&out[i])
	}
	return out
}

func TestAPrunedPodCountsAsTheWholeOne(t *testing.T) {
	requesting := 0
	for _, p := range randomPods(300) {
		data, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		samePod(t, data)
		if len(PodGPUs(&p, nil)) > 0 {
			requesting++
		}
	}
	if requesting < 100 {
		t.Errorf("only %d of the pods request a GPU: the test shows little", requesting)
	}
}

// FuzzPrune feeds broken and unusual messages to both ways of decoding.
func FuzzPrune(f *testing.F) {
	for _, p := range randomPods(10) {
		data, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0x12, 0x05, 0x52, 0x03, 'a', 'b', 'c', 0x12, 0x00})
	f.Fuzz(samePod)
}

// encoded is a list as an API server sends it.
func encoded(t testing.TB, pods []corev1.Pod, next string) []byte {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	data, err := runtime.Encode(protobuf.NewSerializer(scheme, scheme), &corev1.PodList{
		TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{Continue: next}, Items: pods,
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readPods(r io.Reader) (pods []corev1.Pod, next string, err error) {
	next, err = listProtobuf(bufio.NewReader(r), podFields, func(p *corev1.Pod) { pods = append(pods, *p) })
	return pods, next, err
}

func TestAListArrivesInAnyPieces(t *testing.T) {
	pods := randomPods(20)
	data := encoded(t, pods, "the next page")
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(data), "byte by byte": iotest.OneByteReader(bytes.NewReader(data)), "halves": iotest.HalfReader(bytes.NewReader(data))} {
		got, next, err := readPods(r)
		if err != nil || next != "the next page" || len(got) != len(pods) {
			t.Fatalf("%s: %d pods, next %q, %v", name, len(got), next, err)
		}
		for i := range pods {
			if want, got := countsOf(&pods[i]), countsOf(&got[i]); !equality.Semantic.DeepEqual(want, got) {
				t.Errorf("%s: pod %d: %+v, want %+v", name, i, got, want)
			}
		}
	}
}

func TestAListThatBreaksOffIsAnError(t *testing.T) {
	pods := randomPods(3)
	data := encoded(t, pods, "")
	// The envelope ends with two empty strings of two bytes each, after the whole list.
	whole := len(data) - 4
	for cut := len(magic) + 1; cut < whole; cut += 1 + rand.New(rand.NewSource(int64(cut))).Intn(50) {
		if got, _, err := readPods(bytes.NewReader(data[:cut])); err == nil {
			t.Fatalf("%d of %d bytes are %d pods and no error", cut, len(data), len(got))
		}
	}
}

func TestLengthsThatCannotBeAreErrors(t *testing.T) {
	for name, data := range map[string]string{
		"an item longer than its list":    magic + "\x12\x04\x12\x7f\x00\x00",
		"a list longer than can be":       magic + "\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"a number instead of a list":      magic + "\x10\x01",
		"a tag that goes past its list":   magic + "\x12\x01\x92\x80\x01",
		"an item that is no message":      magic + "\x12\x03\x12\x01\xff",
		"metadata that are no message":    magic + "\x12\x03\x0a\x01\xff",
		"a length that is never finished": magic + "\x12\xff",
	} {
		if pods, _, err := readPods(strings.NewReader(data)); err == nil {
			t.Errorf("%s: %d pods and no error", name, len(pods))
		}
	}
}

// FuzzList looks for input that makes the reader of lists panic or take what it should not.
func FuzzList(f *testing.F) {
	f.Add(encoded(f, randomPods(2), "next"))
	f.Add([]byte(magic + "\x12\x04\x12\x7f\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.HasPrefix(data, []byte(magic)) {
			data = append([]byte(magic), data...)
		}
		pods, _, err := readPods(bytes.NewReader(data))
		if err != nil {
			return
		}
		// What is taken for whole must be so for the real decoder as well.
		var envelope runtime.Unknown
		var list corev1.PodList
		if envelope.Unmarshal(data[len(magic):]) == nil && list.Unmarshal(envelope.Raw) == nil && len(list.Items) != len(pods) && bytes.Count(data, envelope.Raw) == 1 {
			t.Errorf("%d pods, the real decoder has %d", len(pods), len(list.Items))
		}
	})
}
