"""A client of the API, for services and for the command line: :class:`Client`.

It imports nothing of the service: errors, the model and urllib3 alone.
"""

from recorder.client.asked import Moment
from recorder.client.client import Client
from recorder.client.download import Download

__all__ = ["Client", "Download", "Moment"]
