# How the notebook image of the real node serves: as Kubeflow's images do, with no token of its
# own behind a gateway that knows who asks.
import os

c = get_config()  # noqa: F821
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = 8888
c.ServerApp.base_url = os.environ.get("NB_PREFIX", "/")
c.ServerApp.root_dir = os.environ["HOME"]
c.ServerApp.open_browser = False
c.ServerApp.allow_origin = "*"
c.ServerApp.allow_remote_access = True
c.ServerApp.authenticate_prometheus = False
c.IdentityProvider.token = ""
c.PasswordIdentityProvider.hashed_password = ""
# Nothing of a bed reaches the outside.
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
