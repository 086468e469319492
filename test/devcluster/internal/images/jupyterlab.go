package images

// jupyterLab is the notebook server of the real node: JupyterLab with one kernel, and what a
// shell in it needs.
var jupyterLab = tree{
	dir:      "images/jupyterlab",
	packages: []string{"bash", "coreutils", "dash", "findutils", "grep", "gzip", "libc-bin", "ncurses-base", "procps", "sed", "tar"},
	laid: map[string]string{
		"usr/local/etc/jupyter/jupyter_server_config.py":      "jupyter_server_config.py",
		"usr/local/share/jupyter/lab/settings/overrides.json": "overrides.json",
	},
	without: []string{
		"usr/local/lib/python3*/dist-packages/*/tests",
		"usr/local/lib/python3*/dist-packages/babel/locale-data/[^er]*",
		"usr/local/lib/python3*/dist-packages/debugpy*",
		"usr/local/lib/python3*/dist-packages/jedi/third_party/typeshed/stubs",
		"usr/local/lib/python3*/dist-packages/jupyterlab/galata",
		"usr/local/lib/python3*/dist-packages/jupyterlab/static", // what is served is in share
		"usr/local/share/man",
		"usr/lib/python3*/lib2to3",
		"usr/lib/python3*/test",
	},
	home: "/home/jovyan", uid: 1000, gid: 100,
	users: "root:x:0:0:root:/root:/bin/bash\njovyan:x:1000:100:jovyan:/home/jovyan:/bin/bash\n",
}

// jupyterLabFrom is what images/jupyterlab/requirements.in pins.
const jupyterLabFrom = "the Python packages jupyterlab 4.6.6 and ipykernel 7.4.0, python3 of this machine's Debian"

// notebookImage is the form's first one. Where JupyterLab cannot be had, a page answers in its place.
func notebookImage(name string, standIn Image) Image {
	standIn.Note = "answers like a Jupyter server's front page on port 8888; runs no kernels"
	return Image{
		Name: name, Kind: Real, From: jupyterLabFrom,
		Note:       "of our own making: as upstream's image is started, without the scientific packages of its name",
		entrypoint: []string{"/usr/local/bin/jupyter", "lab"}, user: "1000:100",
		env: []string{
			"HOME=" + jupyterLab.home, "NB_USER=jovyan", "NB_UID=1000", "NB_PREFIX=/", "SHELL=/bin/bash", "LANG=C.UTF-8",
		},
		base: "jupyterlab", otherwise: &standIn,
	}
}

// echoImage is a notebook server which says what it is told, as JupyterLab does not.
func echoImage() Image {
	return standIn("devcluster.test/notebook-echo:v1", "notebook",
		"answers with the headers that it got, remembers what is put, and asks others what it is told to; runs no kernels")
}
