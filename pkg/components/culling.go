package components

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// ControllerComponent is the component that stops notebooks which nobody uses.
const ControllerComponent = "notebook-controller"

// Culling says after how long without activity the notebook controller stops a notebook: a
// duration such as 8h, CullingOff, or nothing, which leaves it to the profile.
type Culling string

// CullingOff has the controller stop nothing.
const CullingOff Culling = "off"

// The controller counts in minutes and looks once in several. A number of them that its
// clock cannot hold would stop every notebook at once.
const (
	cullingShortest = 10 * time.Minute
	cullingLongest  = 365 * 24 * time.Hour
)

// ParseCulling reads what Culling says.
func ParseCulling(text string) (Culling, error) {
	if text == "" || Culling(text) == CullingOff {
		return Culling(text), nil
	}
	d, err := model.ParseDuration(text)
	switch idle := time.Duration(d); {
	case err != nil:
		return "", fmt.Errorf("--cull-idle: %q is neither off nor a duration such as 8h, 90m or 7d", text)
	case idle < cullingShortest:
		return "", fmt.Errorf("--cull-idle: %s is too short, the shortest is %s: it would stop notebooks that are in use", text, cullingAfter(cullingShortest))
	case idle > cullingLongest:
		return "", fmt.Errorf("--cull-idle: %s is too long, the longest is 365d: use off to stop no notebook", text)
	case idle%time.Minute != 0:
		return "", fmt.Errorf("--cull-idle: %s is no number of whole minutes, in which the notebook controller counts", text)
	}
	return cullingAfter(time.Duration(d)), nil
}

// cullingAfter writes a time as people say it: 7d, 8h, 90m.
func cullingAfter(idle time.Duration) Culling {
	day := 24 * time.Hour
	switch {
	case idle > day && idle%day == 0:
		return Culling(fmt.Sprintf("%dd", idle/day))
	case idle%time.Hour == 0:
		return Culling(fmt.Sprintf("%dh", idle/time.Hour))
	}
	return Culling(fmt.Sprintf("%dm", idle/time.Minute))
}

// Idle is the time; zero where it is off, or the profile's.
func (c Culling) Idle() time.Duration {
	d, err := model.ParseDuration(string(c))
	if err != nil {
		return 0
	}
	return time.Duration(d)
}

// cullingToken stands for the time in minutes.
const cullingToken = "$(CULL_IDLE_MINUTES)"

func (c Culling) minutes() string { return strconv.Itoa(int(c.Idle() / time.Minute)) }

func (c Culling) validate() error {
	_, err := ParseCulling(string(c))
	return err
}

// enabled are the options that stand for it, as in Options.enabled.
func (c Culling) enabled() []string {
	switch {
	case c == "":
		return nil
	case c == CullingOff:
		return []string{"no-culling"}
	}
	return []string{"culling"}
}

// CullingSettings are where the controller reads all this.
const (
	CullingNamespace = "kubeflow"
	CullingConfigMap = "notebook-controller-config"
)

// CullingOf reads the controller's settings, as it does itself. It counts from the last
// activity of a kernel, in minutes.
func CullingOf(data map[string]string) Culling {
	if data["ENABLE_CULLING"] != "true" {
		return CullingOff
	}
	minutes, err := strconv.Atoi(data["CULL_IDLE_TIME"])
	if err != nil {
		minutes = defaultCullMinutes
	}
	return cullingAfter(time.Duration(minutes) * time.Minute)
}

// defaultCullMinutes is what the controller takes for what is no number.
const defaultCullMinutes = 1440
