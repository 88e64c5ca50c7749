"""What can go wrong with a release, each a sentence for the person who reads the stack's events.

::

    ReleaseError
    ├── RequestError          the resource's properties are wrong; nothing was touched
    │   └── TooLongError      the release asks for more time than one invocation has
    ├── ClusterError          the cluster cannot be used
    │   └── ClusterGoneError  there is no such cluster (any more)
    ├── ChartError            the chart cannot be had, or is not the one that was pinned
    └── HelmError             helm or kubectl failed
        └── OutOfTimeError    it was stopped, because the invocation was about to end
"""

from __future__ import annotations


class ReleaseError(Exception):
    """The root of the tree; its text becomes the stack event's reason, after redaction."""


class RequestError(ReleaseError):
    """The resource's properties are wrong; nothing was touched."""


class TooLongError(RequestError):
    """The release asks for more time than one invocation has."""


class ClusterError(ReleaseError):
    """The cluster cannot be used."""


class ClusterGoneError(ClusterError):
    """There is no such cluster (any more)."""


class ChartError(ReleaseError):
    """The chart cannot be had, or is not the one that was pinned."""


class HelmError(ReleaseError):
    """Helm or kubectl failed."""


class OutOfTimeError(HelmError):
    """It was stopped, because the invocation was about to end."""
