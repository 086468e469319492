package holders

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/usage"
)

// Rates are prices of an hour of one GPU, by product in lower case.
type Rates map[string]float64

// ParseRates reads PRODUCT=PRICE.
func ParseRates(texts []string) (Rates, error) {
	out := Rates{}
	for _, text := range texts {
		product, price, ok := strings.Cut(text, "=")
		rate, err := strconv.ParseFloat(price, 64)
		if !ok || product == "" || err != nil || rate < 0 || math.IsInf(rate, 0) || math.IsNaN(rate) {
			return nil, fmt.Errorf("%q is not PRODUCT=PRICE, as in NVIDIA-A100-SXM4-80GB=2.50", text)
		}
		if _, twice := out[strings.ToLower(product)]; twice {
			return nil, fmt.Errorf("%s is specified twice", product)
		}
		out[strings.ToLower(product)] = rate
	}
	return out, nil
}

// ParsePercent reads 5%, or 5.
func ParsePercent(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(n > 0 && n <= 100) {
		return 0, fmt.Errorf("%q is not a percentage above 0 and up to 100, such as 5%%", text)
	}
	return n, nil
}

// HeldFor is how long a row's pod has had it.
func (g *GPUs) HeldFor(r Row) usage.Maybe[time.Duration] {
	switch {
	case r.Pod.Name == "":
		return usage.Missing[time.Duration](usage.Absence{Reason: "no pod holds it"})
	case r.Pod.Since.IsZero():
		return usage.Missing[time.Duration](usage.Absence{Reason: "when its pod was started is not known"})
	}
	return usage.Known(max(0, g.Time.Sub(r.Pod.Since)))
}

// share is which part of one GPU a row is: a slot is one of several, and a DRA device may
// have several pods.
func (g *GPUs) share(r Row) float64 {
	if r.Origin != usage.DRA || r.Device == nil {
		return 1 / float64(max(1, r.Replicas))
	}
	pods := 0
	for _, other := range g.Rows {
		if other.Device != nil && other.Device.Claimed == r.Device.Claimed {
			pods++
		}
	}
	return 1 / float64(max(1, pods))
}

// Cost is what a row has cost since its pod was started.
func (g *GPUs) Cost(r Row, rates Rates) usage.Maybe[float64] {
	held, ok := g.HeldFor(r).Get()
	if !ok {
		return usage.Missing[float64](g.HeldFor(r).Why())
	}
	rate, ok := rates[strings.ToLower(r.Product)]
	if !ok {
		return usage.Missing[float64](usage.Absence{Reason: "there is no --hourly-rate of " + cmp.Or(r.Product, "a GPU of unknown product")})
	}
	return usage.Known(held.Hours() * rate * g.share(r))
}

// Unpriced says which products are held and have no rate, and which rates nothing has.
func (g *GPUs) Unpriced(rates Rates) []string {
	if len(rates) == 0 {
		return nil
	}
	held, any := map[string]bool{}, map[string]bool{}
	for _, r := range g.Rows {
		any[strings.ToLower(r.Product)] = true
		if _, ok := rates[strings.ToLower(r.Product)]; !ok && r.Pod.Name != "" {
			held[cmp.Or(r.Product, "unknown product")] = true
		}
	}
	var out []string
	if len(held) > 0 {
		out = append(out, "costs of these GPUs are unknown, since --hourly-rate does not name their product: "+strings.Join(slices.Sorted(maps.Keys(held)), ", "))
	}
	for _, product := range slices.Sorted(maps.Keys(rates)) {
		if !any[product] {
			out = append(out, fmt.Sprintf("--hourly-rate: no GPU has the product %q: the column PRODUCT has the names", product))
		}
	}
	return out
}
