package gateway

import (
	"bytes"
	"os"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"
)

// envoy is what the scripts know of Envoy: a stream handle whose headers can be walked with
// pairs, which Lua 5.1 itself does not do.
const envoy = `
local rawpairs = pairs
function pairs(t)
  if not t.list then return rawpairs(t) end
  local i = 0
  return function() i = i + 1; local h = t.list[i]; if h then return h[1], h[2] end end
end
function stream(list)
  local headers = {list = list}
  function headers:get(name)
    local all = {}
    for _, h in ipairs(self.list) do if h[1] == name then table.insert(all, h[2]) end end
    if #all > 0 then return table.concat(all, ",") end
  end
  function headers:remove(name)
    local kept = {}
    for _, h in ipairs(self.list) do if h[1] ~= name then table.insert(kept, h) end end
    self.list = kept
  end
  function headers:add(name, value) table.insert(self.list, {name, value}) end
  function headers:replace(name, value) self:remove(name); self:add(name, value) end
  local handle, metadata, waited = {}, {}, 0
  -- Headers do not outlast a wait.
  function handle:headers()
    if fails then error("no headers") end
    local since = waited
    return setmetatable({}, {__newindex = headers, __index = function(_, key)
      if since ~= waited then error("object used outside of proper scope") end
      return headers[key]
    end})
  end
  function handle:respond(h, body) answered, location, said = h[":status"], h["location"], body end
  function handle:body()
    waited = waited + 1
    if sent then return {setBytes = function(_, text) sent = text; return #text end} end
  end
  function handle:streamInfo()
    return {
      dynamicMetadata = function() return metadata end,
      downstreamSslConnection = function()
        if peer and peer ~= "" then return {uriSanPeerCertificate = function() return {peer} end} end
      end,
    }
  end
  function metadata:set(space, key, value) kept[space .. ":" .. key] = value end
  function metadata:get(space)
    local found
    for key, value in rawpairs(kept) do
      if key:sub(1, #space + 1) == space .. ":" then found = found or {}; found[key:sub(#space + 2)] = value end
    end
    return found
  end
  return handle
end
function run(list, call)
  local handle = stream(list)
  if call == "envoy_on_request" then answered, location, said, kept = nil, nil, nil, {} end
  _G[call](handle)
  local out = {}
  for _, h in ipairs(handle:headers().list) do table.insert(out, h[1] .. ": " .. h[2]) end
  return table.concat(out, "\n")
end
kept = {}
`

// script loads what the gateway runs, as an EnvoyFilter of a file says. Tokens are pairs of
// what stands in the manifest and what the installer puts there.
func script(t testing.TB, file string, tokens ...string) *lua.LState {
	t.Helper()
	text, err := os.ReadFile("../../pkg/components/common/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var filter struct {
		Spec struct {
			ConfigPatches []struct {
				Patch struct {
					Value struct {
						TypedConfig struct {
							Source struct {
								Inline string `json:"inline_string"`
							} `json:"default_source_code"`
						} `json:"typed_config"`
					} `json:"value"`
				} `json:"patch"`
			} `json:"configPatches"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(strings.NewReplacer(tokens...).Replace(string(text))), &filter); err != nil {
		t.Fatal(err)
	}
	state := lua.NewState()
	t.Cleanup(state.Close)
	var source bytes.Buffer
	for _, p := range filter.Spec.ConfigPatches {
		source.WriteString(p.Patch.Value.TypedConfig.Source.Inline)
	}
	for _, chunk := range []string{envoy, source.String()} {
		if err := state.DoString(chunk); err != nil {
			t.Fatal(err)
		}
	}
	return state
}

// after is what a function of the script leaves of headers.
func after(t testing.TB, state *lua.LState, function string, headers ...string) []string {
	t.Helper()
	list := state.NewTable()
	for _, h := range headers {
		// The first colon is that of a pseudo header.
		name, value, _ := strings.Cut(h, ": ")
		pair := state.NewTable()
		pair.Append(lua.LString(name))
		pair.Append(lua.LString(value))
		list.Append(pair)
	}
	if err := state.CallByParam(lua.P{Fn: state.GetGlobal("run"), NRet: 1, Protect: true}, list, lua.LString(function)); err != nil {
		t.Fatal(err)
	}
	out := state.Get(-1).String()
	state.Pop(1)
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}
