"""Files from the network: corpora, resumed and checked; and sounds at addresses that users name, within limits."""

from onsei.data.download.guarded import Limits, fetched, is_address, is_public
from onsei.data.download.resumed import ATTEMPTS, Remote, download, listing

__all__ = ["ATTEMPTS", "Limits", "Remote", "download", "fetched", "is_address", "is_public", "listing"]
